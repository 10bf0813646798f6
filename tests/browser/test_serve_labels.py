"""Several photos, and what visitors say of them, in a real browser: nothing is kept unasked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from conftest import Run
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from serve_process import ServeProcess, serving

from components.common.base.shares import Share
from components.common.dataset import class_folders
from components.common.dataset.dataset import Dataset
from components.common.pages import text
from programs.serve.page import MOST_PHOTOS

PATIENCE_MS = 30_000
PREDICT, CORRECT = "**/v1/predict?*", "**/v1/corrections*"
SERIOUS = ("serious", "critical")
DROP = """(contents) => {
  const data = new DataTransfer();
  for (const [name, type] of contents) {
    data.items.add(new File(["x" + name], name, { type }));
  }
  document.dispatchEvent(
    new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labelled") / "kept"


@pytest.fixture(scope="module")
def service(sample_run: Run, kept: Path) -> Iterator[ServeProcess]:
    with serving(sample_run.directory / "model", "--corrections", str(kept)) as process:
        yield process


@pytest.fixture(scope="module")
def photos(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Demo photos under names of their own, each of another class."""
    demo = Dataset(sample_run.directory / "demo")
    folder = tmp_path_factory.mktemp("photos")
    found = {}
    for photo in demo.photos:
        if photo.label not in found:
            path = folder / f"IMG_{len(found)} <b>{photo.label}.jpg"
            path.write_bytes(demo.read(photo))
            found[photo.label] = path
    return list(found.values())


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context() as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, service: ServeProcess) -> Page:
    page = context.new_page()
    page.goto(service.url)
    return page


def answer_with(page: Page, service: ServeProcess, photo: Path, **changes: Any) -> None:
    """Answer every photo as the service answers this one, but for some changes.

    A request that goes through Playwright loses files that it holds.
    """
    headers = {"Content-Type": "image/jpeg"}
    answer = requests.post(f"{service.url}v1/predict", photo.read_bytes(), headers=headers).json()
    page.route(PREDICT, lambda route: route.fulfill(json={**answer, **changes}))


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def choose(page: Page, *photos: Path) -> None:
    page.locator("#file").set_input_files(photos)
    expect(page.locator("#status")).to_be_empty(timeout=PATIENCE_MS)


def say(page: Page, place: int, label: str) -> None:
    page.locator(".say select").nth(place).select_option(label=label)


def test_several_photos_are_sent_one_after_another_each_with_its_card(
    page: Page, photos: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "notes.jpg"
    bad.write_text("This is not a photo.")
    seen: list[str] = []
    page.on("request", lambda one: seen.append("begun") if "predict" in one.url else None)
    page.on("requestfinished", lambda one: seen.append("done") if "predict" in one.url else None)
    page.locator("#file").set_input_files([photos[0], bad, photos[1]])
    expect(page.locator("#summary")).to_contain_text("without", timeout=PATIENCE_MS)
    expect(page.locator("#status")).to_be_empty(timeout=PATIENCE_MS)
    assert seen == ["begun", "done"] * 3
    cards = page.locator("#result article")
    assert cards.count() == 3
    # In the order of choosing, under the names that the files have, shown as text.
    assert cards.locator("> .name").all_inner_texts() == [photos[0].name, bad.name, photos[1].name]
    assert "This is not a photo" in cards.nth(1).inner_text()
    assert cards.nth(0).locator(".answer").count() == 1
    assert cards.nth(2).locator(".answer").count() == 1
    expect(page.locator("#summary")).to_have_text("3 photos, 1 without an answer")
    assert page.evaluate("document.activeElement.id") == "summary"
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]'), (one) => one.id)")
    assert len(ids) == len(set(ids))


def test_number_of_photos_is_bounded_and_said(page: Page) -> None:
    asked: list[str] = []

    def respond(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=415, json={"reason": "no_photo", "message": "This is not a photo."})

    page.route(PREDICT, respond)
    page.evaluate(DROP, [[f"{number}.jpg", "image/jpeg"] for number in range(MOST_PHOTOS + 3)])
    expect(page.locator("#summary")).to_contain_text(f"{MOST_PHOTOS} without", timeout=PATIENCE_MS)
    assert len(asked) == MOST_PHOTOS
    said = page.inner_text("#result")
    assert f"{MOST_PHOTOS + 3} photos were chosen, and {MOST_PHOTOS} are taken" in said


def test_other_files_among_photos_are_not_sent(page: Page) -> None:
    asked: list[str] = []

    def respond(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=415, json={"reason": "no_photo", "message": "This is not a photo."})

    page.route(PREDICT, respond)
    page.evaluate(DROP, [["a.jpg", "image/jpeg"], ["b.pdf", "application/pdf"]])
    expect(page.get_by_role("alert")).to_contain_text("not a photo", timeout=PATIENCE_MS)
    assert len(asked) == 1


def test_photos_can_be_stopped_and_one_asked_again(page: Page, photos: list[Path]) -> None:
    waiting: list[Route] = []
    busy = {"reason": "busy", "message": "Many photos. Try again."}
    page.route(PREDICT, lambda route: waiting.append(route))
    page.locator("#file").set_input_files(photos[:3])
    while not waiting:
        page.wait_for_timeout(20)
    waiting[0].fulfill(status=503, json=busy)
    while len(waiting) < 2:
        page.wait_for_timeout(20)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#summary")).to_have_text(
        "1 photos, 1 without an answer; stopped before the other 2"
    )
    page.unroute(PREDICT)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#result .answer")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("#status")).to_be_empty()


def test_share_of_right_answers_runs_along(
    page: Page, service: ServeProcess, photos: list[Path]
) -> None:
    answer_with(page, service, photos[0], predicted="fly agaric", learned_from=False)
    choose(page, *photos[:4])
    assert page.locator("#labels").is_hidden()
    names = ["fly agaric", "earthstar", "none of these kinds", "fly agaric"]
    for number, label in enumerate(names, 1):
        say(page, number - 1, label)
        right = names[:number].count("fly agaric")
        share = Share.of(right, number)
        expected = f"{right} of {number} answers are right: {text.percent(share.value)}"
        said = f"{expected} (95 % interval {text.between(share)})."
        expect(page.locator("#share")).to_have_text(said.replace(" %", "\u00a0%", 1))
    verdicts = page.locator("#labelled .verdict").all_inner_texts()
    assert verdicts == ["right", "wrong", "wrong", "right"]
    # A second word on the same photo replaces the first, also where it is chosen once more.
    choose(page, photos[1])
    assert page.locator(".say select").input_value() != ""
    say(page, 0, "fly agaric")
    expect(page.locator("#share")).to_contain_text("3 of 4")
    say(page, 0, "not said")
    expect(page.locator("#share")).to_contain_text("2 of 3")


def test_photo_learned_from_is_not_counted(
    page: Page, service: ServeProcess, photos: list[Path]
) -> None:
    answer_with(page, service, photos[0], learned_from=True)
    choose(page, photos[0])
    page.get_by_role("button", name="The answer is right").click()
    expect(page.locator("#share")).to_contain_text("No answer is counted yet. 1 not counted")


def test_nothing_is_kept_before_somebody_agrees_and_all_can_be_taken_back(
    page: Page, service: ServeProcess, kept: Path, photos: list[Path]
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    assert not page.locator("#consent").is_checked()
    choose(page, *photos[:2])
    say(page, 0, "fly agaric")
    say(page, 1, "earthstar")
    page.wait_for_timeout(300)
    assert not [url for url in sent if "corrections" in url]
    assert files(kept) == []

    page.locator("#consent").check()
    expect(page.locator(".kept", has_text="Kept for the next model")).to_have_count(2)
    folder = kept / "photos"
    assert class_folders.list_classes(folder) == ["earthstar", "fly agaric"]
    rows = [json.loads(line) for line in (kept / "corrections.jsonl").read_text().splitlines()]
    assert [row["said"] for row in rows] == ["fly agaric", "earthstar"]
    assert "IMG_" not in (kept / "corrections.jsonl").read_text()

    say(page, 0, "earthstar")
    expect(page.locator("#labelled small")).to_have_count(2)
    expect(page.locator(".kept").first).to_have_text("Kept for the next model.")
    assert [path.parent.name for path in files(kept)] == ["earthstar"] * 2
    # None of the classes is no class to learn, and what is not said any more is not kept either.
    say(page, 0, "none of these kinds")
    expect(page.locator(".kept").first).to_have_text("No longer kept.")
    assert len(files(kept)) == 1
    say(page, 1, "not said")
    expect(page.locator(".kept").nth(1)).to_have_text("No longer kept.")
    assert files(kept) == []

    # The next visit begins without consent.
    page.reload()
    assert not page.locator("#consent").is_checked()


def test_service_that_cannot_keep_a_photo_says_so(page: Page, photos: list[Path]) -> None:
    full = {"reason": "disk_full", "message": "There is no room left: it was not kept."}
    page.route(CORRECT, lambda route: route.fulfill(status=507, json=full))
    page.locator("#consent").check()
    choose(page, photos[0])
    say(page, 0, "fly agaric")
    expect(page.locator(".kept")).to_have_text(full["message"])
    assert page.locator("#labelled small").count() == 0


def test_page_of_another_site_cannot_leave_a_photo(
    context: BrowserContext, service: ServeProcess, kept: Path, photos: list[Path]
) -> None:
    """A form of another origin, as a browser really sends it."""
    before = files(kept)
    page = context.new_page()
    page.route(
        "http://evil.example/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<form method=post enctype=multipart/form-data action="{service.url}'
            'v1/corrections?consent=true&said=earthstar"><input type=file name=image></form>',
        ),
    )
    page.goto("http://evil.example/")
    page.locator("input").set_input_files(photos[0])
    with page.expect_navigation():
        page.evaluate("document.forms[0].submit()")
    assert "other_site" in page.inner_text("body")
    assert files(kept) == before


def test_page_says_what_it_cannot_say(page: Page) -> None:
    said = page.inner_text("#limits")
    assert page.locator("#limits li").count() == 5
    for word in ("eaten", "never saw", "spores", "several things", "probability"):
        assert word in said


@pytest.mark.parametrize("screen", [(1280, "light"), (390, "dark")])
def test_cards_and_labels_have_no_serious_issue_and_fit(
    chromium: Browser, service: ServeProcess, photos: list[Path], screen: tuple[int, Any]
) -> None:
    width, scheme = screen
    size = {"width": width, "height": 900}
    with chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:
        page = context.new_page()
        page.goto(service.url)
        choose(page, *photos[:2])
        say(page, 0, "fly agaric")
        page.get_by_role("button", name="The answer is right").nth(1).click()
        page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"]) for one in found if one["impact"] in SERIOUS] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
