"""Line charts: where things are drawn, and that a file of its own is sound XML."""

import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from components.common.pages.line_chart import (
    CSS,
    LETTER,
    TEXT,
    Axis,
    Line,
    share_axis,
    svg,
    svg_file,
    thinned,
)

ACROSS = Axis("photos", 5, 200, [(5, "5"), (200, "200")], logarithmic=True)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line, level: tuple[float, str] | None = None) -> ET.Element:
    element = svg("<what> & how", ACROSS, share_axis("accuracy"), lines, level)
    return ET.fromstring(svg_file(element))


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
    (curve,) = curves(drawn(Line("", [(5, 0.2), (20, 0.9), (200, 1.0)])))
    xs, ys = zip(*points(curve), strict=True)
    assert list(xs) == sorted(set(xs))
    assert list(ys) == sorted(set(ys), reverse=True)


def test_file_names_no_variable_and_escapes_what_it_is_told() -> None:
    root = drawn(Line("<median>", [(5, 0.2), (200, 1.0)]), level=(0.2, "guessing & hoping"))
    assert root.get("aria-label") == "<what> & how"
    texts = [text.text for text in root.findall(f".//{SVG}text")]
    assert {"<median>", "guessing & hoping", "photos", "accuracy", "20 %", "100 %"} <= set(texts)
    style = root.findtext(f"{SVG}style") or ""
    assert "var(" in CSS
    assert "var(" not in style
    assert "prefers-color-scheme: dark" in style


def test_lines_differ_by_more_than_colour() -> None:
    lines = [Line(name, [(5, 0.5), (200, 0.6)]) for name in ("one", "two", "three", "four")]
    kinds = [curve.get("class") for curve in curves(drawn(*lines))]
    assert len(set(kinds)) == 4
    dashes = re.findall(r"\.(?:first|second|third|fourth) \{ stroke: [^;]+; *([^}]*)\}", CSS)
    assert len(set(dashes)) == 4


def test_long_legends_go_on_in_a_second_row_inside_the_picture() -> None:
    lines = [Line("a name of thirty letters or so", [(5, 0.5), (200, 0.6)]) for _ in range(3)]
    root = drawn(*lines)
    rows = {text.get("y") for text in root.findall(f".//{SVG}text[@class='legend']")}
    assert len(rows) == 3
    assert all(y < 250 for curve in curves(root) for _, y in points(curve))


def box(text: ET.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text, letters being as wide as the chart assumes."""
    x, y = float(text.get("x", "")), float(text.get("y", ""))
    width = LETTER * len(text.text or "")
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "")]
    return left, y - TEXT * 0.75, left + width, y + TEXT * 0.25


def touch(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(one[side] < other[side + 2] and other[side] < one[side + 2] for side in (0, 1))


@pytest.mark.parametrize("values", [(5, 10, 12), (5, 100, 200, 205), (17, 20, 23), (5, 6, 7, 200)])
def test_names_that_would_touch_stand_in_two_rows(values: tuple[int, ...]) -> None:
    ticks = [(value, str(value)) for value in values]
    across = Axis("photos of each class", 4, 220, ticks, logarithmic=True)
    line = Line("", [(value, 0.0) for value in values])
    root = ET.fromstring(svg_file(svg("", across, share_axis("accuracy"), [line])))
    texts = root.findall(f".//{SVG}text")
    named = [text for text in texts if text.text in {str(value) for value in values}]
    assert len(named) == len(values)
    boxes = [box(text) for text in texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if touch(*pair)]
    (curve,) = curves(root)
    assert all(y < min(box(text)[1] for text in named) for _, y in points(curve))


def test_of_many_names_the_last_and_those_that_fit_are_there() -> None:
    across = Axis("", 1, 100, [(value, str(value)) for value in range(1, 101)])
    root = ET.fromstring(svg_file(svg("", across, share_axis(""), [Line("", [(1, 0), (2, 1)])])))
    texts = [text for text in root.findall(f".//{SVG}text") if (text.text or "").isdigit()]
    assert 20 < len(texts) < 60
    assert texts[-1].text == "100"
    assert not [pair for pair in itertools.combinations(map(box, texts), 2) if touch(*pair)]


@pytest.mark.parametrize("low", [0.05, 0.15, 0.3])
@pytest.mark.parametrize("level", [0.02, 0.14, 0.25, 0.5, 0.98])
def test_name_of_a_level_lies_on_no_interval_and_no_line(low: float, level: float) -> None:
    line = Line(
        "",
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
    (dashed,) = root.findall(f".//{SVG}path[@class='level']")
    y = float(re.findall(r"[\d.]+", dashed.get("d", ""))[1])
    assert min(abs(place[1] - y), abs(place[3] - y)) < 10
    assert not place[1] < y < place[3]
    assert 60 <= place[0] < place[2] <= 480
    ((_, y1), (_, y2), (_, y3)) = points(curves(root)[0])
    assert place[3] < min(y1, y2, y3) or place[1] > max(y1, y2, y3)


def test_thinned_keeps_the_last_point() -> None:
    many = [(float(x), float(x)) for x in range(1001)]
    few = thinned(many, 100)
    assert few[0] == (0, 0)
    assert few[-1] == (1000, 1000)
    assert len(few) <= 102
    assert thinned(many[:3]) == many[:3]
