"""The gallery in a real browser: the filter, and what spoke for an answer, by keyboard alone."""

from pathlib import Path

import pytest
from conftest import Run
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def gallery(chromium: Browser, sample_run: Run) -> Page:
    """The gallery, opened; a test fails where the console says anything."""
    page = chromium.new_page()
    page.on("console", lambda message: pytest.fail(message.text))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto((sample_run.directory / "gallery.html").as_uri())
    return page


def test_filter_shows_one_state_at_a_time_by_keyboard(gallery: Page) -> None:
    cards = gallery.locator(".card")
    total = cards.count()
    counts = [gallery.locator(f".card.{state}").count() for state in ("right", "wrong", "unknown")]
    assert sum(counts) == total > 0
    gallery.locator("#filter input[value=all]").focus()
    for count in counts:
        gallery.keyboard.press("ArrowRight")
        assert gallery.locator(".card:visible").count() == count
        expect(gallery.locator("#count")).to_have_text(f"{count} of {total} photos shown")


def test_what_spoke_for_an_answer_is_shown_by_switch_and_by_pointing(gallery: Page) -> None:
    pair = gallery.locator(".pair").first
    why = pair.locator("img").nth(1)
    expect(why).not_to_be_visible()
    pair.hover()
    expect(why).to_be_visible()
    gallery.mouse.move(0, 0)
    expect(why).not_to_be_visible()
    gallery.locator("#why").focus()
    gallery.keyboard.press("Space")
    for number in range(gallery.locator(".pair").count()):
        expect(gallery.locator(".pair").nth(number).locator("img").nth(1)).to_be_visible()
    photo, shown = (pair.locator("img").nth(place).bounding_box() for place in (0, 1))
    assert photo == shown


@pytest.mark.parametrize("script", [True, False])
def test_phone_width_needs_no_scrolling_sideways(
    chromium: Browser, sample_run: Run, script: bool
) -> None:
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, java_script_enabled=script
    )
    page = context.new_page()
    page.goto(Path(sample_run.directory / "gallery.html").as_uri())
    page.locator("#why").check()
    expect(page.locator(".pair img + img").first).to_be_visible()
    width = page.locator("html").bounding_box()
    widest = max(
        box["x"] + box["width"]
        for one in page.locator(".card").all()
        if (box := one.bounding_box())
    )
    assert width
    assert widest <= width["width"] == 360
