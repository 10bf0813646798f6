"""The page: a photo in, an answer out. One HTML file from our own origin, and nothing else."""

import re

from components.common.model.description import ModelDescription
from components.common.pages import report
from components.common.pages.report import escape
from programs.serve import upload
from programs.serve.figures import Figures
from programs.serve.page_script import CSS, SCRIPT
from programs.serve.upload import Limits

MAX_NAMED = 40  # classes that are named on the page
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_MUSHROOM = (
    '<path fill="{cap}" d="M4 15.5C4 8.6 9.4 4 16 4s12 4.6 12 11.5c0 1-.7 1.5-1.6 1.5H5.6'
    'C4.7 17 4 16.5 4 15.5Z"/><path fill="{stem}" d="M12 17h8c-.6 3.4-.3 6.2.9 8.6.7 1.4-.3 2.4'
    '-1.7 2.4h-6.4c-1.4 0-2.4-1-1.7-2.4 1.2-2.4 1.5-5.2.9-8.6Z"/>'
    '<g fill="{dots}"><circle cx="11" cy="11.5" r="1.7"/>'
    '<circle cx="17" cy="8.5" r="1.9"/><circle cx="22" cy="12.8" r="1.5"/></g>'
)
# Without one, browsers ask for /favicon.ico.
_ICON = (
    '<link rel="icon" href="data:image/svg+xml,'
    + escape(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
        + _MUSHROOM.format(cap="%23b3261e", stem="%23e6dcc8", dots="%23ffffff").replace('"', "'")
        + "</svg>"
    )
    + '">'
)
_DRAWING = (
    '<svg class="mushroom" viewBox="0 0 32 32" aria-hidden="true">'
    + _MUSHROOM.format(cap="var(--right)", stem="var(--stem)", dots="var(--card)")
    + "</svg>"
)


def render(description: ModelDescription, limits: Limits, figures: Figures | None = None) -> str:
    """The page as HTML.

    Args:
        description: of the model that answers.
        limits: of a photo; files that are larger are not sent.
        figures: how good it is, where that is known.
    """
    html = report.page(
        "Which mushroom is this?",
        "Show a photo and see which kind a program takes it for, how sure it is, and why.",
        _body(description, limits, figures),
        script=SCRIPT,
        css=CSS,
        connect="'self'",
    )
    return html.replace("</head>", f"{_ICON}\n</head>", 1)


def policy(html: str) -> str:
    """The Content-Security-Policy for the page's header: its own, and that nobody frames it."""
    found = _POLICY.search(html)
    assert found is not None
    return f"{found[1]}; frame-ancestors 'none'"


def _body(description: ModelDescription, limits: Limits, figures: Figures | None) -> str:
    megabytes = f"{limits.upload_bytes / 1024**2:.3g}"
    cautions = () if description.unknown else (NO_RULE,)
    return f"""{report.notices(rendered=description.rendered, cautions=cautions)}
<noscript><p class="notice alarm">This page needs JavaScript. Programs can ask without it: see
below.</p></noscript>
<section id="ask" class="panel" aria-label="Your photo" data-max-bytes="{limits.upload_bytes}"
 data-max-mb="{megabytes}" data-timeout-s="{limits.upload_s + limits.answer_s + 5:.0f}">
<div id="drop">
{_DRAWING}
<div>
<p class="lead" id="lead">Drop a photo here, or paste one</p>
<p class="choices">
<button type="button" id="choose" class="primary">Choose a photo</button>
<button type="button" id="take" hidden>Take a photo</button>
</p>
<p class="muted hint">{upload.KINDS}, up to {megabytes}&nbsp;MB. It is sent to this service, looked
at, and forgotten.</p>
</div>
<input type="file" id="file" accept="image/*" aria-label="Photo" tabindex="-1" hidden>
<input type="file" id="camera" accept="image/*" capture="environment" aria-label="New photo"
 tabindex="-1" hidden>
</div>
</section>
<div id="status" role="status"></div>
<div id="problem" role="alert"></div>
<section id="result" aria-labelledby="species" hidden></section>
{_known(description, figures)}
{_PROGRAMS}"""


def _known(description: ModelDescription, figures: Figures | None) -> str:
    """The classes, because an answer can only be one of them."""
    shown = "".join(
        f"<li>{report.class_name(label)}</li>" for label in description.classes[:MAX_NAMED]
    )
    more = len(description.classes) - MAX_NAMED
    rest = f"<li>and {more} more</li>" if more > 0 else ""
    seen = sum(sum(description.photos.get(part, {}).values()) for part in ("training",))
    taught = f", from {seen:,} photos" if seen else ""
    return f"""<section id="known">
<h2>What it knows <small>{len(description.classes)} kinds{taught}</small></h2>
<ul class="chips">{shown}{rest}</ul>
<p class="muted">Of every other mushroom it can at best say that it is none of these.</p>
{_how_good(figures)}
</section>"""


def _how_good(figures: Figures | None) -> str:
    if figures is None:
        return '<p class="muted">How often it is right is not known here.</p>'
    low, high = report.percent(figures.low), report.percent(figures.high)
    return (
        f"<p>Of {figures.photos:,} photos that it never saw it named "
        f"<strong>{report.percent(figures.accuracy)}</strong> right (95 % interval {low} to "
        f"{high}).</p>"
    )


NO_RULE = (
    "This model cannot tell when a photo shows none of the kinds that it knows: it names one of "
    "them for every photo."
)
_PROGRAMS = """<details>
<summary>For programs</summary>
<p>The same answer as JSON; the interface is described in <a href="openapi.json">OpenAPI</a>.</p>
<pre tabindex="0" aria-label="Example"><code>curl --data-binary @photo.jpg \\
  -H 'Content-Type: image/jpeg' \\
  '<span id="origin">http://127.0.0.1:8080</span>/v1/predict?top_k=3'</code></pre>
</details>"""
