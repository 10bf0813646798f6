"""Line charts as SVG: part of a page, or a file of its own; no library, no script.

A chart is 480 units wide, so that its text can still be read where a phone shows it at 340 pixels.
Lines differ by colour and by dashes.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.common.pages.report import escape
from components.common.pages.report_style import DARK, LIGHT

WIDTH, HEIGHT = 480, 330
LEFT, RIGHT, BOTTOM = 60, 26, 54
LEGEND_ROW = 24
TEXT = 15  # pixels
LETTER = 0.56 * TEXT  # about the mean width of a letter
NAMES_APART = 6
NAMES_ROW = 17
# A text's letters reach so far above and below its base line; marks, which are drawn thick, shall
# keep so far away from it to the sides and from its height.
ABOVE, BELOW = 12, 4
ASIDE, APART = 9, 3
KINDS = ("first", "second", "third", "fourth")

# Where the page has no colours of ours (a file of its own), `svg_file` says which.
CSS = f"""
.lines {{ display: block; width: 100%; max-width: 36rem; height: auto; }}
.lines text {{ font-size: {TEXT}px; fill: var(--muted); }}
.lines .legend {{ fill: var(--ink); }}
.lines .grid {{ stroke: var(--line); stroke-width: 1; fill: none; }}
.lines .curve {{ stroke-width: 3; stroke-linejoin: round; stroke-linecap: round; fill: none; }}
.lines .first {{ stroke: var(--right); }}
.lines .second {{ stroke: var(--wrong); stroke-dasharray: 9 6; }}
.lines .third {{ stroke: var(--ink); stroke-dasharray: 1 7; }}
.lines .fourth {{ stroke: var(--muted); stroke-dasharray: 14 5 3 5; }}
.lines .band {{ fill: var(--right); fill-opacity: .2; stroke: none; }}
.lines .whisker {{ stroke: var(--right); stroke-width: 1.5; fill: none; }}
.lines .point {{ fill: var(--right); stroke: var(--card); stroke-width: 1.5; }}
.lines .level {{ stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 4 4; fill: none; }}
"""
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    Attributes:
        label: what it means; text.
        low: value at its start.
        high: value at its end.
        ticks: values that are named, with their names. Where two would touch on the horizontal
            axis, one goes into a second row; where that is full too, it is left out.
        logarithmic: equal factors take equal room; `low` is above 0 then.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value is, 0 at the start to 1 at the end; what lies outside goes to the edge."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
        return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: for the legend; text. Without any name there is no legend.
        points: (x, y), in order of x.
        band: (x, low, high), a range that is shaded.
        whiskers: (x, low, high), intervals.
        dots: mark the points.
    """

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()
    whiskers: Sequence[tuple[float, float, float]] = ()
    dots: bool = False


def svg(
    description: str,
    across: Axis,
    up: Axis,
    lines: Sequence[Line],
    level: tuple[float, str] | None = None,
) -> str:
    """The chart as an element for a page that has `CSS`.

    Args:
        description: what it shows, for people who do not see it; text.
        across: the horizontal axis.
        up: the vertical axis.
        lines: at most four.
        level: a horizontal line with its name, such as what guessing would reach.
    """
    legend, top = _legend([line.name for line in lines])
    frame = _Frame(across, up, top)
    marks = [frame.grid(), *legend]
    if level:
        marks.append(frame.level(*level, lines))
    marks += [frame.band(line) for line in lines if line.band]
    for number, line in enumerate(lines):
        marks.append(frame.curve(line, KINDS[number]))
    return (
        f'<svg class="lines" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(description)}">{"".join(marks)}</svg>'
    )


def svg_file(element: str) -> str:
    """What `svg` returned as a file of its own, which follows a dark screen."""
    rules = CSS
    dark = CSS
    for name, colour in LIGHT.items():
        rules = rules.replace(f"var(--{name})", colour)
        dark = dark.replace(f"var(--{name})", DARK[name])
    style = (
        f"text {{ font-family: {_FONT}; }} .paper {{ fill: {LIGHT['card']}; }} {rules}"
        f"@media (prefers-color-scheme: dark) {{ .paper {{ fill: {DARK['card']}; }} {dark} }}"
    )
    size = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
    opened, closed, drawing = element.partition(">")
    return (
        f"{opened.replace('<svg ', f'<svg {size}', 1)}{closed}\n<style>{style}</style>\n"
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="10"/>\n{drawing}\n'
    )


def share_axis(label: str, low: float = 0.0) -> Axis:
    """An axis of shares of 1 from `low` on, named in percent."""
    step = 0.2 if low < 0.4 else 0.1
    ticks = [number * step for number in range(math.ceil(low / step), round(1 / step) + 1)]
    return Axis(label, low, 1.0, [(tick, f"{round(100 * tick)} %") for tick in ticks])


class _Frame:
    """Draws in the room between the legend and the scales."""

    def __init__(self, across: Axis, up: Axis, top: float) -> None:
        self._across, self._up = across, up
        self._top = top
        self._names = self._in_rows(across.ticks)
        rows = 1 + max((row for _, _, row in self._names), default=0)
        self._bottom = HEIGHT - BOTTOM - NAMES_ROW * (rows - 1)

    def _x(self, value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * self._across.place(value), 1)

    def _y(self, value: float) -> float:
        return round(self._bottom - (self._bottom - self._top) * self._up.place(value), 1)

    def grid(self) -> str:
        """Scales, their names, and lines at the named values."""
        path, texts = [], []
        for x, name, row in self._names:
            path.append(f"M{x:g} {self._top:g}V{self._bottom}")
            texts.append(_text(x, self._bottom + 20 + NAMES_ROW * row, "middle", name))
        for value, name in self._up.ticks:
            y = self._y(value)
            path.append(f"M{LEFT} {y:g}H{WIDTH - RIGHT}")
            texts.append(_text(LEFT - 8, y + 5, "end", name))
        middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
        texts.append(_text(middle, HEIGHT - 10, "middle", self._across.label))
        texts.append(_text(8, self._top - 17, "start", self._up.label))
        return f'<path class="grid" d="{"".join(path)}"/>{"".join(texts)}'

    def _in_rows(self, ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str, int]]:
        """Where the names of the horizontal axis go; of two that touch the larger is in row 0."""
        begun = [math.inf, math.inf]  # where the leftmost name of each row begins
        placed = []
        for value, name in sorted(ticks, reverse=True):
            x, half = self._x(value), LETTER * len(name) / 2
            row = next((row for row, left in enumerate(begun) if x + half <= left), None)
            if row is not None:
                begun[row] = x - half - NAMES_APART
                placed.append((x, name, row))
        return placed[::-1]

    def level(self, value: float, name: str, lines: Sequence[Line]) -> str:
        """A dashed horizontal line with its name above or below it, where the fewest marks lie."""
        y, width = self._y(value), math.ceil(LETTER * len(name))
        strong = [at for line in lines for at in self._sampled(line.points, *_uprights(line))]
        faint = [at for line in lines for at in self._sampled(*_edges(line))]

        def covered(place: tuple[float, float]) -> int:
            right, base = place
            return sum(
                weight
                for weight, marks in ((10, strong), (1, faint))
                for x, at in marks
                if right - width - ASIDE < x < right + ASIDE
                and base - ABOVE - APART < at < base + BELOW + APART
            )

        rights = range(WIDTH - RIGHT - 4, LEFT + 4 + width - 1, -8)
        bases = [
            base for base in (y - 6, y + 18) if self._top + ABOVE < base < self._bottom - BELOW
        ]
        last = (WIDTH - RIGHT - 4, y - 6)
        places = [(right, base) for base in bases for right in rights]
        right, base = min(places, key=covered, default=last)
        return f'<path class="level" d="M{LEFT} {y:g}H{WIDTH - RIGHT}"/>' + _text(
            right, base, "end", name
        )

    def _sampled(self, *paths: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Places on the drawn paths, at most 4 pixels from one to the next."""
        found = []
        for path in paths:
            drawn = [(self._x(x), self._y(y)) for x, y in path]
            for (x1, y1), (x2, y2) in itertools.pairwise(drawn):
                parts = math.ceil(math.dist((x1, y1), (x2, y2)) / 4) or 1
                shares = [part / parts for part in range(parts + 1)]
                found += [(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share) for share in shares]
        return found

    def band(self, line: Line) -> str:
        """The shaded range of a line."""
        upper = [f"{self._x(x):g} {self._y(high):g}" for x, _, high in line.band]
        lower = [f"{self._x(x):g} {self._y(low):g}" for x, low, _ in reversed(line.band)]
        return f'<path class="band" d="M{"L".join(upper + lower)}Z"/>'

    def curve(self, line: Line, kind: str) -> str:
        """A line with its intervals and points."""
        places = [(self._x(x), self._y(y)) for x, y in line.points]
        marks = [self._whisker(*interval) for interval in line.whiskers]
        joined = "L".join(f"{x:g} {y:g}" for x, y in places)
        marks.append(f'<path class="curve {kind}" d="M{joined}"/>')
        if line.dots:
            marks += [f'<circle class="point" cx="{x:g}" cy="{y:g}" r="5.5"/>' for x, y in places]
        return "".join(marks)

    def _whisker(self, x: float, low: float, high: float) -> str:
        """An interval as an upright line with ends."""
        at, bottom, top = self._x(x), self._y(low), self._y(high)
        ends = "".join(f"M{at - 5:g} {y:g}h10" for y in (bottom, top))
        return f'<path class="whisker" d="M{at:g} {bottom:g}V{top:g}{ends}"/>'


def _uprights(line: Line) -> list[list[tuple[float, float]]]:
    """The intervals of a line as paths."""
    return [[(x, low), (x, high)] for x, low, high in line.whiskers]


def _edges(line: Line) -> list[list[tuple[float, float]]]:
    """The edges of a line's shaded range as paths."""
    return [[(x, low) for x, low, _ in line.band], [(x, high) for x, _, high in line.band]]


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(names: Sequence[str]) -> tuple[list[str], float]:
    """The legend's marks, and where the room for the lines begins below it."""
    if not any(names):
        return [], 40.0
    marks: list[str] = []
    x, y = 8.0, 20.0
    for kind, name in zip(KINDS, names, strict=False):
        needed = 38 + LETTER * len(name)
        if x > 8 and x + needed > WIDTH - 8:
            x, y = 8.0, y + LEGEND_ROW
        marks.append(
            f'<path class="curve {kind}" d="M{x:g} {y - 5:g}h28"/>'
            f'<text class="legend" x="{x + 36:g}" y="{y:g}">{escape(name)}</text>'
        )
        x += needed + 14
    return marks, y + 2 * LEGEND_ROW + 4


def thinned(points: Iterable[tuple[float, float]], most: int = 150) -> list[tuple[float, float]]:
    """At most about `most` of the points, evenly, the last one always."""
    listed = list(points)
    step = max(1, len(listed) // most)
    kept = listed[::step]
    return kept if kept[-1:] == listed[-1:] else [*kept, listed[-1]]
