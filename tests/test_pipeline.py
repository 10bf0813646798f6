"""The compiled pipelines, read back as a cluster would read them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import run_captured

from components import settings

ROOT = Path(__file__).parents[1]
IMAGES = {
    "bottleneck": settings.TRAIN_IMAGE,
    "clean": settings.DATA_IMAGE,
    "compare": settings.DATA_IMAGE,
    "curate": settings.DATA_IMAGE,
    "decide": settings.DATA_IMAGE,
    "download": settings.DATA_IMAGE,
    "evaluate": settings.TRAIN_IMAGE,
    "label-image": settings.DATA_IMAGE,
    "publish": settings.DATA_IMAGE,
    "retrain": settings.TRAIN_IMAGE,
    "tensorboard": settings.DATA_IMAGE,
}
GPU_IMAGES = {
    "bottleneck": settings.TRAIN_CUDA_IMAGE,
    "retrain": settings.TRAIN_CUDA_IMAGE,
}
OUTPUTS = {
    "download": {"images": "Dataset"},
    "clean": {"cleaned": "Dataset", "rejects": "Dataset"},
    "bottleneck": {"bottlenecks": "Artifact"},
    "curate": {
        "training": "Dataset",
        "demo": "Dataset",
        "rejects": "Dataset",
        "ledger": "Artifact",
        "facts": "Artifact",
        "curation": "HTML",
        "counts": "Metrics",
    },
    "retrain": {"model": "Model", "logs": "Artifact"},
    "evaluate": {
        "metrics": "Metrics",
        "confusion": "ClassificationMetrics",
        "report": "HTML",
    },
    "label-image": {"predictions": "Artifact", "gallery": "HTML"},
    "compare": {"comparison": "Metrics"},
    "tensorboard": {"mlpipeline_ui_metadata": "Artifact"},
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("build")
    command = [sys.executable, str(ROOT / "pipeline.py"), "compile", "--output_dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return {
        kind: next(iter(yaml.safe_load_all((folder / f"pipeline-{kind}.yaml").read_text())))
        for kind in ("cpu", "gpu")
    }


def executors(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = pipeline["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): entry["container"] for name, entry in found.items()}


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_every_executor_runs_in_our_image_and_installs_nothing(
    compiled: dict[str, dict[str, Any]], kind: str
) -> None:
    found = executors(compiled[kind])
    expected = IMAGES if kind == "cpu" else IMAGES | GPU_IMAGES
    assert {name: container["image"] for name, container in found.items()} == expected
    for container in found.values():
        assert "pip install" not in " ".join(container["command"] + container["args"])


def test_image_names_come_from_the_environment(tmp_path: Path) -> None:
    name = "registry.example/mushrooms@sha256:" + 64 * "a"
    command = [sys.executable, str(ROOT / "pipeline.py"), "compile", "--output_dir", str(tmp_path)]
    named = dict.fromkeys(settings.NAME_VARIABLES.values(), name)
    subprocess.run(command, check=True, timeout=120, env={**os.environ, **named})
    for kind in ("cpu", "gpu"):
        text = (tmp_path / f"pipeline-{kind}.yaml").read_text()
        images = {
            container["image"] for container in executors(next(yaml.safe_load_all(text))).values()
        }
        assert images == {name}
        assert f"{settings.REPOSITORY}/" not in text  # TensorBoard's image is a parameter


def test_gpu_file_gives_bottleneck_and_retrain_an_accelerator_with_type_and_count(
    compiled: dict[str, dict[str, Any]],
) -> None:
    with_accelerator = {
        name: container["resources"]["accelerator"]
        for name, container in executors(compiled["gpu"]).items()
        if "accelerator" in container["resources"]
    }
    assert set(with_accelerator) == {"bottleneck", "retrain"}
    for accelerator in with_accelerator.values():
        assert accelerator["resourceType"] == "nvidia.com/gpu"
        assert accelerator["resourceCount"] == "1"


def test_cpu_file_asks_for_no_accelerator(compiled: dict[str, dict[str, Any]]) -> None:
    for name, container in executors(compiled["cpu"]).items():
        assert "accelerator" not in container["resources"], name
        assert container["resources"]["resourceCpuLimit"], name
        assert container["resources"]["resourceMemoryLimit"], name


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_every_artifact_has_the_type_of_the_design(
    compiled: dict[str, dict[str, Any]], kind: str
) -> None:
    components = compiled[kind]["components"]
    found = {
        name: {
            key: artifact["artifactType"]["schemaTitle"].removeprefix("system.")
            for key, artifact in components[f"comp-{name}"]["outputDefinitions"][
                "artifacts"
            ].items()
        }
        for name in OUTPUTS
    }
    assert found == OUTPUTS


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_classes_are_a_list_parameter_and_the_rest_has_defaults(
    compiled: dict[str, dict[str, Any]], kind: str
) -> None:
    parameters = compiled[kind]["root"]["inputDefinitions"]["parameters"]
    assert parameters.pop("classes")["parameterType"] == "LIST"
    assert {name for name, entry in parameters.items() if not entry.get("isOptional")} == set()
    assert parameters["how_many_training_steps"]["defaultValue"] == 1000
    assert parameters["optimizer"]["defaultValue"] == "adam"
    assert parameters["architecture"]["defaultValue"] == "mobilenet_1.0_224"


def test_classes_are_downloaded_one_at_a_time_by_default(
    compiled: dict[str, dict[str, Any]],
) -> None:
    loop = compiled["cpu"]["root"]["dag"]["tasks"]["for-loop-1"]
    assert loop["iteratorPolicy"]["parallelismLimit"] == 1


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_comparison_and_publishing_are_never_taken_from_the_cache(
    compiled: dict[str, dict[str, Any]], kind: str
) -> None:
    # What is published changes while the inputs of these stay the same.
    tasks = {
        name: task
        for dag in (compiled[kind]["root"], *compiled[kind]["components"].values())
        for name, task in dag.get("dag", {}).get("tasks", {}).items()
    }
    cached = {
        name for name, task in tasks.items() if "enableCache" in task.get("cachingOptions", {})
    }
    assert "retrain" in cached
    assert {"compare", "publish"} <= set(tasks) - cached


def test_publishing_waits_for_the_unnamed_word_of_decide(
    compiled: dict[str, dict[str, Any]],
) -> None:
    # A condition on a named output is silently False under kfp.local.
    tasks = compiled["cpu"]["root"]["dag"]["tasks"]
    (condition,) = [task for name, task in tasks.items() if name.startswith("condition")]
    assert "== 'publish'" in condition["triggerPolicy"]["condition"]
    decide = compiled["cpu"]["components"]["comp-decide"]
    assert list(decide["outputDefinitions"]["parameters"]) == ["Output"]
    assert "artifacts" not in decide["outputDefinitions"]


def test_submit_says_that_it_does_not_exist_yet() -> None:
    done = run_captured(sys.executable, str(ROOT / "pipeline.py"), "submit")
    assert done.returncode == 1
    assert "does not exist yet" in done.stderr
    assert "make compile" in done.stderr
