"""A photo that the model learned from is told as such, in every form of the answer."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Run

from components.common.dataset.dataset import Dataset
from components.common.dataset.vocabulary import TRAINING


@pytest.fixture(scope="module")
def photos(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photo that was learned from, and one that was not."""
    folder = tmp_path_factory.mktemp("photos")
    training = Dataset(sample_run.directory / "training")
    learned = next(photo for photo in training.photos if photo.split == TRAINING)
    (folder / "learned.jpg").write_bytes(training.read(learned))
    demo = Dataset(sample_run.directory / "demo")
    (folder / "new.jpg").write_bytes(demo.read(demo.photos[0]))
    return folder


def label(sample_run: Run, *options: str) -> "subprocess.CompletedProcess[str]":
    model = str(sample_run.directory / "model")
    command = [sys.executable, "-m", "components.label_image", "--model_dir", model, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(("name", "told"), [("learned.jpg", True), ("new.jpg", False)])
def test_one_photo_says_so_in_a_line(
    sample_run: Run, photos: Path, name: str, *, told: bool
) -> None:
    done = label(sample_run, str(photos / name))
    assert ("the model was trained on this photo" in done.stdout) == told


def test_many_photos_say_which_and_how_many(sample_run: Run, photos: Path) -> None:
    warned = "the model was trained on 1 of these 2 photos"
    assert warned in label(sample_run, str(photos)).stderr
    rows = label(sample_run, str(photos), "--format", "csv")
    assert warned in rows.stderr
    assert [row["learned_from"] for row in csv.DictReader(io.StringIO(rows.stdout))] == [
        *("true", "false")
    ]
    lines = label(sample_run, str(photos), "--format", "json").stdout.splitlines()
    assert [json.loads(line)["learned_from"] for line in lines] == [True, False]
