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
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from components.common import licences
from components.common.photo import Photo

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
SHADES = 4  # of a table's cells: classes right1 to right4 and wrong1 to wrong4

LIGHT = {
    "page": "#f5f4ef",
    "card": "#ffffff",
    "ink": "#1e2421",
    "muted": "#59615c",
    "line": "#dddbd2",
    "right": "#1b6b58",
    "wrong": "#a53c14",
    "notice": "#fdf1d3",
    "alarm": "#fbe3da",
}
DARK = {
    "page": "#141817",
    "card": "#1d2321",
    "ink": "#eae8e2",
    "muted": "#a8b0aa",
    "line": "#36403b",
    "right": "#6cc8ad",
    "wrong": "#f2986f",
    "notice": "#3b3014",
    "alarm": "#4a2416",
}

# Bidirectional overrides turn the text around them; "\u200e" and its kind are harmless.
_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FIGURE = re.compile(r"(under |over )?[\d,.]+( %)?")

_CSS = """
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; padding: 0 1rem 3rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}
body > header, main { max-width: 66rem; margin: 0 auto; }
body > header { padding: 2.5rem 0 1.25rem; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
h1 { margin: 0; font-size: clamp(1.6rem, 5vw, 2.3rem); letter-spacing: -.02em; }
h2 { margin: 2.75rem 0 .75rem; font-size: 1.3rem; letter-spacing: -.01em; }
h2 small { font-size: .95rem; font-weight: 400; color: var(--muted); letter-spacing: 0; }
h3 { margin: 0 0 .4rem; font-size: 1rem; }
p { margin: .5rem 0; max-width: 46rem; }
header p, .muted, caption { color: var(--muted); }
a { color: var(--right); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--right); outline-offset: 2px; }
.notice { max-width: none; margin: 0 0 .75rem; padding: .8rem 1rem; border-radius: 10px; }
.notice { background: var(--notice); border-left: 5px solid var(--muted); }
.alarm { background: var(--alarm); border-left-color: var(--wrong); font-weight: 600; }
.panel, .scroll, .card, .filter { border: 1px solid var(--line); border-radius: 14px; }
.panel, .scroll, .card, .filter { background: var(--card); }
.panel { margin: 1.25rem 0 0; padding: 1.25rem 1.4rem; }
.panel > :last-child { margin-bottom: 0; }
.hero { font-size: 1.2rem; }
.hero .big {
  display: block; font-size: clamp(3rem, 12vw, 4.5rem); line-height: 1.05; font-weight: 700;
  letter-spacing: -.04em; color: var(--right); font-variant-numeric: tabular-nums;
}
.interval, .mini { display: block; margin: 1rem 0 .4rem; overflow: visible; }
.interval text, .scale { font-size: .875rem; fill: var(--muted); color: var(--muted); }
.axis { stroke: var(--line); stroke-width: 6; }
.band { fill: var(--right); fill-opacity: .35; }
.dot { fill: var(--right); stroke: var(--card); stroke-width: 2; }
.chance { stroke: var(--muted); stroke-width: 2; stroke-dasharray: 3 3; }
.mini { width: 8rem; height: 14px; margin: 0; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .9rem; padding: .75rem 1rem .5rem; }
caption span { display: block; position: sticky; left: 1rem; max-width: min(60rem, 100vw - 5rem); }
th, td { padding: .5rem 1rem; text-align: left; border-top: 1px solid var(--line); }
thead th { font-size: .85rem; color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { position: sticky; left: 0; z-index: 1; background: var(--card); font-weight: 550; }
tbody th { max-width: 19rem; overflow-wrap: break-word; }
td, .whole { white-space: nowrap; }
.figure { text-align: right; }
.plain .figure { text-align: left; }
.plain td { white-space: normal; overflow-wrap: anywhere; min-width: 11rem; }
.confusion { width: fit-content; max-width: 100%; }
.confusion caption span { width: min(34rem, 100vw - 5rem); }
.confusion thead th { vertical-align: bottom; padding: .4rem 0; text-align: center; }
.confusion thead th:first-child { text-align: left; padding-left: 1rem; }
.confusion thead th + th > span {
  display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg);
  max-height: 9.5rem; overflow: hidden; text-overflow: ellipsis; font-weight: 600;
}
.confusion td { padding: 1px; border: 0; text-align: center; }
.confusion td > span { display: block; min-width: 2.6rem; padding: .5rem .3rem; }
.confusion tbody th { border: 0; padding-block: .3rem; }
.zero { color: var(--muted); font-size: .85rem; }
.cards { display: grid; gap: 1rem; margin: .75rem 0; padding: 0; list-style: none; }
.cards { grid-template-columns: repeat(auto-fill, minmax(min(25rem, 100%), 1fr)); }
.tiles { grid-template-columns: repeat(auto-fill, minmax(min(12.5rem, 100%), 1fr)); }
.card { display: flex; gap: 1rem; padding: .9rem; min-width: 0; font-size: .9rem; }
.card > div { flex: 1; min-width: 0; }
.card img, .nothing { flex: none; width: 8rem; height: 8rem; border-radius: 8px; }
.card img { object-fit: cover; }
.nothing { display: grid; place-items: center; border: 1px dashed var(--line); }
.dense { grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 100%), 1fr)); }
.tiles .card { flex-direction: column; gap: .6rem; overflow: hidden; padding: 0 0 .9rem; }
.tiles .card > div { padding: 0 .9rem; }
.tiles .card > :first-child { width: 100%; height: auto; aspect-ratio: 1; border-radius: 0; }
.tiles .right { border-top: 4px solid var(--right); }
.tiles .wrong { border: 1px solid var(--wrong); border-top-width: 4px; }
.verdict svg { width: 1.1em; height: 1.1em; margin-right: .35em; vertical-align: -.18em; }
.right .verdict { color: var(--right); }
.wrong .verdict { color: var(--wrong); }
.bars { margin: .35rem 0; padding: 0; list-style: none; fill: var(--muted); }
.bars li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .5rem; }
.bars li { margin-top: .35rem; font-size: .85rem; line-height: 1.35; }
.bars b { font-weight: 400; color: var(--muted); white-space: nowrap; }
.bars svg { grid-column: 1 / -1; width: 100%; height: 6px; background: var(--line); }
.bars span {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
}
.bars .true { fill: var(--right); color: var(--right); font-weight: 600; }
.source { margin: .5rem 0 0; font-size: .8rem; color: var(--muted); line-height: 1.4; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.filter { position: sticky; top: 0; z-index: 2; margin: 1.25rem 0 0; padding: .6rem 1rem; }
.filter { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; align-items: center; }
.filter fieldset { display: flex; flex-wrap: wrap; gap: 0 1rem; border: 0; margin: 0; padding: 0; }
.filter legend { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; }
.filter label { display: inline-flex; align-items: center; gap: .4rem; min-height: 2.25rem; }
.filter input { width: 1.1rem; height: 1.1rem; accent-color: var(--right); margin: 0; }
.filter select { font: inherit; padding: .25rem .4rem; max-width: min(15rem, 60vw); }
.filter output { color: var(--muted); margin-left: auto; }
@media (max-width: 30rem) {
  body { padding: 0 .75rem 2rem; }
  .panel { padding: 1rem; }
  th, td { padding: .45rem .65rem; }
  tbody th { max-width: 9rem; font-size: .9rem; }
  .confusion tbody th { max-width: 6.5rem; font-size: .8rem; padding-right: .2rem; }
  .confusion td > span { min-width: 2.1rem; padding-inline: 0; }
  .filter { position: static; }
  .card > img, .card > .nothing { width: 6rem; height: 6rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem; }
  .tiles .card > div { padding: 0 .6rem; }
}
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; font-size: 10pt; background: none; }
  .filter { display: none; }
  .scroll { overflow: visible; }
  .card, .panel, .confusion, tr { break-inside: avoid; }
  h2, h3, h2 + p, caption, thead { break-after: avoid; }
}
"""

_SHADES = "".join(
    f".{hue}{level} {{ background: color-mix(in srgb, var(--{hue}) {10 * level}%, var(--card)); }}"
    for hue in ("right", "wrong")
    for level in range(1, SHADES + 1)
)
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
    title: str, subtitle: str, body: str, *, script: str = "", css: str = "", connect: str = ""
) -> str:
    """One self-contained HTML5 file.

    Args:
        title: text, also of the window.
        subtitle: text below it.
        body: HTML.
        css: rules of this page beside those that all pages share.
        script: JavaScript, run when the page is there; the only one that the page's
            Content-Security-Policy lets run.
        connect: what the script may connect to, as the policy says it: "'self'" for the server that
            the page comes from, empty for a page that is a file.
    """
    style = _variables(LIGHT)
    style += f"@media screen and (prefers-color-scheme: dark) {{ {_variables(DARK)} }}"
    style += _CSS + _SHADES + css
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
</header>
<main>
{body}
</main>
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


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


def shortened(text: str) -> str:
    """The text as HTML, cut at `MAX_TEXT` characters."""
    return escape(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")


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
    caption: str, headers: Sequence[str], rows: Iterable[Sequence[str]], css: str = ""
) -> str:
    """A table that scrolls inside its own frame where it is wider than the page.

    Args:
        caption: text.
        headers: HTML of the column headers.
        rows: HTML of the cells; the first of a row is the row's header.
        css: class of the frame.
    """
    cells = [list(row) for row in rows]
    figures = [
        bool(cells) and all(_FIGURE.fullmatch(row[column]) for row in cells)
        for column in range(len(headers))
    ]
    marks = [' class="figure"' if figure else "" for figure in figures]
    head = "".join(
        f'<th scope="col"{mark}>{header}</th>' for mark, header in zip(marks, headers, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks[1:], row[1:], strict=True))
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
            f"<li{mark[0]}><span>{mark[1]}{escape(label)}</span><b>{percent(value)}</b>"
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


def _variables(colours: Mapping[str, str]) -> str:
    return f":root {{ {' '.join(f'--{name}: {value};' for name, value in colours.items())} }}"


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
