"""axe-core finds nothing serious on any page: names, contrast, landmarks, what keys can reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Run
from playwright.sync_api import Browser, Page, expect
from select_items import chosen
from serve_process import serving

from components.common.dataset.dataset import Dataset

pytestmark = pytest.mark.long

SERIOUS = ("serious", "critical")
SCREENS = ((1280, "light"), (390, "dark"))
PAGES = ("index", "report", "gallery", "curation", "curves")


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}-{screen[1]}")
def screen(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose policy lets axe-core in; those of readers do not."""
    width, scheme = request.param
    size = {"width": width, "height": 900}
    with chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:
        yield context.new_page()


def serious(page: Page) -> list[str]:
    """What axe-core finds, with the elements."""
    for closed in page.locator("details:not([open])").all():
        closed.evaluate("one => one.open = true")
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def place_of(run: Run, name: str) -> Path:
    """A page of a run; that of the curves is an artifact alone."""
    if name == "curves":
        return next(run.directory.glob("artifacts/*/tensorboard/curves"))
    return run.directory / f"{name}.html"


@pytest.mark.parametrize("name", PAGES)
def test_page_of_a_run_has_no_serious_issue(
    screen: Page, sample_run: Run, tmp_path: Path, name: str
) -> None:
    copied = tmp_path / f"{name}.html"  # artifacts have no extension
    copied.write_bytes(place_of(sample_run, name).read_bytes())
    screen.goto(copied.as_uri())
    assert serious(screen) == []


@pytest.mark.parametrize("name", ["change", "drift"])
def test_page_that_compares_has_no_serious_issue(
    screen: Page, comparisons: dict[str, Path], name: str
) -> None:
    screen.goto(comparisons[name].as_uri())
    assert serious(screen) == []


def test_report_that_shows_the_photos_of_one_cell_has_no_serious_issue(
    screen: Page, sample_run: Run
) -> None:
    screen.goto((sample_run.directory / "report.html").as_uri())
    screen.locator(".confusion a").first.click()
    assert serious(screen) == []


def test_page_of_photos_to_label_has_no_serious_issue(screen: Page, tmp_path: Path) -> None:
    chosen(tmp_path / "to-label", tmp_path / "photos")
    screen.goto((tmp_path / "to-label" / "label.html").as_uri())
    assert serious(screen) == []
    for key in ("n", "2", "n", "d", "n", "m"):
        screen.keyboard.press(key)
    assert serious(screen) == []
    screen.keyboard.press("Escape")
    screen.keyboard.press("?")
    assert serious(screen) == []


def test_page_of_the_service_has_no_serious_issue(
    screen: Page, sample_run: Run, tmp_path: Path
) -> None:
    demo = Dataset(sample_run.directory / "demo")
    (tmp_path / "photo.jpg").write_bytes(demo.read(demo.photos[0]))
    with serving(sample_run.directory / "model") as service:
        screen.goto(service.url)
        assert serious(screen) == []
        screen.locator("#file").set_input_files(tmp_path / "photo.jpg")
        expect(screen.locator("#result")).to_be_visible(timeout=30_000)
        assert serious(screen) == []


def test_a_serious_issue_would_be_found(screen: Page, tmp_path: Path) -> None:
    page = "<html lang=en><title>a</title><main><h1>a</h1><img src=data:,><a href=#></a></main>"
    (tmp_path / "page.html").write_text(page)
    screen.goto((tmp_path / "page.html").as_uri())
    assert {one.split(":")[0] for one in serious(screen)} == {"image-alt", "link-name"}
