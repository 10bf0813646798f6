"""The service's page in a real browser: photo in, species out, by mouse, keyboard and clipboard."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import heif_files  # noqa: F401 - saves HEIC
import numpy as np
import pytest
import requests
from conftest import Run
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, FileChooser, Page, Request, Route, expect
from serve_process import ServeProcess, serving

from components.common.dataset.dataset import Dataset
from components.common.model.model import Model
from components.common.pages import text
from components.common.pages.danger_words import with_danger
from components.common.photos import images

PHONE = {"width": 360, "height": 740}
PATIENCE_MS = 30_000
# Chromium writes this about every answer that is not 2xx, whatever the page does.
REFUSED = "Failed to load resource: the server responded with a status of"
PASTE = """([content, type]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "pasted", { type }));
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.activeElement.dispatchEvent(event);
}"""
DROP = """(content) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  if (content) data.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
  for (const name of ["dragenter", "dragover", "drop"]) {
    document.getElementById("drop").dispatchEvent(
      new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


@dataclass
class Visit:
    """The page in a browser of its own, and what became of it.

    Attributes:
        page: the page.
        said: messages on the console and errors of the script.
        elsewhere: addresses of other origins that were asked for.
        choosers: file choosers that were opened.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    choosers: list[FileChooser] = field(default_factory=list)

    def look_at(self, path: Path) -> None:
        self.page.locator("#file").set_input_files(path)

    def chooser(self) -> FileChooser:
        """The file chooser that opens."""
        for _ in range(PATIENCE_MS // 50):
            if self.choosers:
                break
            self.page.wait_for_timeout(50)
        return self.choosers[0]

    def expect_answer(self, title: str) -> None:
        expect(self.page.locator("#species")).to_have_text(title, timeout=PATIENCE_MS)
        expect(self.page.locator("#problem")).to_be_empty()
        expect(self.page.locator("#status")).to_be_empty()

    def expect_problem(self, text: str) -> None:
        expect(self.page.get_by_role("alert")).to_contain_text(text, timeout=PATIENCE_MS)
        expect(self.page.locator("#result")).to_be_hidden()
        expect(self.page.locator("#status")).to_be_empty()


@pytest.fixture(scope="module")
def service(sample_run: Run) -> Iterator[ServeProcess]:
    with serving(sample_run.directory / "model", "--max_upload_mb", "1") as process:
        yield process


@pytest.fixture(scope="module")
def photo(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = Dataset(sample_run.directory / "demo")
    path = tmp_path_factory.mktemp("photos") / "mushroom.jpg"
    path.write_bytes(dataset.read(dataset.photos[0]))
    return path


@pytest.fixture(scope="module")
def title(sample_run: Run, photo: Path) -> str:
    """The page's title for the photo."""
    model = Model(sample_run.directory / "model")
    found = next(model.predict_each([photo.read_bytes()]))
    assert not found.unknown
    label = model.classes[int(found.probabilities.argmax())]
    return with_danger(label, model.description.facts)


def visit(context: BrowserContext, service: ServeProcess) -> Visit:
    made = Visit(context.new_page())

    def requested(request: Request) -> None:
        if not request.url.startswith((service.url, "data:", "blob:")):
            made.elsewhere.append(request.url)

    made.page.on("request", requested)
    made.page.on("console", lambda message: made.said.append(message.text))
    made.page.on("pageerror", lambda error: made.said.append(str(error)))
    # From the start: a chooser that opens before somebody listens is lost.
    made.page.on("filechooser", lambda chooser: made.choosers.append(chooser))
    made.page.goto(service.url)
    return made


@pytest.fixture
def desk(chromium: Browser, service: ServeProcess) -> Iterator[Visit]:
    with chromium.new_context() as context:
        found = visit(context, service)
        yield found
        assert found.elsewhere == []
        assert [line for line in found.said if not line.startswith(REFUSED)] == []


@pytest.fixture
def phone(chromium: Browser, service: ServeProcess) -> Iterator[Visit]:
    with chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:
        found = visit(context, service)
        yield found
        assert (found.elsewhere, found.said) == ([], [])


def test_photo_gets_its_species_and_the_reasons(desk: Visit, photo: Path, title: str) -> None:
    desk.look_at(photo)
    desk.expect_answer(title)
    page = desk.page
    assert desk.said == []
    assert text.WARNING in page.inner_text("main")
    assert text.RENDERED in page.inner_text("main")
    bars = page.locator("#result .bars li")
    assert bars.count() == 5
    assert "%" in bars.first.inner_text()
    pictures = page.locator("#result img")
    assert pictures.count() == 2 + 6
    for picture in pictures.all():
        assert picture.evaluate("async (one) => { await one.decode(); return one.naturalWidth; }")
        assert picture.get_attribute("alt")
    cards = page.locator("#result .card")
    assert cards.count() == 6
    assert cards.first.locator(".source").inner_text()
    assert "Do not eat it" in page.inner_text("#result")
    # A screen reader goes on at the answer.
    assert page.evaluate("document.activeElement.id") == "species"


def test_text_file_named_jpg_gets_a_message(desk: Visit, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("This is not a photo.")
    desk.look_at(text)
    desk.expect_problem("This is not a photo")


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "TIFF"])
def test_photo_that_a_browser_may_not_show_gets_its_answer(
    desk: Visit, photo: Path, title: str, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / f"IMG_0001.{kind}"
    with Image.open(photo) as picture:
        picture.convert("RGB").save(other, kind)
    desk.look_at(other)
    desk.expect_answer(title)
    # Where it looked is a JPEG of the service; a picture that cannot be shown is taken away.
    expect(desk.page.locator("#result .pictures img")).to_have_count(1 if kind != "AVIF" else 2)
    assert desk.page.locator("#result .pictures img").first.evaluate("(one) => one.naturalWidth")


def test_file_that_is_too_large_is_not_sent(desk: Visit, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(1024**2 + 1))
    desk.look_at(large)
    desk.expect_problem("At most 1 MB")
    assert desk.said == []


def test_next_photo_replaces_the_message(
    desk: Visit, photo: Path, title: str, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photo.read_bytes()[:5000])
    desk.look_at(cut)
    desk.expect_problem("damaged")
    desk.look_at(photo)
    desk.expect_answer(title)


def test_something_else_is_none_of_these(desk: Visit, tmp_path: Path) -> None:
    stripes = np.zeros((300, 300, 3), np.uint8)
    stripes[::8] = (255, 0, 255)
    path = tmp_path / "stripes.jpg"
    path.write_bytes(images.encode(stripes))
    desk.look_at(path)
    desk.expect_answer("None of these")
    assert "closest to" in desk.page.inner_text("#result")


@pytest.mark.parametrize(
    ("predicted", "dangers", "title", "said"),
    [
        ("champignon", [], "champignon", ""),
        (
            *("champignon", [("death cap", "deadly", 0.04)], "champignon"),
            "It could also be death cap (deadly), 4\u00a0%.",
        ),
        ("death cap", [("death cap", "deadly", 0.9)], "death cap (deadly)", ""),
        (
            *(None, [("death cap", "deadly", 0.02), ("fly_agaric", "poisonous", 0.3)]),
            "None of these",
            "It could also be death cap (deadly), 2\u00a0%, or fly_agaric (poisonous), 30\u00a0%.",
        ),
        (
            *("champignon", [(f"<b>{place}</b>", "deadly", 0.05) for place in range(7)]),
            "champignon",
            "or <b>4</b> (deadly), 5\u00a0%, or 2 more.",
        ),
    ],
)
def test_dangerous_classes_are_named_beside_the_answer(
    desk: Visit,
    service: ServeProcess,
    photo: Path,
    predicted: str | None,
    dangers: list[tuple[str, str, float]],
    title: str,
    said: str,
) -> None:
    headers = {"Content-Type": "image/jpeg"}
    known = requests.post(f"{service.url}v1/predict", photo.read_bytes(), headers=headers).json()
    changed = {
        **known,
        "predicted": predicted,
        "unknown": predicted is None,
        "closest": predicted or "champignon",
        "dangers": [
            {"label": label, "edibility": edibility, "probability": share}
            for label, edibility, share in dangers
        ],
    }
    desk.page.route("**/v1/predict?*", lambda route: route.fulfill(json=changed))
    desk.look_at(photo)
    desk.expect_answer(title)
    result = desk.page.locator("#result .answer")
    assert ("could also be" in result.inner_text()) == bool(said)
    assert said in result.inner_text()
    assert "edible" not in result.inner_text()
    assert "Do not eat it" in result.inner_text()


def test_keyboard_alone_is_enough(desk: Visit, photo: Path, title: str) -> None:
    page = desk.page
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "choose":
            break
    page.keyboard.press("Enter")
    desk.chooser().set_files(photo)
    desk.expect_answer(title)
    # On to the question, the similar photos' sources, and what follows, without a trap.
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
    assert reached[:2] == ["BUTTON", "SELECT"]
    assert reached[2] in ("A", "SUMMARY")


def content(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_photo_can_be_pasted(desk: Visit, photo: Path, title: str) -> None:
    desk.page.evaluate(PASTE, [content(photo), "image/jpeg"])
    desk.expect_answer(title)


def test_photo_can_be_dropped(desk: Visit, photo: Path, title: str) -> None:
    desk.page.evaluate(DROP, content(photo))
    desk.expect_answer(title)


def test_dropping_something_else_gets_a_message(desk: Visit) -> None:
    desk.page.evaluate(DROP, "")
    desk.expect_problem("no photo file")


def test_waiting_is_shown_and_a_busy_service_can_be_asked_again(
    desk: Visit, photo: Path, title: str
) -> None:
    waiting: list[Route] = []
    desk.page.route("**/v1/predict?*", lambda route: waiting.append(route))
    desk.look_at(photo)
    expect(desk.page.get_by_role("status")).to_contain_text("Looking at your photo")
    expect(desk.page.locator("#status img")).to_be_visible()
    while not waiting:
        desk.page.wait_for_timeout(20)
    waiting[0].fulfill(status=503, json={"reason": "busy", "message": "Many photos. Try again."})
    desk.expect_problem("Many photos")
    desk.page.unroute("**/v1/predict?*")
    desk.page.get_by_role("button", name="Try again").click()
    desk.expect_answer(title)


def test_service_that_is_gone_gets_a_message(desk: Visit, photo: Path) -> None:
    desk.page.route("**/v1/predict?*", lambda route: route.abort())
    desk.look_at(photo)
    desk.expect_problem("cannot be reached")
    assert all(line.startswith("Failed to load resource") for line in desk.said)
    desk.said.clear()


def test_phone_shows_everything_without_scrolling_sideways(
    phone: Visit, photo: Path, title: str
) -> None:
    page = phone.page
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= PHONE["width"]
    page.get_by_role("button", name="Take a photo").tap()
    assert phone.chooser().element.get_attribute("capture") == "environment"
    phone.chooser().set_files(photo)
    phone.expect_answer(title)
    assert page.evaluate(width) <= PHONE["width"]
    box = page.locator("#choose").bounding_box()
    assert box is not None
    assert box["height"] >= 44  # a finger's width


def test_credits_are_shown_as_text_and_link_only_to_web_pages(
    desk: Visit, service: ServeProcess, photo: Path
) -> None:
    hostile = {
        "label": "<b>x</b>",
        "similarity": 1,
        "title": "",
        "author": "<img src=x onerror=alert(1)>",
        "licence": "own words",
        "licence_url": "javascript:alert(1)",
        "source_page": "https://example.org/photo/1",
        "thumbnail": "data:image/jpeg;base64,",
    }

    headers = {"Content-Type": "image/jpeg"}
    answer = requests.post(f"{service.url}v1/predict", photo.read_bytes(), headers=headers).json()
    desk.page.route(
        "**/v1/predict?*", lambda route: route.fulfill(json={**answer, "similar": [hostile]})
    )
    desk.look_at(photo)
    source = desk.page.locator("#result .source")
    expect(source).to_contain_text(hostile["author"], timeout=PATIENCE_MS)
    links = source.locator("a")
    assert [link.get_attribute("href") for link in links.all()] == ["https://example.org/photo/1"]
    assert desk.page.locator("#result .card").locator("img").count() == 1
