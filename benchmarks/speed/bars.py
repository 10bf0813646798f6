"""Bars beside one another, in groups, as an SVG file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from components.common.pages.chart import Size
from components.common.pages.plot import MARGIN, Drawing, drawing_file

BARS = Size("wide", 960, 0, 15)  # as high as there are bars


@dataclass(frozen=True)
class Bar:
    """A bar beside others; `length` is 0 to 1, `kind` its class, the others are text."""

    name: str
    length: float
    remark: str
    kind: str


def bars_file(description: str, groups: Iterable[tuple[str, Sequence[Bar]]]) -> str:
    """Bars as a file of its own.

    Args:
        description: what they show, for people who do not see them; text.
        groups: titles, each with the bars below it.
    """
    left, right, bar_height, row, gap = 380, 220, 16, 22, 30
    drawing = Drawing(description, BARS)
    y = 10
    for title, bars in groups:
        y += gap
        drawing.text((10, y), title, "start", "title")
        for bar in bars:
            y += row
            end, top = left + (BARS.width - left - right) * bar.length, y - 13
            drawing.path(f"bar {bar.kind}", f"M{left} {top}H{end:.1f}V{top + bar_height}H{left}Z")
            drawing.text((left - MARGIN, y), bar.name, "end")
            drawing.text((round(end + 6, 1), y), bar.remark, "start")
    return drawing_file(replace(drawing, size=replace(BARS, height=y + gap)))
