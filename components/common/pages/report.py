"""Self-contained HTML pages: the skeleton and the parts that the report and the gallery share.

A page carries its pictures, its style and its script, and its Content-Security-Policy forbids
everything else. Labels, file names, authors, licences and addresses come from strangers: whatever
is not marked as HTML here goes through `escape` first. There are no style attributes, which the
policy would block; what depends on data is drawn as SVG.
"""

import base64
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from components.common.dataset import licences
from components.common.dataset.photo import Photo
from components.common.pages import report_style

WARNING = (
    "Never eat a mushroom because of what this program says. A mistake can kill, photographs "
    "cannot show every mark that matters, and the program knows only the classes it was trained "
    "on. Ask a mushroom expert who holds the mushroom in hand."
)
RENDERED = (
    "This model was trained on rendered pictures, not photographs: these figures say nothing about "
    "real mushrooms."
)
ROUNDING = 1e-6  # by which a float32 probability may pass 1
MAX_TEXT = 160  # characters of a stranger's text that are shown
MAX_URL = 2000  # characters; longer addresses are not linked

# Bidirectional overrides turn the text around them; "\u200e" and its kind are harmless.
_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")
MOST_BESIDE = 3  # columns of a table that a phone shows beside each other
_FIGURE = re.compile(r"(under |over )?[\d,.]+( %)?")
_TAG = re.compile("<[^>]*>")  # in HTML whose attributes went through `escape`
# What is no text, and in text a number with its unit. Scripts hold data, such as names of classes.
_NO_TEXT_OR_PERCENT = re.compile(r"<script\b.*?</script>|<[^>]*>|(?<=\d) %", re.DOTALL)

# Icons are drawn, not characters: not every font has a check mark.
_ICONS = (
    '<svg width="0" height="0" aria-hidden="true"><defs>'
    '<symbol id="yes" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9" fill="none" '
    'stroke="currentColor" stroke-width="2"/><path d="m6 10.5 2.8 2.8L14 7.5" fill="none" '
    'stroke="currentColor" stroke-width="2.2"/></symbol>'
    '<symbol id="no" viewBox="0 0 20 20"><rect x="1" y="1" width="18" height="18" rx="3" '
    'fill="currentColor" fill-opacity=".15" stroke="currentColor" stroke-width="2"/>'
    '<path d="m6.2 6.2 7.6 7.6m0-7.6-7.6 7.6" stroke="currentColor" stroke-width="2.2"/></symbol>'
    "</defs></svg>"
)


def page(
    title: str,
    subtitle: str,
    body: str,
    *,
    identity: str = "",
    script: str = "",
    css: str = "",
    connect: str = "",
) -> str:
    """One self-contained HTML5 file.

    Args:
        title: text, also of the window.
        subtitle: text below it.
        body: HTML.
        identity: HTML, what the page is about; see `identity`.
        css: rules of this page beside those that all pages share.
        script: JavaScript, run when the page is there; the only one that the page's
            Content-Security-Policy lets run.
        connect: what the script may connect to, as the policy says it: "'self'" for the server that
            the page comes from, empty for a page that is a file.
    """
    style = report_style.STYLE + css
    allowed = f"'{_source_hash(script)}'" if script else "'none'"
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_source_hash(style)}'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
        + (f"; connect-src {connect}" if connect else "")
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
{_ICONS}
<header>
<h1>{escape(title)}</h1>
<p>{escape(subtitle)}</p>
{f'<p class="identity">{identity}</p>' if identity else ""}
</header>
<main>
{_NO_TEXT_OR_PERCENT.sub(_joined, body)}
</main>
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def identity(version: str, dataset_sha256: str) -> str:
    """Which model a page is about and which photos it learned from, as HTML for a page's header.

    It is the same for equal models, wherever and whenever they were made.

    Args:
        version: of the model, as it is published.
        dataset_sha256: of the manifest of its training dataset.
    """
    digits = len(version)
    return (
        f"Model <code>{escape(version)}</code>, learned from the photos of dataset "
        f'<code title="SHA-256 {escape(dataset_sha256)}">{escape(dataset_sha256[:digits])}</code>.'
    )


def escape(text: object) -> str:
    """Text as HTML, for content and for quoted attributes.

    Control characters, lone surrogates (of undecodable file names) and bidirectional overrides
    become the replacement character: they would garble the page or keep it from being written.
    """
    visible = "".join(
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character
        for character in _OVERRIDES.sub("\ufffd", " ".join(str(text).split()))
    )
    return html.escape(visible)


def class_name(label: str) -> str:
    """A class's name as HTML: as it is in files, whole, with a place to break after each "_"."""
    return escape(label).replace("_", "_<wbr>")


def shortened(text: str) -> str:
    """The text as HTML, cut at `MAX_TEXT` characters, with places to break as a class's name."""
    return class_name(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")


def percent(value: float) -> str:
    """A share of 1 as text: "87 %"; never 0 or 100 unless it is exactly that.

    Raises:
        ValueError: it is not between 0 and 1.
    """
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise ValueError(f"a share must be between 0 and 1, not {value}")
    whole = round(100 * value)
    if whole == 0 and value > 1e-9:
        return "under 1 %"
    if whole == 100 and value < 1 - 1e-9:
        return "over 99 %"
    return f"{whole} %"


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def picture(jpeg: bytes, alt: str) -> str:
    """An <img>, or a frame that says that there is no picture."""
    if not jpeg:
        return '<span class="nothing">no picture</span>'
    return f'<img src="{data_uri(jpeg)}" alt="{escape(alt)}">'


def safe_link(url: str, text: str) -> str:
    """A link for http and https addresses, for any other only the text."""
    if not _host(url):
        return shortened(text)
    href = html.escape(url)
    return f'<a href="{href}" target="_blank" rel="noopener noreferrer">{shortened(text)}</a>'


def attribution(photo: Photo) -> str:
    """Which photo it is, whose, under which licence and from where, as far as known."""
    known = []
    if photo.path:
        known.append(f"<code>{shortened(photo.path.rpartition('/')[2])}</code>")
    if photo.author:
        known.append(f"by <bdi>{shortened(photo.author)}</bdi>")
    if photo.licence:
        licence = licences.parse(photo.licence)
        known.append(safe_link(licence.url, licence.name) if licence else shortened(photo.licence))
    page = photo.source_page or photo.source_url
    if page:
        known.append(safe_link(page, _host(page) or page))
    return f'<p class="source">{" · ".join(known)}</p>' if known else ""


def table(
    caption: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    css: str = "",
    *,
    stacked: bool = True,
) -> str:
    """A table that scrolls inside its own frame where it is wider than the page.

    On a phone the cells of a row stand below its header, each with its column's, if there are more
    than `MOST_BESIDE` columns.

    Args:
        caption: text.
        headers: HTML of the column headers.
        rows: HTML of the cells; the first of a row is the row's header.
        css: class of the frame.
        stacked: False for a matrix, which stays one on a phone too.
    """
    cells = [list(row) for row in rows]
    figures = [
        bool(cells) and all(_FIGURE.fullmatch(row[column]) for row in cells)
        for column in range(len(headers))
    ]
    marks = [' class="figure"' if figure else "" for figure in figures]
    names = [""] * len(headers)
    if stacked and len(headers) > MOST_BESIDE:
        css = f"stacked {css}".rstrip()
        names = [f' data-label="{_TAG.sub("", header)}"' for header in headers]
    head = "".join(
        f'<th scope="col"{mark}>{header}</th>' for mark, header in zip(marks, headers, strict=True)
    )
    kinds = [mark + name for mark, name in zip(marks, names, strict=True)]
    body = "\n".join(
        f'<tr><th scope="row"{names[0]}>{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in cells
    )
    name = escape(caption)
    return f"""<div class="scroll {css}" tabindex="0" role="region" aria-label="{name}">
<table>
<caption><span>{name}</span></caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>"""


def notices(*, rendered: bool, cautions: Iterable[str] = ()) -> str:
    """The warning that every page carries, and what else must be said of these photos."""
    said = [RENDERED, *cautions] if rendered else [*cautions]
    about = "".join(f'<p class="notice alarm" role="note">{escape(text)}</p>' for text in said)
    return f'{about}<p class="notice" role="note">{escape(WARNING)}</p>'


def verdict(right: bool) -> str:
    """The word "Right" or "Wrong" with its icon."""
    icon, word = ("yes", "Right") if right else ("no", "Wrong")
    return f'<svg aria-hidden="true"><use href="#{icon}"/></svg>{word}'


def bars(top: Iterable[tuple[str, float]], true: str) -> str:
    """Classes with their probabilities as a list of bars; the true class is marked."""
    lines = []
    for label, value in top:
        mark = (' class="true"', "True: ") if label == true else ("", "")
        lines.append(
            f"<li{mark[0]}><span>{mark[1]}{class_name(label)}</span><b>{percent(value)}</b>"
            f'<svg aria-hidden="true"><rect width="{100 * value:.0f}%" height="6"/></svg></li>'
        )
    return f'<ul class="bars">{"".join(lines)}</ul>'


def is_web_address(url: str) -> bool:
    """Whether a link to a stranger's address is safe: http or https, and not too long."""
    return bool(_host(url))


def _host(url: str) -> str:
    """The site that an address leads to, empty where a link to it would not be safe."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    plain = len(url) <= MAX_URL and url.isprintable() and " " not in url
    return host if plain and parts.scheme in ("http", "https") else ""


def _joined(found: re.Match[str]) -> str:
    """A percent sign that stays on the line of its number; anything else as it is."""
    return "\u00a0%" if found[0] == " %" else found[0]


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
