"""What the page says of a model's classes in a real browser: flowers, half-known mushrooms."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run
from playwright.sync_api import Browser, expect
from sealing import reseal
from serve_process import ServeProcess, serving

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.dataset.vocabulary import TRAINING

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def service(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    model = tmp_path_factory.mktemp("flowers") / "model"
    shutil.copytree(sample_run.directory / "model", model)
    reseal(model / "model.json", facts=ClassFacts("flowers").to_json())
    with serving(model) as process:
        yield process


def test_answer_to_a_photo_learned_from_says_so_and_warns_of_no_meal(
    chromium: Browser, service: ServeProcess, sample_run: Run, tmp_path: Path
) -> None:
    training = Dataset(sample_run.directory / "training")
    photo = next(photo for photo in training.photos if photo.split == TRAINING)
    (tmp_path / "photo.jpg").write_bytes(training.read(photo))
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(service.url)
        page.locator("#file").set_input_files(tmp_path / "photo.jpg")
        expect(page.locator("#result")).to_contain_text(
            "The model was trained on this photo", timeout=PATIENCE_MS
        )
        said = page.inner_text("body")
        assert "What is this?" in said
        assert "eat" not in page.locator("#result .notice").all_inner_texts()[-1]
        assert "mushroom" not in said.casefold().replace(
            "wild-mushrooms", ""
        )  # the pictures' author


@pytest.fixture(scope="module")
def half_stated(
    sample_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServeProcess]:
    """The sample's model: one class is stated to be deadly, and nothing of the others."""
    model = tmp_path_factory.mktemp("half") / "model"
    shutil.copytree(sample_run.directory / "model", model)
    reseal(model / "model.json", facts=ClassFacts(edibility={"earthstar": "deadly"}).to_json())
    with serving(model) as process:
        yield process


def test_class_of_which_no_danger_is_stated_does_not_look_harmless(
    chromium: Browser, half_stated: ServeProcess, sample_run: Run, tmp_path: Path
) -> None:
    demo = Dataset(sample_run.directory / "demo")
    for label in ("fly agaric", "earthstar"):
        photo = next(photo for photo in demo.photos if photo.label == label)
        (tmp_path / f"{label}.jpg").write_bytes(demo.read(photo))
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(half_stated.url)
        known = page.locator("#known")
        expect(known).to_contain_text("earthstar (deadly)")
        expect(known).to_contain_text("fly agaric (danger not stated)")
        expect(known).to_contain_text("Of 4 kinds nothing is stated, so no answer warns of them.")
        warning = "Whether fly agaric is dangerous is not stated here: it may be deadly."
        page.locator("#file").set_input_files(tmp_path / "fly agaric.jpg")
        expect(page.locator("#result")).to_contain_text(warning, timeout=PATIENCE_MS)
        page.locator("#file").set_input_files(tmp_path / "earthstar.jpg")
        expect(page.locator("#result .title")).to_have_text(
            "earthstar (deadly)", timeout=PATIENCE_MS
        )
        expect(page.locator("#result")).not_to_contain_text("is not stated here")


def test_telephone_shows_at_once_what_became_of_a_photo(
    chromium: Browser, half_stated: ServeProcess, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("no photo")
    with chromium.new_context(viewport={"width": 390, "height": 500}) as context:
        page = context.new_page()
        page.goto(half_stated.url)
        page.locator("#file").set_input_files(tmp_path / "text.txt")
        expect(page.locator("#problem p")).to_be_in_viewport(timeout=PATIENCE_MS)
