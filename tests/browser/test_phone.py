"""Every page 390 pixels wide, with long names of classes: nothing is cut, nothing hides the page.

A name may break after "_" only, a number keeps its percent sign, and what is wider than the screen
scrolls in a frame of its own.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run
from evaluation_items import answer, description, evaluation
from playwright.sync_api import Browser, Page, expect
from serve_process import serving

from components.common.dataset.dataset import Dataset
from components.common.model.model import Model
from components.evaluate import report

PHONE = {"width": 390, "height": 844}
PAGES = ("index", "report", "gallery", "curation", "learning-curve")
# Parts of names of classes that do not lie on one line, and are no longer than a card is wide.
TORN = """() => {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const torn = [], parts = /^(Hygrophoropsis_|aurantiaca_|chanterelle|stinkhorn_|northern_)$/;
  let seen = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!parts.test(node.data.trim()) || node.parentElement.closest(".source")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = Array.from(range.getClientRects()).filter((box) => box.width && box.height);
    const upright = getComputedStyle(node.parentElement).writingMode !== "horizontal-tb";
    const lines = new Set(boxes.map((box) => Math.round(upright ? box.left : box.top)));
    seen += boxes.length;
    if (lines.size > 1) torn.push(node.parentElement.outerHTML);
  }
  return [seen, torn];
}"""
# Until a card comes into view its size is a guess.
LOOKED_AT = """() => document.querySelectorAll(".photo").forEach(
  (one) => { one.style.contentVisibility = "visible"; })"""
# Elements whose own text does not fit into them.
CUT = """() => Array.from(document.querySelectorAll("main th, main td, main h2, main h3, main h4, \
main p, main li, main span, main figcaption")).filter((one) => {
  const style = getComputedStyle(one);
  const hides = style.overflowX !== "visible" || style.overflowY !== "visible";
  return hides && one.clientWidth &&
    (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1);
}).map((one) => one.outerHTML.slice(0, 200))"""
SIDEWAYS = """() => Array.from(document.querySelectorAll(".scroll")).filter((one) =>
  one.scrollWidth > one.clientWidth + 1).map((one) => one.className)"""


@pytest.fixture(scope="module")
def pages(long_names_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of the run, and a learning curve of its photos."""
    curve = tmp_path_factory.mktemp("curve")
    command = [sys.executable, "-m", "programs.learning_curve", "--draws", "2"]
    command += ["--image_dir", str(long_names_run.directory / "training"), "--sizes", "5"]
    command += ["--architecture", SMALL_ARCHITECTURE, "--output_dir", str(curve)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    made = {path.stem: path for path in long_names_run.directory.glob("*.html")}
    return {**made, "learning-curve": curve / "learning-curve.html"}


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:
        yield context.new_page()


def check_fits(page: Page) -> None:
    """Nothing is wider than the screen, cut, or broken within a word."""
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide == [PHONE["width"]] * 2
    seen, torn = page.evaluate(TORN)
    assert seen > 0
    assert torn == []
    page.evaluate(LOOKED_AT)
    assert page.evaluate(CUT) == []
    assert not re.search(r"\d %", page.inner_text("main"))


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_page_is_cut_or_torn(phone: Page, pages: dict[str, Path], name: str) -> None:
    phone.goto(pages[name].as_uri())
    for closed in phone.locator("details:not([open]) > summary").all():
        closed.click()
    check_fits(phone)
    assert phone.evaluate(SIDEWAYS) == []
    assert "\u00a0%" in phone.inner_text("main") or name == "curation"


@pytest.mark.long
@pytest.mark.parametrize("name", ["change", "drift"])
def test_nothing_of_a_page_that_compares_is_cut_or_torn(
    phone: Page, comparisons: dict[str, Path], name: str
) -> None:
    phone.goto(comparisons[name].as_uri())
    for closed in phone.locator("details:not([open]) > summary").all():
        closed.click()
    check_fits(phone)
    phone.evaluate("document.documentElement.style.fontSize = '200%'")
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("name", ["index", "report", "gallery", "curation"])
def test_text_of_twice_the_size_fits_as_well(phone: Page, sample_run: Run, name: str) -> None:
    phone.goto((sample_run.directory / f"{name}.html").as_uri())
    phone.evaluate("document.documentElement.style.fontSize = '200%'")
    phone.evaluate(LOOKED_AT)
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    if name == "curation":
        phone.evaluate("scrollTo(0, 2000)")
        expect(phone.locator("#bar")).to_be_in_viewport(ratio=1)


def test_figures_of_a_row_stand_below_its_name_each_with_its_own(
    phone: Page, pages: dict[str, Path]
) -> None:
    phone.goto(pages["report"].as_uri())
    row = phone.locator(".wide tr", has_text="northern")
    name, first = (row.locator(kind).first.bounding_box() for kind in ("th", "td"))
    assert name is not None
    assert first is not None
    assert first["y"] >= name["y"] + name["height"]
    shown = "one => getComputedStyle(one, '::before').content"
    assert row.locator("td").first.evaluate(shown) == '"Photos"'
    assert row.locator("td").nth(1).evaluate(shown) == '"Recall"'


def test_matrix_of_many_classes_scrolls_in_its_own_frame(phone: Page, tmp_path: Path) -> None:
    names = ("Hygrophoropsis", "a")
    classes = tuple(f"{name}_aurantiaca_{number}" for name in names for number in range(6))
    shares = (0.45, *[0.05] * 11)
    answers = [answer(label, shares, classes=classes) for label in classes]
    found = evaluation(answers, description(classes))
    (tmp_path / "report.html").write_text(report.render(found), encoding="utf-8")
    phone.goto((tmp_path / "report.html").as_uri())
    check_fits(phone)
    assert phone.evaluate(SIDEWAYS) == ["scroll confusion"]
    frame = phone.locator(".confusion")
    frame.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    last = frame.locator("thead th").last.bounding_box()
    assert last is not None
    assert last["x"] + last["width"] <= PHONE["width"]


def test_bar_of_decisions_leaves_room_for_the_page(phone: Page, pages: dict[str, Path]) -> None:
    phone.goto(pages["curation"].as_uri())
    bar = phone.locator("#bar")
    expect(bar).to_be_visible()
    box = bar.bounding_box()
    assert box is not None
    assert box["height"] <= 64
    for part in (bar.locator("select"), bar.get_by_text("Export"), bar.get_by_text("As text")):
        inner = part.bounding_box()
        assert inner is not None
        assert box["x"] <= inner["x"]
        assert inner["x"] + inner["width"] <= box["x"] + box["width"]
    bar.get_by_text("As text").click()
    expect(bar.locator("textarea")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_learning_curve_fills_its_card_on_a_wide_screen(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    page = chromium.new_page(viewport={"width": 1000, "height": 1400})
    page.goto(pages["learning-curve"].as_uri())
    card, picture, words = (
        page.locator(one).first.bounding_box() for one in (".panel", ".panel svg", ".panel svg + p")
    )
    assert card is not None
    assert picture is not None
    assert words is not None
    assert words["x"] > picture["x"] + picture["width"]
    assert picture["width"] + words["width"] > 0.9 * card["width"]
    page.close()


def test_page_of_the_service_shows_long_names_as_they_are(
    phone: Page, long_names_run: Run, tmp_path: Path
) -> None:
    dataset = Dataset(long_names_run.directory / "demo")
    model = Model(long_names_run.directory / "model")
    named = [one for one in dataset.photos if one.label == "common_stinkhorn_of_the_northern_woods"]
    found = next(model.predict_each([dataset.read(named[0])]))
    (tmp_path / "photo.jpg").write_bytes(dataset.read(named[0]))
    with serving(long_names_run.directory / "model") as service:
        phone.goto(service.url)
        check_fits(phone)
        phone.locator("#file").set_input_files(tmp_path / "photo.jpg")
        expect(phone.locator("#result")).to_be_visible(timeout=30_000)
        check_fits(phone)
        labels = phone.locator("#result .bars .label").all_inner_texts()
        assert labels[0] == model.classes[int(found.probabilities.argmax())]
        assert set(labels) == set(model.classes)
