"""The page of photos to label in a real browser: keys, mouse, new classes, export and saving."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from review_process import reviewing
from select_items import chosen

from programs.select import answers, selection
from programs.select.selection import Selection

HOSTILE = ("<img src=x onerror=alert(1)>.jpg", "'\"&amp;\u202egpj.jpg", "=cmd|x.jpg")


@pytest.fixture
def made(tmp_path: Path) -> Selection:
    return chosen(tmp_path / "to-label", tmp_path / "photos", count=6, names=HOSTILE)


@pytest.fixture
def shown(page: Page, made: Selection, tmp_path: Path) -> Iterator[Page]:
    """The page as a file."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((tmp_path / "to-label" / "label.html").as_uri())
    yield page
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    assert errors == []


def exported(page: Page, made: Selection) -> dict[int, str]:
    """The answers by the photo's place."""
    with page.expect_download() as download:
        page.locator("#bar a").click()
    said = answers.parse(download.value.path().read_bytes(), "it")
    return {
        place: said.labels[photo.sha256]
        for place, photo in enumerate(made.photos)
        if photo.sha256 in said.labels
    }


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("n", {}),
        ("n 2", {0: "rose"}),
        ("n 2 2", {}),  # once more: undecided
        ("n 2 3", {0: "tulip"}),
        ("n d", {0: ""}),
        ("n d n 1 n 3", {0: "", 1: "daisy", 2: "tulip"}),
        ("n 9", {}),  # there is no ninth class
        ("n 2 u", {}),
        ("n 2 d u", {0: "rose"}),
        ("n ArrowRight 1 ArrowRight ArrowLeft 2", {1: "rose"}),
        ("n ArrowDown 1", {4: "daisy"}),
        ("n ArrowDown ArrowUp 1", {0: "daisy"}),
        ("n m 3", {0: "tulip"}),
        ("n m Escape", {}),
        ("n m Tab Enter", {0: "rose"}),
        ("n m Tab Tab Tab o x e y e Enter", {0: "oxeye"}),
        ("n m Tab Tab Tab o x Enter ArrowRight 4", {0: "ox", 1: "ox"}),  # it has a number then
        ("n m Tab Tab Tab R O S E Enter", {0: "rose"}),  # another spelling of a known one
        ("n m Tab Tab Tab . x Enter Escape", {}),  # that can name no class
        ("n Tab Enter", {0: "daisy"}),
        ("n Control+d", {}),
        ("1 2 d", {}),  # no photo was chosen
    ],
)
def test_keys(shown: Page, made: Selection, keys: str, expected: dict[int, str]) -> None:
    for key in keys.split():
        shown.keyboard.press(key)
        if key == "Escape":  # the browser closes a dialog a moment later
            expect(shown.locator("dialog[open]")).to_have_count(0)
    if expected:
        assert exported(shown, made) == expected
    else:
        expect(shown.locator("#bar output")).to_have_text("0 labelled, 0 left out")


def test_buttons_and_counts(shown: Page, made: Selection) -> None:
    cards = shown.locator(".photo")
    assert cards.count() == len(made.photos)
    cards.nth(1).get_by_role("button", name="leave out").click()
    first = made.photos[0].guesses[0][0]
    cards.nth(0).get_by_role("button", name=first, exact=False).first.click()
    expect(cards.nth(0).locator(".label")).to_have_text(first)
    expect(shown.locator("#bar output")).to_have_text("1 labelled, 1 left out")
    expect(shown.locator("#next")).to_have_text("4 left")
    cards.nth(2).get_by_role("button", name="other class…").click()
    shown.get_by_label("New class").fill("a/b")
    shown.get_by_role("button", name="Add").click()
    expect(shown.locator("#new .problem")).to_have_text(
        "A name cannot hold a slash or a backslash."
    )
    shown.get_by_label("New class").fill(" <b>oxeye</b>".replace("/", ""))
    shown.get_by_role("button", name="Add").click()
    expect(cards.nth(2).locator(".label")).to_have_text("<b>oxeye<b>")
    assert exported(shown, made) == {0: first, 1: "", 2: "<b>oxeye<b>"}


def test_names_of_files_are_text(shown: Page, made: Selection) -> None:
    assert shown.locator(".photo img").count() == len(made.photos)
    titles = shown.locator(".photo h2").all_inner_texts()
    assert any(title.startswith("<img src=x") for title in titles)


@pytest.mark.parametrize("width", [360, 1280])
def test_page_fits_the_screen(shown: Page, width: int) -> None:
    shown.set_viewport_size({"width": width, "height": 740})
    assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_served_page_saves_each_answer_and_shows_it_again(
    page: Page, made: Selection, tmp_path: Path
) -> None:
    home = tmp_path / "to-label"
    with reviewing(home) as process:
        page.goto(process.url)
        for key in ("n", "2", "n", "m", "Tab", "Tab", "Tab", "o", "x", "Enter", "n", "d"):
            page.keyboard.press(key)
        expect(page.locator("#saved")).to_have_text("Saved")
        page.goto(process.url)
        expect(page.locator("#bar output")).to_have_text("2 labelled, 1 left out")
        page.keyboard.press("n")
        page.keyboard.press("4")  # the new class is known
        expect(page.locator("#bar output")).to_have_text("3 labelled, 1 left out")
        expect(page.locator("#saved")).to_have_text("Saved")
        _, said = process.end()
    assert "3 photos labelled in" in said
    assert "2  ox (new class)" in said
    labels = json.loads((home / "answers.json").read_text())["answers"]
    assert {one["sha256"] for one in labels} <= {one.sha256 for one in selection.read(home).photos}
    page.goto("about:blank")
