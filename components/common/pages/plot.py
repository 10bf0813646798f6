"""Charts as SVG: part of a page, or a file of its own; no library, no script, no style attribute.

A chart is placed in units that are pixels at its full width; its text can still be read where a
phone shows it at two thirds of that. charts.html writes the SVG, plot.css has its colours.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from components.common.base.shares import Share
from components.common.pages import page
from components.common.pages.chart import Chart, Point, Size

MARGIN, BOTTOM = 8, 54
LEGEND_ROW = 24
NAMES_APART = 6
NAMES_ROW = 17
# A text's letters reach so far above and below its base line; marks, which are drawn thick, shall
# keep so far away from it to the sides and from its height.
ABOVE, BELOW = 12, 4
ASIDE, APART = 9, 3
_VARIABLE = re.compile(r"var\(--(\w+)\)")
KINDS = ("first", "second", "third", "fourth")  # classes of lines


def svg(chart: Chart) -> Markup:
    """The chart as an element for a page."""
    return page.part("charts", "chart", _Frame(chart).drawing)


def svg_file(chart: Chart) -> str:
    """The chart as a file of its own, which follows a dark screen."""
    return drawing_file(_Frame(chart).drawing)


def mini_interval(share: Share) -> Markup:
    """A share and its interval on a scale from 0 to 1, for a cell of a table."""
    return page.part("charts", "mini_interval", share)


@dataclass(frozen=True)
class _Text:
    x: str
    y: str
    anchor: str
    css: str
    text: str


@dataclass(frozen=True)
class Drawing:
    """What a chart is drawn of, in this order: paths with their classes, dots, and texts."""

    description: str
    size: Size
    paths: list[tuple[str, str]] = field(default_factory=list)
    dots: list[tuple[str, str]] = field(default_factory=list)
    texts: list[_Text] = field(default_factory=list)

    def path(self, css: str, path: str) -> None:
        """Add a path."""
        self.paths.append((css, path))

    def dot(self, place: Point) -> None:
        """Add a dot."""
        self.dots.append((f"{place[0]:g}", f"{place[1]:g}"))

    def text(self, place: Point, text: str, anchor: str, css: str = "") -> None:
        """Add a text that begins, ends or has its middle (start, end, middle) at a place."""
        self.texts.append(_Text(f"{place[0]:g}", f"{place[1]:g}", anchor, css, text))


class _Frame:
    """Draws a chart into the room between its legend and its scales."""

    def __init__(self, chart: Chart) -> None:
        self._chart, self._size = chart, chart.size
        self.drawing = Drawing(chart.description, chart.size)
        # The names of the vertical axis take their room, and half of the horizontal one's last.
        self._left = 2 * MARGIN + max(self._size.length(name) for _, name in chart.up.ticks)
        self._right = chart.size.width - MARGIN - self._size.length(chart.across.ticks[-1][1]) / 2
        self._top = self._legend()
        names = self._in_rows(chart.across.ticks)
        rows = 1 + max((row for _, _, row in names), default=0)
        self._bottom = self._size.height - BOTTOM - NAMES_ROW * (rows - 1)
        self._scales(names)
        self._marks()

    def _place(self, point: Point) -> Point:
        """Where a point of the chart is in the drawing."""
        across, up = self._chart.across.place(point[0]), self._chart.up.place(point[1])
        x = self._left + (self._right - self._left) * across
        y = self._bottom - (self._bottom - self._top) * up
        return round(x, 1), round(y, 1)

    def _legend(self) -> float:
        """Draw the legend; where the room for the lines begins below it."""
        names = [line.name for line in self._chart.lines]
        if not any(names):
            return 40.0
        x, y = float(MARGIN), 20.0
        for kind, name in zip(KINDS, names, strict=False):
            needed = 38 + self._size.length(name)
            if x > MARGIN and x + needed > self._size.width - MARGIN:
                x, y = float(MARGIN), y + LEGEND_ROW
            self.drawing.path(f"curve {kind}", f"M{x:g} {y - 5:g}h28")
            self.drawing.text((x + 36, y), name, "start", "legend")
            x += needed + 14
        return y + 2 * LEGEND_ROW + 4

    def _in_rows(self, ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str, int]]:
        """Where the names of the horizontal axis go; of two that touch the larger is in row 0."""
        begun = [math.inf, math.inf]  # where the leftmost name of each row begins
        placed = []
        for value, name in sorted(ticks, reverse=True):
            across = self._chart.across.place(value)
            x = round(self._left + (self._right - self._left) * across, 1)
            half = self._size.length(name) / 2
            row = next((row for row, left in enumerate(begun) if x + half <= left), None)
            if row is not None:
                begun[row] = x - half - NAMES_APART
                placed.append((x, name, row))
        return placed[::-1]

    def _scales(self, names: Sequence[tuple[float, str, int]]) -> None:
        """Names of the scales, and lines at the named values."""
        grid = []
        for x, name, row in names:
            grid.append(f"M{x:g} {self._top:g}V{self._bottom:g}")
            self.drawing.text((x, self._bottom + 20 + NAMES_ROW * row), name, "middle")
        for value, name in self._chart.up.ticks:
            _, y = self._place((0, value))
            grid.append(f"M{self._left:g} {y:g}H{self._right:g}")
            self.drawing.text((self._left - MARGIN, y + 5), name, "end")
        self.drawing.path("grid", "".join(grid))
        middle = (self._left + self._right) / 2
        label = self._chart.across.label
        self.drawing.text((middle, self._size.height - 10), label, "middle")
        self.drawing.text((MARGIN, self._top - 17), self._chart.up.label, "start")

    def _marks(self) -> None:
        """Everything between the scales, what is shaded first."""
        lines = self._chart.lines
        for low, high, height in self._chart.columns:
            (left, bottom), (right, top) = self._place((low, 0)), self._place((high, height))
            self.drawing.path(
                "column", f"M{left + 1:g} {bottom:g}V{top:g}H{right - 1:g}V{bottom:g}Z"
            )
        for line in lines:
            if line.band:
                above = [(x, high) for x, _, high in line.band]
                below = [(x, low) for x, low, _ in reversed(line.band)]
                self.drawing.path("band", f"{self._path(above + below)}Z")
            if line.area:
                (first, _), (last, _) = line.points[0], line.points[-1]
                floor = self._chart.up.low
                area = [(first, floor), *line.points, (last, floor)]
                self.drawing.path("area", f"{self._path(area)}Z")
        if self._chart.reference:
            self._reference()
        for kind, line in zip(KINDS, lines, strict=False):
            for interval in line.whiskers:
                self._whisker(*interval)
            if line.points:
                self.drawing.path(f"curve {kind}", self._path(line.points))
            for dot in line.dots:
                self.drawing.dot(self._place(dot))

    def _whisker(self, x: float, low: float, high: float) -> None:
        """An interval as an upright line with ends."""
        (at, bottom), (_, top) = self._place((x, low)), self._place((x, high))
        ends = "".join(f"M{at - 5:g} {y:g}h10" for y in (bottom, top))
        self.drawing.path("whisker", f"M{at:g} {bottom:g}V{top:g}{ends}")

    def _reference(self) -> None:
        """The dashed line, its name above or below it where the fewest marks lie."""
        chart = self._chart
        self.drawing.path("reference", self._path(chart.reference))
        if not chart.reference_name:
            return
        _, y = self._place(chart.reference[0])
        width = math.ceil(self._size.length(chart.reference_name))
        strong, faint = self._drawn()

        def covered(place: Point) -> int:
            right, base = place
            return sum(
                weight
                for weight, marks in ((10, strong), (1, faint))
                for x, at in marks
                if right - width - ASIDE < x < right + ASIDE
                and base - ABOVE - APART < at < base + BELOW + APART
            )

        last = math.floor(self._right) - 4
        rights = range(last, math.ceil(self._left) + 4 + width - 1, -8)
        bases = [
            base for base in (y - 6, y + 18) if self._top + ABOVE < base < self._bottom - BELOW
        ]
        places = [(right, base) for base in bases for right in rights]
        place = min(places, key=covered, default=(last, y - 6))
        self.drawing.text(place, chart.reference_name, "end")

    def _drawn(self) -> tuple[list[Point], list[Point]]:
        """Places on lines and intervals, and places on the edges of what is shaded."""
        strong, faint = [], []
        for line in self._chart.lines:
            strong += self._sampled(line.points)
            for x, low, high in line.whiskers:
                strong += self._sampled([(x, low), (x, high)])
            faint += self._sampled([(x, low) for x, low, _ in line.band])
            faint += self._sampled([(x, high) for x, _, high in line.band])
        return strong, faint

    def _sampled(self, points: Sequence[Point]) -> list[Point]:
        """Places on a drawn path, at most 4 units from one to the next."""
        places = []
        for (x1, y1), (x2, y2) in itertools.pairwise(map(self._place, points)):
            parts = math.ceil(math.dist((x1, y1), (x2, y2)) / 4) or 1
            shares = [part / parts for part in range(parts + 1)]
            places += [(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share) for share in shares]
        return places

    def _path(self, points: Sequence[Point]) -> str:
        """A line through points, without those that nobody could see."""
        drawn: list[Point] = []
        for here in map(self._place, points):
            if drawn and here == drawn[-1]:
                continue
            if len(drawn) > 1 and _lies_between(drawn[-2], drawn[-1], here):
                drawn.pop()
            drawn.append(here)
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in drawn)


def _lies_between(before: Point, middle: Point, after: Point) -> bool:
    """True for the middle one of three points on one upright or level line, in this order."""
    level = before[1] == middle[1] == after[1] and before[0] <= middle[0] <= after[0]
    upright = before[0] == middle[0] == after[0]
    rising, falling = before[1] >= middle[1] >= after[1], before[1] <= middle[1] <= after[1]
    return level or (upright and (rising or falling))


def drawing_file(drawing: Drawing) -> str:
    """A drawing with its style, for programs that know no variables in styles."""
    light, dark = map(_with_colours, page.colours())
    style = Markup(f"{light}@media (prefers-color-scheme: dark) {{ {dark} }}")  # noqa: S704
    return f"{page.part('charts', 'chart', drawing, style)}\n"


def _with_colours(colours: Mapping[str, str]) -> str:
    """The style of charts with colours in place of their names."""
    return _VARIABLE.sub(lambda variable: colours[variable[1]], page.style("plot"))
