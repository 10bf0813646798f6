"""What artifacts say of themselves in Kubeflow Pipelines' metadata."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from dataset_files import write

from components.common.dataset.dataset import Dataset
from components.common.model.artifact_metadata import MAX_NAMES, of_dataset
from components.common.model.description import read_description
from components.common.model.model_place import version_of

OF_A_DATASET = {"photos", "classes", "class_names", "manifest_sha256"}
OF_BOTTLENECKS = {"photos", "length", "views", "architecture", "input_size", "weights_sha256"}
OF_A_MODEL = {
    *("framework", "architecture", "views", "input_size", "classes", "class_names", "version"),
    *("training_manifest_sha256", "weights_sha256", "photos", "cross_validated_accuracy"),
}


def said(run: Run, step: str, artifact: str) -> dict[str, Any]:
    """The metadata that a step gave KFP's launcher for one of its outputs."""
    (file,) = (run.directory / "artifacts").glob(f"*/{step}/executor_output.json")
    (output,) = json.loads(file.read_text())["artifacts"][artifact]["artifacts"]
    metadata: dict[str, Any] = output["metadata"]
    return metadata


@pytest.mark.parametrize(
    ("step", "artifact", "expected"),
    [
        ("download", "images", OF_A_DATASET),
        ("clean", "cleaned", OF_A_DATASET),
        ("clean", "rejects", OF_A_DATASET),
        ("bottleneck", "bottlenecks", OF_BOTTLENECKS),
        ("curate", "training", OF_A_DATASET),
        ("curate", "demo", OF_A_DATASET),
        ("curate", "rejects", OF_A_DATASET),
        ("retrain", "model", OF_A_MODEL),
    ],
)
def test_artifact_says_what_it_is(
    sample_run: Run, step: str, artifact: str, expected: set[str]
) -> None:
    metadata = said(sample_run, step, artifact)
    assert set(metadata) == expected
    assert {type(value) for value in metadata.values()} <= {int, float, str}


def test_figures_are_those_of_the_artifacts(sample_run: Run) -> None:
    demo = Dataset(sample_run.directory / "demo")
    metadata = said(sample_run, "curate", "demo")
    assert metadata["photos"] == len(demo.photos)
    assert metadata["class_names"] == ", ".join(demo.labels)
    model = read_description(sample_run.directory / "model")
    metadata = said(sample_run, "retrain", "model")
    assert metadata["version"] == version_of(model)
    assert metadata["classes"] == len(model.classes)
    training = said(sample_run, "curate", "training")
    assert metadata["training_manifest_sha256"] == training["manifest_sha256"]


def test_of_very_many_classes_the_first_are_named(tmp_path: Path) -> None:
    write(tmp_path / "many", tuple(f"class {number:03}" for number in range(50)), 1)
    metadata = of_dataset(tmp_path / "many")
    assert metadata["classes"] == metadata["photos"] == 50
    assert str(metadata["class_names"]).endswith(f"and {50 - MAX_NAMES} more")


def test_dataset_without_photos_says_so(tmp_path: Path) -> None:
    write(tmp_path / "none", (), 0)
    metadata = of_dataset(tmp_path / "none")
    assert (metadata["photos"], metadata["classes"], metadata["class_names"]) == (0, 0, "")
