"""The page of a model of flowers in a real browser: what it says, and what it leaves out."""

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
