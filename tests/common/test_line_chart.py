"""Line charts: where things are drawn, and that a file of its own is sound XML."""

import re
import xml.etree.ElementTree as ET

import pytest

from components.common.line_chart import CSS, Axis, Line, share_axis, svg, svg_file, thinned

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


def test_thinned_keeps_the_last_point() -> None:
    many = [(float(x), float(x)) for x in range(1001)]
    few = thinned(many, 100)
    assert few[0] == (0, 0)
    assert few[-1] == (1000, 1000)
    assert len(few) <= 102
    assert thinned(many[:3]) == many[:3]
