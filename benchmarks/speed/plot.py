"""Pictures of the measured rows and of growth, as SVG that stands alone."""

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.speed.frame import OURS, Row
from components.common.pages.report import escape

WIDTH, BAR, GAP, LEFT, RIGHT = 960, 16, 26, 330, 190
STYLE = (
    "text{font:12px sans-serif;fill:#222}.title{font-weight:600}.ours{fill:#2a7f4f}"
    ".peer{fill:#b8b8b8}.limit{fill:none;stroke:#666}.missed{fill:#b3261e}.grid{stroke:#ddd}"
    ".line{fill:none;stroke-width:2}.ideal{fill:none;stroke:#999;stroke-dasharray:4 4}"
)
COLOURS = ("#2a7f4f", "#1f5fa8", "#b3641e", "#7a3f9d")


def rows(given: Sequence[Row]) -> str:
    """A bar for each way, its length the speed beside the fastest way of its row."""
    drawn, y = [], 10
    for row in given:
        if len(row.series) < 2:
            continue
        y += GAP
        drawn.append(f'<text class="title" x="10" y="{y}">{escape(row.work)}</text>')
        speeds = [1 / statistics.median(one.seconds) for one in row.series]
        for one, speed in zip(row.series, speeds, strict=True):
            y += BAR + 4
            length = (WIDTH - LEFT - RIGHT) * speed / max(speeds)
            missed = "" if one.met is not False else " — target missed"
            said = "" if one.ratio is None else f"ours {one.ratio:.2f} ×{missed}"
            css = "ours" if one.role == OURS else one.role
            drawn.append(
                f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(one.name)}</text>'
                f'<rect class="{css}" x="{LEFT}" y="{y - 12}" width="{length:.1f}" height="{BAR}"/>'
                f'<text x="{LEFT + length + 6:.1f}" y="{y}">{said}</text>'
            )
    return _svg(WIDTH, y + GAP, drawn)


def growth(curves: Mapping[str, Sequence[tuple[float, float]]], up: str) -> str:
    """Lines on two logarithmic scales, each with the straight line that linear growth would be.

    Args:
        curves: for each name, points (photos, value), all above 0.
        up: what the values are.
    """
    points = [point for curve in curves.values() for point in curve]
    xs, ys = [[math.log10(point[axis]) for point in points] for axis in (0, 1)]
    left, right = math.floor(min(xs)), math.ceil(max(xs))
    low, high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)
    side = 380

    def place(x: float, y: float) -> str:
        across = 70 + side * (math.log10(x) - left) / max(right - left, 1)
        return f"{across:.1f} {20 + side * (high - math.log10(y)) / (high - low):.1f}"

    drawn = []
    for power in range(left, right + 1):
        start, end = place(10**power, 10**low), place(10**power, 10**high)
        x, y = start.split()
        drawn.append(f'<path class="grid" d="M{start}L{end}"/>')
        label = f"{10**power:,}"
        drawn.append(f'<text x="{x}" y="{float(y) + 18}" text-anchor="middle">{label}</text>')
    for power in range(low, high + 1):
        start, end = place(10**left, 10**power), place(10**right, 10**power)
        x, y = start.split()
        drawn.append(f'<path class="grid" d="M{start}L{end}"/>')
        label = f"{10.0**power:g}"
        drawn.append(
            f'<text x="{float(x) - 6}" y="{float(y) + 4}" text-anchor="end">{label}</text>'
        )
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(place(*point) for point in curve)
        drawn.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        y = 40 + 18 * number
        drawn.append(f'<text x="470" y="{y}" style="fill:{colour}">{escape(name)}</text>')
    drawn.append(f'<text x="260" y="{side + 58}" text-anchor="middle">photos</text>')
    drawn.append(f'<text x="10" y="14">{escape(up)}</text>')
    return _svg(680, side + 70, drawn)


def _svg(width: int, height: int, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}"><style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(drawn)}</svg>\n"
    )
