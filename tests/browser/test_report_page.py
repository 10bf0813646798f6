"""The report of a run in a real browser: any width, either theme, on paper, nothing fetched."""

from pathlib import Path

import pytest
from conftest import Run
from playwright.sync_api import Browser


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_fits_the_screen_and_asks_for_nothing(
    chromium: Browser, sample_run: Run, width: int, scheme: str
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    place = (sample_run.directory / "report.html").as_uri()
    page.goto(place)
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [place]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("img").count() == page.evaluate(
        "Array.from(document.images).filter(one => one.naturalWidth > 0).length"
    )
    page.close()


def test_charts_have_a_size_and_their_colours_come_from_the_theme(
    chromium: Browser, sample_run: Run
) -> None:
    strokes = []
    for scheme in ("light", "dark"):
        page = chromium.new_page(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto((sample_run.directory / "report.html").as_uri())
        drawn = page.locator(".chart svg")
        assert drawn.count() > 5
        box = drawn.first.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 150
        strokes.append(page.locator(".curve").first.evaluate("one => getComputedStyle(one).stroke"))
        page.close()
    assert strokes[0] != strokes[1]


def test_report_can_be_printed(chromium: Browser, sample_run: Run, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.goto((sample_run.directory / "report.html").as_uri())
    page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)
    assert (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n") > 2
    page.close()
