"""`evaluate` on a real run: its figures are those of the model, photo by photo."""

import json
import math
from pathlib import Path

import pytest
from conftest import Run

from components.common.dataset import Dataset, DatasetWriter
from components.common.errors import InputError
from components.common.model import Model
from components.common.photo import DOUBTFUL_SUBJECT, OTHER_CLASS, Photo
from components.evaluate.evaluate import cautions, evaluate


def test_accuracy_is_that_of_the_model_counted_by_hand(sample_run: Run) -> None:
    model = Model(sample_run.directory / "model")
    right = total = 0
    for name, part in (("training", "test"), ("demo", "demo")):
        dataset = Dataset(sample_run.directory / name)
        photos = [photo for photo in dataset.photos if photo.split == part]
        for photo, scores in zip(
            photos, model.predict(dataset.read(photo) for photo in photos), strict=True
        ):
            right += model.description.classes[int(scores.argmax())] == photo.label
            total += 1
    metrics = sample_run.summary["metrics"]
    assert metrics["held_out_photos"] == total == metrics["test_photos"] + metrics["demo_photos"]
    assert metrics["accuracy"] == pytest.approx(right / total)
    assert sum(map(sum, metrics["confusion"])) == total


def test_metrics_are_finite_and_ordered(sample_run: Run) -> None:
    metrics = sample_run.summary["metrics"]
    for name, value in metrics.items():
        assert isinstance(value, list | str) or math.isfinite(value), name
    for part in ("test", "demo", "held_out"):
        low, high = metrics[f"{part}_accuracy_low"], metrics[f"{part}_accuracy_high"]
        assert 0 <= low <= metrics[f"{part}_accuracy"] <= high <= 1


def test_kfp_gets_the_metrics_and_the_confusion_matrix(sample_run: Run) -> None:
    outputs = list((sample_run.directory / "artifacts").rglob("executor_output.json"))
    found = {}
    for path in outputs:
        for name, artifacts in json.loads(path.read_text()).get("artifacts", {}).items():
            found[name] = artifacts["artifacts"][0]["metadata"]
    assert found["metrics"]["accuracy"] == sample_run.summary["metrics"]["accuracy"]
    matrix = found["confusion"]["confusionMatrix"]
    names = [entry["displayName"] for entry in matrix["annotationSpecs"]]
    assert names == sorted(sample_run.summary["photos"])


def test_photos_of_a_class_that_the_model_does_not_know_are_refused(
    sample_run: Run, tmp_path: Path
) -> None:
    import dataclasses

    demo = Dataset(sample_run.directory / "demo")
    with DatasetWriter(tmp_path / "other") as writer:
        for photo, data in demo.stream():
            writer.add(dataclasses.replace(photo, label="death cap"), data)
    with pytest.raises(InputError, match="death cap"):
        evaluate(
            sample_run.directory / "model",
            sample_run.directory / "training",
            tmp_path / "other",
            tmp_path / "metrics.json",
            tmp_path / "report.html",
        )
    assert not (tmp_path / "metrics.json").exists()


def test_photos_that_curation_doubts_are_told_of() -> None:
    photos = [Photo("a", flags=(OTHER_CLASS,)), Photo("a", flags=(DOUBTFUL_SUBJECT,)), Photo("b")]
    other, doubtful = cautions(photos)
    assert other.startswith("1 of these 3 photos look like another of the classes")
    assert doubtful.startswith("1 of these 3 photos perhaps show no mushroom")
    assert cautions(photos[2:]) == ()
