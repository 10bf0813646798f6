"""Charts: where things are drawn, what they say, and that a file of its own is sound XML."""

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from html_page import Page

from components.common.pages import page
from components.common.pages.chart import (
    SQUARE,
    WIDE,
    Axis,
    Chart,
    Line,
    quarters_axis,
    round_ticks,
    share_axis,
    stairs,
)
from components.common.pages.plot import svg, svg_file

ACROSS = Axis("photos", 5, 200, [(5, "5"), (200, "200")], logarithmic=True)
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'"


def drawn(*lines: Line, level: tuple[float, str] | None = None) -> ET.Element:
    value, name = level or (0.0, "")
    reference = [(5, value), (200, value)] if level else []
    accuracy = share_axis("accuracy")
    chart = Chart("<what> & how", ACROSS, accuracy, lines, (), reference, name)
    return ET.fromstring(svg_file(chart))


def points(path: ET.Element) -> list[tuple[float, float]]:
    numbers = [float(number) for number in re.findall(r"[\d.]+", path.get("d", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def curves(root: ET.Element) -> list[ET.Element]:
    """The lines themselves, without the samples of the legend."""
    marked = root.findall(f".//{SVG}path")
    return [
        path
        for path in marked
        if "curve" in path.get("class", "") and "h28" not in path.get("d", "")
    ]


def test_equal_factors_take_equal_room_on_a_logarithmic_axis() -> None:
    axis = Axis("", 1, 100, [], logarithmic=True)
    assert axis.place(10) == pytest.approx(0.5)
    assert (axis.place(0.1), axis.place(1000)) == (0, 1)
    assert Axis("", 2, 4, []).place(3) == 0.5


def test_higher_values_are_drawn_higher_and_larger_ones_further_right() -> None:
    (curve,) = curves(drawn(Line([(5, 0.2), (20, 0.9), (200, 1.0)])))
    xs, ys = zip(*points(curve), strict=True)
    assert list(xs) == sorted(set(xs))
    assert list(ys) == sorted(set(ys), reverse=True)


def test_file_names_no_variable_and_escapes_what_it_is_told() -> None:
    root = drawn(Line([(5, 0.2), (200, 1.0)], "<median>"), level=(0.2, "guessing & hoping"))
    assert root.get("aria-label") == "<what> & how"
    texts = [text.text for text in root.findall(f".//{SVG}text")]
    assert {"<median>", "guessing & hoping", "photos", "accuracy", "20 %", "100 %"} <= set(texts)
    style = root.findtext(f"{SVG}style") or ""
    assert "var(" in page.style("plot")
    assert "var(" not in style
    assert "prefers-color-scheme: dark" in style


def test_lines_differ_by_more_than_colour() -> None:
    lines = [Line([(5, 0.5), (200, 0.6)], name) for name in ("one", "two", "three", "four")]
    kinds = [curve.get("class") for curve in curves(drawn(*lines))]
    assert len(set(kinds)) == 4
    dashes = re.findall(
        r"\.(?:first|second|third|fourth) \{\s*stroke: [^;]+;([^}]*)\}", page.style("plot")
    )
    assert len(set(dashes)) == 4


def test_long_legends_go_on_in_a_second_row_inside_the_picture() -> None:
    lines = [Line([(5, 0.5), (200, 0.6)], "a name of thirty letters or so") for _ in range(3)]
    root = drawn(*lines)
    rows = {text.get("y") for text in root.findall(f".//{SVG}text[@class='legend']")}
    assert len(rows) == 3
    assert all(y < 250 for curve in curves(root) for _, y in points(curve))


def box(text: ET.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text, letters being as wide as the chart assumes."""
    x, y = float(text.get("x", "")), float(text.get("y", ""))
    width = WIDE.length(text.text or "")
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "")]
    return left, y - WIDE.text * 0.75, left + width, y + WIDE.text * 0.25


def touch(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(one[side] < other[side + 2] and other[side] < one[side + 2] for side in (0, 1))


@pytest.mark.parametrize("values", [(5, 10, 12), (5, 100, 200, 205), (17, 20, 23), (5, 6, 7, 200)])
def test_names_that_would_touch_stand_in_two_rows(values: tuple[int, ...]) -> None:
    ticks = [(value, str(value)) for value in values]
    across = Axis("photos of each class", 4, 220, ticks, logarithmic=True)
    line = Line([(value, 0.0) for value in values])
    root = ET.fromstring(svg_file(Chart("", across, share_axis("accuracy"), [line])))
    texts = root.findall(f".//{SVG}text")
    named = [text for text in texts if text.text in {str(value) for value in values}]
    assert len(named) == len(values)
    boxes = [box(text) for text in texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if touch(*pair)]
    (curve,) = curves(root)
    assert all(y < min(box(text)[1] for text in named) for _, y in points(curve))


def test_of_many_names_the_last_and_those_that_fit_are_there() -> None:
    across = Axis("", 1, 100, [(value, str(value)) for value in range(1, 101)])
    root = ET.fromstring(svg_file(Chart("", across, share_axis(""), [Line([(1, 0), (2, 1)])])))
    texts = [text for text in root.findall(f".//{SVG}text") if (text.text or "").isdigit()]
    assert 20 < len(texts) < 60
    assert texts[-1].text == "100"
    assert not [pair for pair in itertools.combinations(map(box, texts), 2) if touch(*pair)]


@pytest.mark.parametrize("low", [0.05, 0.15, 0.3])
@pytest.mark.parametrize("level", [0.02, 0.14, 0.25, 0.5, 0.98])
def test_name_of_a_level_lies_on_no_interval_and_no_line(low: float, level: float) -> None:
    line = Line(
        [(5, 0.6), (60, 0.7), (150, 0.7)],
        whiskers=[(x, low, 0.9) for x in (5, 60, 150)],
        band=[(5, 0.5, 0.65), (60, 0.65, 0.72), (150, 0.7, 0.7)],
    )
    root = drawn(line, level=(level, "guessing: 25 %"))
    (name,) = [one for one in root.findall(f".//{SVG}text") if (one.text or "").startswith("gue")]
    place = box(name)
    for whisker in root.findall(f".//{SVG}path[@class='whisker']"):
        (x, bottom, top) = (float(n) for n in re.findall(r"[\d.]+", whisker.get("d", ""))[:3])
        assert not touch(place, (x - 5, top, x + 5, bottom))
    (dashed,) = root.findall(f".//{SVG}path[@class='reference']")
    y = float(re.findall(r"[\d.]+", dashed.get("d", ""))[1])
    assert min(abs(place[1] - y), abs(place[3] - y)) < 10
    assert not place[1] < y < place[3]
    assert 60 <= place[0] < place[2] <= 480
    ((_, y1), (_, y2), (_, y3)) = points(curves(root)[0])
    assert place[3] < min(y1, y2, y3) or place[1] > max(y1, y2, y3)


def square(line: Line, **more: object) -> str:
    chart = Chart("", quarters_axis("x"), quarters_axis("y"), [line], size=SQUARE, **more)  # type: ignore[arg-type]
    return str(svg(chart))


def path(drawn: str, css: str) -> list[tuple[float, float]]:
    """The points of the only path of this class."""
    (found,) = re.findall(rf'<path class="{css}" d="M([^"]+?)Z?"', drawn)
    return [(float(x), float(y)) for x, y in (one.split() for one in found.split("L"))]


def corners(drawn: str) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of the room for the lines, by the grid."""
    (grid,) = re.findall(r'<path class="grid" d="([^"]+)"', drawn)
    (left, top, bottom) = map(float, re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", grid)[0])
    return left, bottom, float(re.findall(r"H([\d.]+)", grid)[0]), top


def place(drawn: str, x: float, y: float) -> tuple[float, float]:
    left, bottom, right, top = corners(drawn)
    return round(left + (right - left) * x, 1), round(bottom + (top - bottom) * y, 1)


def test_curve_runs_through_its_points() -> None:
    points = [(0.0, 0.0), (0.5, 0.75), (1.0, 1.0)]
    drawn = square(Line(points))
    assert path(drawn, "curve first") == [place(drawn, *one) for one in points]


def test_points_that_nobody_could_see_are_left_out() -> None:
    drawn = square(Line([(step / 1000, 0.5) for step in range(1001)]))
    assert path(drawn, "curve first") == [place(drawn, 0, 0.5), place(drawn, 1, 0.5)]
    drawn = square(Line([(0.5, step / 1000) for step in range(1001)]))
    assert path(drawn, "curve first") == [place(drawn, 0.5, 0), place(drawn, 0.5, 1)]


@pytest.mark.parametrize("tip", [(0.5, 1.0), (0.5, 0.0)])
def test_a_spike_is_kept(tip: tuple[float, float]) -> None:
    drawn = square(Line([(0.0, 0.5), (0.5, 0.5), tip, (0.5, 0.5), (1.0, 0.5)]))
    assert place(drawn, *tip) in path(drawn, "curve first")


def test_area_reaches_down_to_the_axis() -> None:
    drawn = square(Line([(0.0, 0.5), (1.0, 0.75)], area=True))
    corner = [(0, 0), (0, 0.5), (1, 0.75), (1, 0)]
    assert path(drawn, "area") == [place(drawn, *one) for one in corner]


def test_stairs_hold_each_value_back_to_the_point_before() -> None:
    found = stairs([(0.5, 1.0), (1.0, 0.25)])
    assert found == [(0.0, 1.0), (0.0, 1.0), (0.5, 1.0), (0.5, 0.25), (1.0, 0.25)]


def test_chart_tells_what_it_shows_and_strangers_text_is_only_text() -> None:
    axis = Axis(HOSTILE, 0, 1, [(0, HOSTILE)])
    line = Line((), HOSTILE, dots=[(0.5, 0.5)])
    level = [(0.0, 0.5), (1.0, 0.5)]
    page = Page(str(svg(Chart(HOSTILE, axis, axis, [line], (), level, HOSTILE))))
    assert page.all("svg")[0]["aria-label"] == HOSTILE
    assert page.all("svg")[0]["role"] == "img"
    assert not page.all("script")
    assert page.text.count(HOSTILE) == 6


def test_chart_has_no_style_attribute_that_the_policy_would_block() -> None:
    drawn = square(Line((), whiskers=[(0.5, 0.2, 0.9)], dots=[(1, 0)]), columns=[(0.4, 0.5, 0.25)])
    assert not [one for one in Page(drawn).elements if "style" in one[1]]
    (column,) = re.findall(r'class="column" d="M[\d.]+ ([\d.]+)V([\d.]+)H[\d.]+V([\d.]+)Z"', drawn)
    bottom, top = place(drawn, 0, 0)[1], place(drawn, 0, 0.25)[1]
    assert [float(y) for y in column] == [bottom, top, bottom]


@pytest.mark.parametrize(
    ("most", "whole", "ticks"),
    [
        (399, True, [0, 100, 200, 300]),
        (30, True, [0, 10, 20, 30]),
        (1, True, [0, 1]),
        (7, True, [0, 2, 4, 6]),
        (1.28, False, [0, 0.5, 1]),
        (0.1, False, [0, 0.02, 0.04, 0.06, 0.08, 0.1]),
    ],
)
def test_ticks_are_round_and_few(most: float, whole: bool, ticks: list[float]) -> None:
    assert round_ticks(most, whole=whole) == pytest.approx(ticks)
