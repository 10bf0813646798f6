"""A run's pages lead to one another, and none of them to a place that is not there."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import Run
from playwright.sync_api import Browser

from components.common.model.description import read_description
from components.common.model.model_place import version_of

PAGES = ("index", "report", "gallery", "curation")
LINKS = "Array.from(document.querySelectorAll('a[href]'), (one) => one.href)"


def neighbours(browser: Browser, path: Path) -> set[Path]:
    """Files that a page links to."""
    page = browser.new_page()
    page.goto(path.as_uri())
    found = [urlsplit(link) for link in page.evaluate(LINKS)]
    page.close()
    return {Path(unquote(link.path)) for link in found if link.scheme == "file"} - {path}


@pytest.mark.parametrize("name", PAGES)
def test_each_page_leads_to_all_others_and_every_link_to_something(
    chromium: Browser, sample_run: Run, name: str
) -> None:
    found = neighbours(chromium, sample_run.directory / f"{name}.html")
    assert {path.stem for path in found if path.suffix == ".html"} == {*PAGES} - {name}
    assert [path for path in found if not path.exists()] == []


def test_links_lead_on_where_the_run_is_opened_by_its_other_name(
    chromium: Browser, sample_run: Run
) -> None:
    latest = sample_run.directory.parent / "latest"
    found = neighbours(chromium, latest / "report.html")
    assert found == {latest / f"{name}.html" for name in PAGES if name != "report"}


@pytest.mark.parametrize("name", PAGES[1:])
def test_page_that_is_alone_in_an_artifact_leads_to_no_file(
    chromium: Browser, sample_run: Run, name: str
) -> None:
    places = list((sample_run.directory / "artifacts").glob(f"*/*/{name}"))
    alone = sample_run.directory.parent / f"alone-{name}.html"
    alone.write_bytes(places[0].read_bytes())
    assert neighbours(chromium, alone) == set()


def test_pages_say_which_model_they_are_of_and_the_index_which_run(
    chromium: Browser, sample_run: Run
) -> None:
    model = read_description(sample_run.directory / "model")
    page = chromium.new_page()
    for name in PAGES[:3]:
        page.goto((sample_run.directory / f"{name}.html").as_uri())
        said = page.inner_text("body > header")
        assert version_of(model) in said
        assert model.manifest_sha256[:12] in said
        assert (sample_run.directory.name in page.inner_text("body")) == (name == "index")
    page.close()
