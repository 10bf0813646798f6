"""The report of a run in a real browser: any width, either theme, on paper, nothing fetched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run
from evaluation_items import answer, evaluation
from playwright.sync_api import Browser, Page, expect

from components.evaluate import report
from components.evaluate.report_mistakes import FIRST


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


VISIBLE = "(cards) => cards.filter((one) => one.offsetParent).map((one) => one.className)"


def many_mistakes(folder: Path) -> Path:
    """A report with more mistakes than are shown before a reader asks for all."""
    daisies = [answer("rose", (0.9, 0.04, 0.03, 0.03)) for _ in range(FIRST)]
    tulips = [answer("rose", (0.2, 0.3, 0.4, 0.1)) for _ in range(4)]
    right = [answer("daisy", (0.7, 0.1, 0.1, 0.1)) for _ in range(9)]
    place = folder / "report.html"
    place.write_text(report.render(evaluation([*daisies, *tulips, *right])), encoding="utf-8")
    return place


@pytest.fixture
def mistakes(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(many_mistakes(tmp_path).as_uri())
        yield page


def visible_cards(page: Page) -> list[str]:
    found: list[str] = page.locator(".mistakes > .card").evaluate_all(VISIBLE)
    return found


def is_on_screen(page: Page, selector: str) -> bool:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return -1 < box["y"] < page.viewport_size["height"]  # type: ignore[index]


def test_cell_of_the_matrix_leads_to_the_photos_behind_it_and_back(mistakes: Page) -> None:
    assert len(visible_cards(mistakes)) == FIRST
    cells = mistakes.locator(".confusion a")
    assert cells.all_inner_texts() == [str(FIRST), "4"]
    cells.nth(1).focus()
    mistakes.keyboard.press("Enter")
    expect(mistakes.locator("#mixed-1-2")).to_be_visible()
    assert visible_cards(mistakes) == ["card more mixed-1-2"] * 4
    assert is_on_screen(mistakes, "#mixed-1-2")
    assert is_on_screen(mistakes, ".mistakes")
    mistakes.get_by_role("link", name="Back to the matrix").click()
    assert is_on_screen(mistakes, "#mixed-up")
    cells.first.click()
    assert visible_cards(mistakes) == ["card mixed-1-0"] * FIRST
    mistakes.get_by_role("link", name="All mistakes").click()
    assert len(visible_cards(mistakes)) == FIRST + 4


def test_the_worst_photos_are_shown_and_all_where_a_reader_asks_or_prints(mistakes: Page) -> None:
    mistakes.get_by_role("link", name=f"Show all {FIRST + 4} photos").click()
    assert len(visible_cards(mistakes)) == FIRST + 4
    mistakes.get_by_role("link", name="Only the worst").click()
    assert len(visible_cards(mistakes)) == FIRST
    mistakes.emulate_media(media="print")
    assert len(visible_cards(mistakes)) == FIRST + 4


@pytest.mark.parametrize("width", [390, 1280])
def test_every_cell_and_every_line_of_the_contents_leads_to_something_on_the_page(
    chromium: Browser, sample_run: Run, width: int
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto((sample_run.directory / "report.html").as_uri())
    for link in page.locator(".contents a").all():
        link.click()
        assert is_on_screen(page, page.evaluate("location.hash"))
    titles = page.locator("main h2").evaluate_all("(all) => all.map((one) => one.id)")
    listed = page.locator(".contents a").evaluate_all("(all) => all.map((one) => one.hash)")
    assert listed == ["#accuracy", *(f"#{title}" for title in titles)]
    cells = page.locator(".confusion a").all()
    assert cells
    for cell in cells:
        cell.click()
        place = page.evaluate("location.hash")
        expect(page.locator(place)).to_be_visible()
        if place != "#not-shown":
            shown = visible_cards(page)
            assert shown
            assert all(place[1:] in css.split() for css in shown)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()
