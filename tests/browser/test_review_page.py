"""The review page in a real browser: drop, export, run again. What was dropped is gone, no more."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from conftest import SMALL_ARCHITECTURE, Run, run_pipeline
from playwright.sync_api import Page

from components.common.dataset import decisions


def outcomes(run: Run) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Part and reason of every photo."""
    rows = pq.read_table(run.directory / "facts" / "photos.parquet").to_pylist()
    return {
        (row["label"], row["source_sha256"], row["step"]): (row["split"], row["reason"])
        for row in rows
    }


def test_two_dropped_photos_are_gone_and_nothing_else_moved(
    page: Page, sample_run: Run, backbone_cache: Path, tmp_path: Path
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto((sample_run.directory / "curation.html").as_uri())
    drops = page.locator("#used .photo button[value=drop]")
    for number in (0, drops.count() - 1):
        drops.nth(number).click()
    assert page.locator("#bar output").inner_text() == "0 to keep, 2 to drop"
    with page.expect_download() as download:
        page.locator("#bar a").click()
    place = tmp_path / "decisions.json"
    download.value.save_as(place)
    assert errors == []
    dropped = {
        (one["label"], one["source_sha256"], "curate")
        for one in json.loads(place.read_text())["decisions"]
    }
    assert len(dropped) == 2
    assert len(decisions.read(str(place)).decided) == 2

    again = run_pipeline(
        tmp_path / "runs",
        backbone_cache,
        *("--per_class", "20", "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "20", "--decisions", str(place)),
    )
    assert again.returncode == 0, again.stdout + again.stderr
    before, after = outcomes(sample_run), outcomes(again)
    assert set(after) == set(before)
    for photo in dropped:
        assert before[photo][1] == ""
        assert after[photo] == (before[photo][0], "dropped")
    # A photo of the training part may now look otherwise to the two that are gone; none changes
    # its part.
    assert {name for name in after if after[name][0] != before[name][0]} == set()
    used = {
        photo["source_sha256"]
        for part in ("training", "demo")
        for photo in pq.read_table(again.directory / part / "manifest.parquet").to_pylist()
    }
    assert not used & {sha256 for _, sha256, _ in dropped}

    # The page of the second run knows what was decided, and its export holds it.
    page.goto((again.directory / "curation.html").as_uri())
    assert page.locator("#bar output").inner_text() == "0 to keep, 2 to drop"
    assert page.locator("#by-hand .photo.drop").count() == 2
    page.locator("#by-hand .photo.drop button[value=drop]").first.click()
    assert page.locator("#bar output").inner_text() == "0 to keep, 1 to drop"


def test_filter_shows_one_class(page: Page, sample_run: Run) -> None:
    page.goto((sample_run.directory / "curation.html").as_uri())
    everything = page.locator(".photo:visible").count()
    page.locator("#bar select").select_option("1")
    visible = page.locator(".photo:visible")
    assert 0 < visible.count() < everything
    assert {card.get_attribute("data-class") for card in visible.all()} == {"1"}
    page.locator("#bar select").select_option("")
    assert page.locator(".photo:visible").count() == everything


def test_page_fits_a_telephone(page: Page, sample_run: Run) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto((sample_run.directory / "curation.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 900})
