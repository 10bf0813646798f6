"""Charts are SVG that says what it shows, and puts it where it belongs."""

import re

import pytest
from html_page import Page

from components.evaluate import charts

HOSTILE = "<script>alert(1)</script>\"'"


def path(drawn: str) -> list[tuple[float, float]]:
    """The points of the only path."""
    (found,) = re.findall(r' d="M([^"]+?)Z?"', drawn)
    return [(float(x), float(y)) for x, y in (one.split() for one in found.split("L"))]


def place(x: float, y: float) -> tuple[float, float]:
    return charts.LEFT + charts.SIDE * x, charts.TOP + charts.SIDE * (1 - y)


def test_curve_runs_through_its_points() -> None:
    points = [(0.0, 0.0), (0.5, 0.75), (1.0, 1.0)]
    assert path(charts.curve(points)) == [place(*one) for one in points]


def test_points_that_nobody_could_see_are_left_out() -> None:
    level = [(step / 1000, 0.5) for step in range(1001)]
    assert path(charts.curve(level)) == [place(0, 0.5), place(1, 0.5)]
    upright = [(0.5, step / 1000) for step in range(1001)]
    assert path(charts.curve(upright)) == [place(0.5, 0), place(0.5, 1)]


@pytest.mark.parametrize("tip", [(0.5, 1.0), (0.5, 0.0)])
def test_a_spike_is_kept(tip: tuple[float, float]) -> None:
    points = [(0.0, 0.5), (0.5, 0.5), tip, (0.5, 0.5), (1.0, 0.5)]
    assert place(*tip) in path(charts.curve(points))


def test_area_reaches_down_to_the_axis() -> None:
    drawn = path(charts.area([(0.0, 0.5), (1.0, 0.75)]))
    assert drawn == [place(0, 0), place(0, 0.5), place(1, 0.75), place(1, 0)]


def test_stairs_hold_each_value_back_to_the_point_before() -> None:
    found = charts.stairs([(0.5, 1.0), (1.0, 0.25)])
    assert found == [(0.0, 1.0), (0.0, 1.0), (0.5, 1.0), (0.5, 0.25), (1.0, 0.25)]


def test_chart_tells_what_it_shows_and_strangers_text_is_only_text() -> None:
    page = Page(charts.plot(HOSTILE, HOSTILE, HOSTILE, [charts.dot(0.5, 0.5)]))
    assert page.all("svg")[0]["aria-label"] == HOSTILE
    assert page.all("svg")[0]["role"] == "img"
    assert not page.all("script")
    assert page.text.count(HOSTILE) == 2


def test_chart_has_no_style_attribute_that_the_policy_would_block() -> None:
    marks = [charts.whisker(0.5, 0.2, 0.9), charts.column(0.4, 0.5, 0.25), charts.dot(1, 0)]
    page = Page(charts.plot("", "", "", marks))
    assert not [one for one in page.elements if "style" in one[1]]
    column = page.all("rect")[0]
    bottom = float(column["y"] or 0) + float(column["height"] or 0)
    assert bottom == charts.TOP + charts.SIDE
