"""The style that all HTML pages share: colours of a light and of a dark screen, and their rules."""

from collections.abc import Mapping

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

_CSS = """
* { box-sizing: border-box; }
body > svg, main > svg { position: absolute; }
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
p { margin: .5rem 0; max-width: 46rem; text-wrap: pretty; }
header p, .muted, caption { color: var(--muted); }
.identity { margin: .25rem 0 0; font-size: .875rem; }
.run { max-width: 66rem; margin: 0 auto; padding-top: .9rem; }
.run { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
.run + svg + header { padding-top: 1rem; }
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
.scroll {
  --shadow: color-mix(in srgb, var(--ink) 30%, transparent), transparent;
  background:
    linear-gradient(to right, var(--card) 40%, transparent) 0 0 / 2rem 100% no-repeat local,
    linear-gradient(to left, var(--card) 40%, transparent) 100% 0 / 2rem 100% no-repeat local,
    linear-gradient(to right, var(--shadow)) 0 0 / .6rem 100% no-repeat,
    linear-gradient(to left, var(--shadow)) 100% 0 / .6rem 100% no-repeat, var(--card);
}
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .9rem; padding: .75rem 1rem .5rem; }
caption span { display: block; position: sticky; left: 1rem; max-width: min(60rem, 100vw - 5rem); }
th, td { padding: .5rem 1rem; text-align: left; border-top: 1px solid var(--line); }
thead th { font-size: .85rem; color: var(--muted); font-weight: 600; vertical-align: bottom; }
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
  display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg); line-height: 1.2;
  max-height: 11rem; overflow-wrap: anywhere; white-space: normal; text-align: left;
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
.bars span { overflow-wrap: anywhere; }
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
@media (min-width: 30.01rem) and (max-width: 66rem) {
  th, td { padding-inline: .7rem; }
  th:first-child { padding-left: 1rem; }
}
@media (max-width: 30rem) {
  body { padding: 0 .75rem 2rem; }
  .panel { padding: 1rem; }
  th, td { padding: .45rem .65rem; }
  tbody th { max-width: 9rem; font-size: .9rem; }
  .confusion tbody th { max-width: 8rem; font-size: .75rem; padding-right: .2rem; }
  .confusion td > span { min-width: 2.1rem; padding-inline: 0; }
  .filter { position: static; }
  .card > img, .card > .nothing { width: 6rem; height: 6rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem; }
  .tiles .card > div { padding: 0 .6rem; }
  .tiles .bars span { grid-column: 1 / -1; }
  .tiles .bars b { grid-area: 2 / 2; }
  .tiles .bars svg { grid-area: 2 / 1; align-self: center; }
}
@media screen and (max-width: 37.5rem) {
  body > header { padding-top: 1.5rem; }
  .stacked table, .stacked tbody, .stacked caption { display: block; }
  .stacked thead { position: absolute; clip-path: inset(50%); }
  .stacked tr { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .stacked tr { gap: .4rem .6rem; padding: .7rem 1rem; border-top: 1px solid var(--line); }
  .stacked tr > * { display: block; position: static; max-width: none; min-width: 0; }
  .stacked tr > * { padding: 0; border: 0; text-align: left; white-space: normal; }
  .stacked.four tr { grid-template-columns: repeat(4, minmax(0, 1fr)); }
  .stacked td { font-size: .9rem; }
  .stacked tbody th { grid-column: 1 / -1; font-size: 1rem; }
  .stacked tr > *::before { content: attr(data-label); display: block; font-weight: 400; }
  .stacked tr > *::before { font-size: .75rem; line-height: 1.3; color: var(--muted); }
  .stacked td:empty { display: none; }
  .stacked .mini { width: 100%; margin-top: .3rem; }
}
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; font-size: 10pt; background: none; }
  .filter, .run { display: none; }
  .scroll { overflow: visible; background: none; }
  .card, .panel, .confusion, tr { break-inside: avoid; }
  h2, h3, h2 + p, caption, thead { break-after: avoid; }
}
"""

_SHADES = "".join(
    f".{hue}{level} {{ background: color-mix(in srgb, var(--{hue}) {10 * level}%, var(--card)); }}"
    for hue in ("right", "wrong")
    for level in range(1, SHADES + 1)
)


def _variables(colours: Mapping[str, str]) -> str:
    return f":root {{ {' '.join(f'--{name}: {value};' for name, value in colours.items())} }}"


STYLE = (
    f"{_variables(LIGHT)}"
    f"@media screen and (prefers-color-scheme: dark) {{ {_variables(DARK)} }}"
    f"{_CSS}{_SHADES}"
)
