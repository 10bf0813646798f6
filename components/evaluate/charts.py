"""Charts as inline SVG: no library, no script, no style attribute, colours of the page's theme."""

from collections.abc import Iterable, Sequence

from components.common.pages.report import escape

# Pixels of a chart at its full width; it shrinks with the page.
LEFT, TOP, SIDE, RIGHT, BOTTOM = 46, 12, 260, 14, 44
WIDTH, HEIGHT = LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM
TICKS = (0, 25, 50, 75, 100)

CSS = """
.charts { display: grid; gap: 1rem; margin: .75rem 0; padding: 0; list-style: none; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 22rem)); }
.chart { margin: 0; padding: .9rem; border: 1px solid var(--line); border-radius: 14px; }
.chart { background: var(--card); min-width: 0; break-inside: avoid; }
.chart figcaption { font-size: .9rem; line-height: 1.4; margin-bottom: .5rem; }
.chart figcaption b { display: block; font-weight: 600; }
.chart figcaption span { color: var(--muted); }
.chart svg { display: block; width: 100%; height: auto; }
.chart text { font-size: 12px; fill: var(--muted); }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .ideal { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 4 4; fill: none; }
.chart .curve { stroke: var(--right); stroke-width: 2.5; stroke-linejoin: round; fill: none; }
.chart .under { fill: var(--right); fill-opacity: .12; }
.chart .column { fill: var(--muted); fill-opacity: .22; }
.chart .whisker { stroke: var(--right); stroke-width: 2; }
.chart .point { fill: var(--right); stroke: var(--card); stroke-width: 1.5; }
.pairs { grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); }
.pair { display: grid; gap: .75rem; }
.pair { grid-template-columns: repeat(auto-fit, minmax(min(12rem, 100%), 1fr)); }
.pair text { font-size: 14.5px; }
"""


def plot(description: str, across: str, up: str, marks: Iterable[str]) -> str:
    """A square from 0 to 100 % both ways, with its scales and what is drawn in it.

    Args:
        description: what it shows, for people who do not see it; text.
        across: what the horizontal axis means; text.
        up: what the vertical axis means; text.
        marks: SVG.
    """
    grid, numbers = [], []
    for tick in TICKS:
        x, y = _x(tick / 100), _y(tick / 100)
        grid.append(f"M{x} {TOP}V{TOP + SIDE}M{LEFT} {y}H{LEFT + SIDE}")
        numbers.append(f'<text x="{x}" y="{TOP + SIDE + 17}" text-anchor="middle">{tick}</text>')
        numbers.append(f'<text x="{LEFT - 7}" y="{y + 4:g}" text-anchor="end">{tick}</text>')
    middle = LEFT + SIDE / 2
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description)}">'
        f'<path class="grid" d="{"".join(grid)}"/>{"".join(numbers)}'
        f'<text x="{middle:g}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>'
        f'<text transform="rotate(-90)" x="{-(TOP + SIDE / 2):g}" y="13" text-anchor="middle">'
        f"{escape(up)}</text>{''.join(marks)}</svg>"
    )


def curve(points: Sequence[tuple[float, float]], css: str = "curve") -> str:
    """A line through points, each 0 to 1 both ways."""
    return f'<path class="{css}" d="{_path(points)}"/>'


def area(points: Sequence[tuple[float, float]]) -> str:
    """What lies under a line, down to the axis."""
    closed = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
    return f'<path class="under" d="{_path(closed)}Z"/>'


def stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of a stepped line from 0 on: each value holds back to the point before."""
    stepped = [(0.0, points[0][1])]
    for x, y in points:
        stepped += [(stepped[-1][0], y), (x, y)]
    return stepped


def dot(x: float, y: float) -> str:
    """A point, 0 to 1 both ways."""
    return f'<circle class="point" cx="{_x(x)}" cy="{_y(y)}" r="5"/>'


def whisker(x: float, low: float, high: float) -> str:
    """An interval as an upright line with ends."""
    at = _x(x)
    ends = "".join(f"M{at - 4:g} {_y(y)}H{at + 4:g}" for y in (low, high))
    return f'<path class="whisker" d="M{at} {_y(low)}V{_y(high)}{ends}"/>'


def column(low: float, high: float, height: float) -> str:
    """A bar that stands on the horizontal axis, from `low` to `high`."""
    left, width, top = _x(low) + 1, (high - low) * SIDE - 2, _y(height)
    return (
        f'<rect class="column" x="{left:g}" width="{width:g}" y="{top}" '
        f'height="{TOP + SIDE - top:g}"/>'
    )


def figure(title: str, note: str, drawing: str) -> str:
    """A chart in its frame, as an item of a list with the class `charts`.

    Args:
        title: HTML.
        note: HTML, below the title.
        drawing: HTML.
    """
    caption = f"<figcaption><b>{title}</b> <span>{note}</span></figcaption>"
    return f'<figure class="chart">{caption}{drawing}</figure>'


def _x(value: float) -> float:
    return round(LEFT + SIDE * value, 1)


def _y(value: float) -> float:
    return round(TOP + SIDE * (1 - value), 1)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """The points as a path, without those that nobody could see."""
    drawn: list[tuple[float, float]] = []
    for x, y in points:
        here = (_x(x), _y(y))
        if drawn and here == drawn[-1]:
            continue
        if len(drawn) > 1 and _lies_between(drawn[-2], drawn[-1], here):
            drawn.pop()
        drawn.append(here)
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in drawn)


def _lies_between(
    before: tuple[float, float], middle: tuple[float, float], after: tuple[float, float]
) -> bool:
    """True for the middle one of three points on one upright or level line, in this order."""
    level = before[1] == middle[1] == after[1] and before[0] <= middle[0] <= after[0]
    upright = before[0] == middle[0] == after[0]
    rising, falling = before[1] >= middle[1] >= after[1], before[1] <= middle[1] <= after[1]
    return level or (upright and (rising or falling))
