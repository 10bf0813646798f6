"""A whole run where people really have their files: odd folders, odd names, odd disks."""

import csv
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run
from test_run import write_class

from components.common.dataset.dataset import Dataset
from components.download.sources import sample
from programs.verify.verify import verify

ODD = 'it\'s "my" $HOME (python3) {{$.inputs}} {{$}} [x] `touch hacked` 🍄'
CLASSES = ("{{$.inputs}} python3", 'it\'s "q" $HOME [b] `id` 🍄')

pytestmark = pytest.mark.long

NO_TEXT = [b"G\xe4nsebl\xfcmchen 1.jpg", b"G\xe4nsebl\xfcmchen 2.jpg", b"\xff.jpg", b"\xfe.jpg"]


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path) -> Run:
    """A run from a checkout, on photos and into folders with odd names.

    One photo cannot be read, the names of some are no UTF-8, and `latest` is a folder of somebody's
    own.
    """
    folder = tmp_path_factory.mktemp("places") / ODD
    long = "ü" * 124 + "abcdefg"  # 255 bytes
    for label, looks in zip(CLASSES, sample.LABELS, strict=False):
        write_class(folder / "photos" / label, label, 16, looks=looks)
    names = sorted(path.name for path in (folder / "photos" / CLASSES[1]).iterdir())
    for name, odd in zip(names, NO_TEXT, strict=False):
        path = folder / "photos" / CLASSES[1] / name
        path.rename(path.with_name(os.fsdecode(odd)))
    # Even root gets an error of the disk when it reads this.
    (folder / "photos" / CLASSES[0] / "unreadable.jpg").symlink_to("/proc/self/mem")
    (folder / "photos" / CLASSES[0] / "000.jpg").rename(
        folder / "photos" / CLASSES[0] / f"{long[:-4]}.jpg"
    )
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("components", "programs", "pipeline.py", "species.yaml"):
        (checkout / name).symlink_to(ROOT / name)
    (folder / "cache").symlink_to(backbone_cache)
    (folder / long / "latest" / "mine").mkdir(parents=True)
    done = subprocess.run(
        [
            *(sys.executable, str(checkout / "pipeline.py"), "run"),
            *("--image_dir", str(folder / "photos"), "--runs_dir", str(folder / long)),
            *("--cache_dir", str(folder / "cache"), "--min_accuracy", "0"),
            *("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "50"),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = (folder / long).glob("2*")
    return Run(directory, done.stdout, done.stderr, done.returncode)


def test_run_in_folders_with_odd_names_is_whole(odd_run: Run) -> None:
    assert set(odd_run.summary["photos"]) == set(CLASSES)
    assert sum(sum(parts.values()) for parts in odd_run.summary["photos"].values()) > 20
    assert Path(odd_run.summary["published"]).is_relative_to(odd_run.directory.parent)
    assert all(finding.fits for finding in verify(odd_run.directory))
    assert not list(odd_run.directory.parents[1].rglob("hacked"))


def test_photos_whose_names_are_no_text_are_used(odd_run: Run) -> None:
    parts = (Dataset(odd_run.directory / name).photos for name in ("training", "demo"))
    named = {Path(photo.source_url).name for photo in itertools.chain(*parts)}
    shown = {os.fsdecode(name).encode(errors="backslashreplace").decode() for name in NO_TEXT}
    assert named >= shown


def test_photo_that_cannot_be_read_is_left_out_with_its_reason(odd_run: Run) -> None:
    with open(odd_run.directory / "REASONS.csv", encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["reason"] == "unreadable"]
    assert [(row["class"], row["found_as"]) for row in rows] == [
        (CLASSES[0], f"{CLASSES[0]}/unreadable.jpg")
    ]
    assert "1 unreadable file was left out, such as" in odd_run.stdout
    assert "unreadable.jpg (Input/output error)" in odd_run.stdout


def test_latest_that_is_somebody_s_own_folder_stays(odd_run: Run) -> None:
    latest = odd_run.directory.parent / "latest"
    assert [entry.name for entry in latest.iterdir()] == ["mine"]
    assert f"{latest} does not lead to this run" in odd_run.stdout


def test_names_stand_in_the_artifacts_as_they_are(odd_run: Run) -> None:
    gathered = next((odd_run.directory / "artifacts").glob("*/download/images"))
    assert {photo.label for photo in Dataset(gathered).photos} == set(CLASSES)
    request = json.loads((odd_run.directory / "request.json").read_text())
    assert request["arguments"]["classes"] == sorted(CLASSES)
