"""Photos whose names are no UTF-8, as old archives and sticks leave them: every command takes them.

`make submit` has its own in tests/programs/submit/test_photos.py, and a whole run in
tests/test_run_places.py.
"""

import csv
import json
import os
import sys
from pathlib import Path

import pytest
from conftest import SMALL_ARCHITECTURE, Run, run_captured

from components.download.sources import sample

LABELS = ("fly agaric", "earthstar")
ODD = [b"G\xe4nsebl\xfcmchen 1.jpg", b"G\xe4nsebl\xfcmchen 2.jpg", b"\xff.jpg", b"\xfe.jpg"]
SHOWN = [os.fsdecode(name).encode(errors="backslashreplace").decode() for name in ODD]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of rendered pictures; some of the first have such names."""
    root = tmp_path_factory.mktemp("photos")
    for label in LABELS:
        (root / label).mkdir()
        whole = [picture for picture in sample.render_class(label, 24) if picture.fault is None]
        for number, picture in enumerate(whole):
            name = ODD[number] if label == LABELS[0] and number < len(ODD) else b"%d.jpg" % number
            (root / label / os.fsdecode(name)).write_bytes(picture.data)
    return root


def told(*command: object) -> str:
    done = run_captured(sys.executable, "-m", *map(str, command), timeout_s=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_retrain(photos: Path, tmp_path: Path) -> None:
    told(
        *("components.retrain", "--image_dir", photos, "--output_dir", tmp_path),
        *("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", 100),
        *("--print_misclassified_test_images", "--bottleneck_dir", tmp_path / "bottleneck"),
    )
    assert (tmp_path / "retrained_graph.pb").is_file()


def test_learning_curve(photos: Path, tmp_path: Path, backbone_cache: Path) -> None:
    told(
        *("programs.learning_curve", "--image_dir", photos, "--output_dir", tmp_path / "curve"),
        *("--architecture", SMALL_ARCHITECTURE, "--cache_dir", backbone_cache),
        *("--sizes", "2,5", "--draws", 2),
    )
    assert (tmp_path / "curve" / "learning-curve.csv").is_file()


def test_evaluate(sample_run: Run, photos: Path, tmp_path: Path) -> None:
    (photos / LABELS[0] / os.fsdecode(b"no ph\xf6to.jpg")).write_bytes(b"none")
    (photos / LABELS[0] / os.fsdecode(b"f\xf6lder")).mkdir()
    said = told(
        *("components.evaluate", "--model_dir", sample_run.directory / "model"),
        *("--folder", photos, "--metrics", tmp_path / "m.json", "--report", tmp_path / "r.html"),
    )
    (photos / LABELS[0] / os.fsdecode(b"no ph\xf6to.jpg")).unlink()
    (photos / LABELS[0] / os.fsdecode(b"f\xf6lder")).rmdir()
    assert "folder" in said
    page = (tmp_path / "r.html").read_text("utf-8")
    assert r"no ph\udcf6to.jpg" in page
    assert r"f\udcf6lder" in page


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_label_image(sample_run: Run, photos: Path, form: str) -> None:
    model = sample_run.directory / "model"
    said = told("components.label_image", photos, "--model_dir", model, "--format", form)
    if form == "text":
        assert "nsebl" in said
        return
    lines = said.splitlines()
    rows = csv.DictReader(lines) if form == "csv" else map(json.loads, lines)
    files = [row["file"] for row in rows]
    assert len(set(files)) == len(list(photos.rglob("*.jpg")))
    if form == "json":  # there the name opens the file
        assert all(Path(file).is_file() for file in files)
    else:
        assert {Path(file).name for file in files} >= set(SHOWN)


@pytest.mark.parametrize("command", ["run", "submit"])
def test_folder_that_is_no_text_is_told_in_a_line(tmp_path: Path, command: str) -> None:
    folder = tmp_path / os.fsdecode(b"Gr\xfcn")
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        (folder / label / "1.jpg").write_bytes(b"x")
    options = ("--image_dir", str(folder), "--runs_dir", str(tmp_path / "runs"))
    done = run_captured(
        sys.executable, "pipeline.py", command, *options[: 4 if command == "run" else 2]
    )
    assert done.returncode == 2
    assert r"Gr\udcfcn, which is not UTF-8 text" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_no_library_can_name_is_told_in_a_line(photos: Path, tmp_path: Path) -> None:
    done = run_captured(
        *(sys.executable, "-m", "components.retrain", "--image_dir", str(photos)),
        *("--output_dir", str(tmp_path / os.fsdecode(b"Gr\xfcn"))),
        *("--architecture", SMALL_ARCHITECTURE),
        timeout_s=120,
    )
    assert done.returncode == 2
    assert "holds bytes that are not UTF-8 text" in done.stderr
    assert "Traceback" not in done.stderr
