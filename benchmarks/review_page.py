"""Is the review page quick with many photos? `python -m benchmarks.review_page FOLDER`.

A page of 2,000 photos, drawn again and again from a folder's, is opened as a file in a headless
Chromium of 1280 × 900 pixels. Reported are its size, when it first shows something and is loaded,
and how long each key takes until the browser has drawn what it did; keys also where no card waits
with its layout until it comes into view (`content-visibility`). Medians, and the longest.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.base.errors import WorkError
from components.common.base.step import run_command
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import Decisions
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import IN_TWO_CLASSES, OTHER_CLASS
from components.common.photos import images
from components.curate import facts, review
from components.curate.facts import CURATE, Entry
from components.curate.selection import Judged, Selection

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PHOTOS = 2000
PAGES = 3  # how often the page is opened
ROUNDS = 15  # how often each key is pressed on each
KEYS = ("ArrowRight", "ArrowDown", "k", "d", "2", "u")
LABELS = ("a", "b", "c", "d", "e")
# From the key to the end of the frame that shows what it did, in ms.
PRESS = """(key) => new Promise((done) => {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  const start = performance.now();
  document.activeElement.dispatchEvent(event);
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now() - start);
    channel.port2.postMessage(0);
  });
})"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
ALL_AT_ONCE = """() => document.querySelectorAll(".photo").forEach(
  (card) => { card.style.contentVisibility = "visible"; })"""


def made_up(files: Sequence[Path], count: int) -> str:
    """A review page of `count` photos, as large as real ones are."""
    entries = []
    for number in range(count):
        label = LABELS[number % len(LABELS)]
        photo = Photo(
            label,
            path=f"{label}/{number:016x}.jpg",
            source_sha256=f"{number:064x}",
            source_url=f"{label}/IMG_{number:05}.jpg",
            author="A. N. Author",
            licence="CC-BY-4.0",
            group=str(number // 70),
            split="training",
            flags=(OTHER_CLASS,) if number % 40 == 0 else (),
            reason=IN_TWO_CLASSES if number % 33 == 2 else "",
        )
        entries.append(Entry(Judged(photo, nearest="b", margin=-0.2), CURATE, "", label))
    shown = review.choose(entries)
    small = [images.thumbnail(file.read_bytes(), review.THUMBNAIL_SIDE) for file in files]
    for number, entry in enumerate(entries):
        if shown.wants(entry):
            shown.small[CURATE, entry.photo.label, entry.photo.path] = small[number % len(small)]
    content = facts.summary(entries, Selection({}, True, {}, {}, 0, {}), ClassFacts("any"), [])
    return review.render(shown, content, Decisions())


def measure(browser: "Browser", place: Path) -> dict[str, list[float]]:
    """When the page paints and is loaded, and what each key takes; by name, in ms."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(place.as_uri())
    page.locator("#bar").wait_for()
    found = {"first paint": [page.evaluate(PAINTED)], "loaded": [page.evaluate(LOADED)]}
    ways = {"a key": "() => {}", "a key, all cards laid out": ALL_AT_ONCE}
    for name, prepare in ways.items():
        page.evaluate(prepare)
        page.locator("#used .photo").nth(50).click(position={"x": 5, "y": 100})
        presses = [key for _ in range(ROUNDS) for key in KEYS]
        found[name] = [page.evaluate(PRESS, key) for key in presses]
    page.close()
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.review_page", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("images", type=Path, help="a folder of photos, in any subfolders")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="photos of the page")
    run_command("bench-review", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    from playwright.sync_api import sync_playwright

    files = sorted(arguments.images.expanduser().rglob("*.jpg"))
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not files or not found:
        raise WorkError(f"{arguments.images} has no *.jpg, or there is no Chromium on this machine")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder) / "curation.html"
        place.write_text(made_up(files, arguments.photos), encoding="utf-8")
        print(f"{arguments.photos} photos, {place.stat().st_size / 1e6:.1f} MB")
        measured = []
        for _ in range(PAGES):
            with playwright.chromium.launch(
                executable_path=found, args=["--no-sandbox"]
            ) as browser:
                measured.append(measure(browser, place))
    for name in measured[0]:
        taken = [ms for page in measured for ms in page[name]]
        print(f"{name}: {statistics.median(taken):.0f} ms, at most {max(taken):.0f}")


if __name__ == "__main__":
    main()
