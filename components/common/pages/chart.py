"""What a chart shows: axes, lines and columns. plot.py draws it.

Places are values of the axes. Lines differ by colour and by dashes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Interval = tuple[float, float, float]  # x, low, high


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
        points: (x, y), in order of x; empty where only intervals and dots are drawn.
        name: for the legend; text. Without any name there is no legend.
        band: (x, low, high), a range that is shaded.
        whiskers: (x, low, high), intervals.
        dots: (x, y), points that are marked.
        area: shade what lies below the line.
    """

    points: Sequence[Point]
    name: str = ""
    band: Sequence[Interval] = ()
    whiskers: Sequence[Interval] = ()
    dots: Sequence[Point] = ()
    area: bool = False


@dataclass(frozen=True)
class Size:
    """How large a chart is, in its units, and its text; `css` is its class."""

    css: str
    width: int
    height: int
    text: int

    def length(self, text: str) -> float:
        """About how long a text is: a letter is 0.56 times as wide as it is high, in the mean."""
        return 0.56 * self.text * len(text)


WIDE = Size("wide", 480, 330, 15)
SQUARE = Size("square", 320, 346, 14)


@dataclass(frozen=True)
class Chart:
    """What a chart shows.

    Attributes:
        description: in words, for people who do not see it; text.
        across: the horizontal axis.
        up: the vertical axis.
        lines: at most four.
        columns: (low, high, height), bars that stand on the horizontal axis from low to high.
        reference: a dashed line to compare with, such as what guessing would reach.
        reference_name: what a level one is; text.
        size: `WIDE` or `SQUARE`.
    """

    description: str
    across: Axis
    up: Axis
    lines: Sequence[Line]
    columns: Sequence[Interval] = ()
    reference: Sequence[Point] = ()
    reference_name: str = ""
    size: Size = WIDE


def share_axis(label: str) -> Axis:
    """An axis of shares of 1, named in percent."""
    return Axis(label, 0.0, 1.0, [(tick / 100, f"{tick} %") for tick in range(0, 101, 20)])


def quarters_axis(label: str) -> Axis:
    """An axis of shares of 1 whose label says that they are percent."""
    return Axis(label, 0.0, 1.0, [(tick / 100, str(tick)) for tick in range(0, 101, 25)])


def round_ticks(most: float, *, whole: bool = False) -> list[float]:
    """Round values from 0 on, three to six of them, the last at `most` or just below it.

    Args:
        most: above 0.
        whole: no fractions.
    """
    power = 10.0 ** math.floor(math.log10(most / 5))
    unit = next(power * factor for factor in (1, 2, 5, 10) if most / (power * factor) <= 5.5)
    unit = max(unit, 1.0) if whole else unit
    return [unit * number for number in range(math.floor(most / unit + 1e-9) + 1)]


def stairs(points: Sequence[Point]) -> list[Point]:
    """Points of a stepped line from 0 on: each value holds back to the point before."""
    stepped = [(0.0, points[0][1])]
    for x, y in points:
        stepped += [(stepped[-1][0], y), (x, y)]
    return stepped
