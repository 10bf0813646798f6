"""Labelling photos: the answers, their form, the speed's reason, and what is refused."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import Run, run_captured
from PIL import Image

from components.common import images
from components.common.dataset import Dataset


def label(*options: str, importtime: bool = False) -> "subprocess.CompletedProcess[str]":
    interpreter = [sys.executable, *(["-X", "importtime"] if importtime else [])]
    return run_captured(*interpreter, "-m", "components.label_image", *options)


@pytest.fixture
def photo(sample_run: Run, tmp_path: Path) -> Path:
    dataset = Dataset(sample_run.directory / "demo")
    path = tmp_path / "photo.jpg"
    path.write_bytes(dataset.read(dataset.photos[0]))
    return path


def test_answer_reads_as_label_image_py_s(sample_run: Run, photo: Path) -> None:
    model = str(sample_run.directory / "model")
    done = label("--image", str(photo), "--model_dir", model)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, blank, *answers = done.stdout.splitlines()
    assert re.fullmatch(r"Evaluation time \(1-image\): \d+\.\d{3}s", first)
    assert blank == ""
    assert len(answers) == 5
    scores = [float(re.fullmatch(r"[\w ]+ \(score=(\d\.\d{5})\)", line)[1]) for line in answers]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-3)


def test_photo_of_something_else_is_none_of_these(sample_run: Run, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    (tmp_path / "noise.jpg").write_bytes(images.encode(noise))
    model = str(sample_run.directory / "model")
    done = label("--image", str(tmp_path / "noise.jpg"), "--model_dir", model)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()[2]
    assert re.fullmatch(
        r"none of these \(similarity to the training photos 0\.\d\d, below 0\.\d\d\); "
        r"if one of them after all:",
        said,
    )
    assert len(done.stdout.splitlines()) == 8


@pytest.mark.parametrize("damage", ["missing", "cut", "pickle"])
def test_damaged_references_are_named(
    sample_run: Run, photo: Path, tmp_path: Path, damage: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(sample_run.directory / "model", model, ignore=lambda *_: ["saved_model"])
    references = model / "references.npz"
    data = references.read_bytes()
    references.unlink()
    if damage == "cut":
        references.write_bytes(data[: len(data) // 2])
    elif damage == "pickle":
        np.savez(references, vectors=np.array([{"a": 1}], dtype=object))
    done = label("--image", str(photo), "--model_dir", str(model))
    assert done.returncode == 2
    assert "references.npz" in done.stderr
    assert "Traceback" not in done.stderr


def test_top_k_limits_the_lines(sample_run: Run, photo: Path) -> None:
    model = str(sample_run.directory / "model")
    done = label("--image", str(photo), "--model_dir", model, "--top_k", "2")
    assert len(done.stdout.splitlines()) == 4


def test_one_photo_needs_neither_tensorflow_nor_pyarrow_nor_kfp(
    sample_run: Run, photo: Path
) -> None:
    model = str(sample_run.directory / "model")
    done = label("--image", str(photo), "--model_dir", model, importtime=True)
    assert done.returncode == 0
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "components.common.model" in modules
    assert not modules & {"tensorflow", "keras", "pyarrow", "kfp", "sklearn", "scipy"}


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_other_formats_get_the_same_likeliest_class(
    sample_run: Run, photo: Path, tmp_path: Path, form: str
) -> None:
    other = tmp_path / f"photo.{form.lower()}"
    with Image.open(photo) as image:
        image.save(other, form, **({"lossless": True} if form == "WEBP" else {}))
    model = str(sample_run.directory / "model")
    answers = [
        label("--image", str(path), "--model_dir", model, "--top_k", "1").stdout.split(" (")[1]
        for path in (photo, other)
    ]
    assert answers[0].splitlines()[-1] == answers[1].splitlines()[-1]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "no photo at"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: path.write_text("<html>not found</html>"), "no usable photo (html"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(3000)), "no usable photo"),
    ],
)
def test_no_photo_is_exit_2_with_one_clear_line(
    sample_run: Run, tmp_path: Path, make: object, expected: str
) -> None:
    path = tmp_path / "photo.jpg"
    make(path)  # type: ignore[operator]
    done = label("--image", str(path), "--model_dir", str(sample_run.directory / "model"))
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [None, "{}", "nonsense", '{"format": "other"}', "[]"])
def test_model_directory_that_is_none_is_exit_2(
    photo: Path, tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "model"
    if content is not None:
        folder.mkdir()
        (folder / "model.json").write_text(content)
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "model" in done.stderr
    assert "Traceback" not in done.stderr


def test_model_without_its_litert_file_is_exit_2(
    sample_run: Run, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    description = sample_run.directory / "model" / "model.json"
    (folder / "model.json").write_bytes(description.read_bytes())
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "model.tflite is missing" in done.stderr
    (folder / "model.tflite").write_bytes(b"no model" * 100)
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "no LiteRT model" in done.stderr


def test_neither_image_nor_demo_is_exit_2(sample_run: Run) -> None:
    done = label("--model_dir", str(sample_run.directory / "model"))
    assert done.returncode == 2
    assert "--image" in done.stderr


def test_predictions_of_the_demo_photos_are_complete(sample_run: Run) -> None:
    path = next((sample_run.directory / "artifacts").rglob("predictions"))
    rows = pq.read_table(path).to_pylist()
    demo = Dataset(sample_run.directory / "demo")
    assert [row["path"] for row in rows] == [photo.path for photo in demo.photos]
    assert all(row["right"] == (row["label"] == row["predicted"]) for row in rows)
    right = sum(row["right"] for row in rows)
    metrics = sample_run.summary["metrics"]
    assert right / len(rows) == pytest.approx(metrics["demo_accuracy"])
