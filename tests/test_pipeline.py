"""The compiled pipelines, read back as a cluster would read them."""

import json
from pathlib import Path

import pytest
from compiled_pipelines import Compiled, compile_to, compile_variants

from components import settings
from components.common.dataset.species import as_document, read_species
from programs.run.options import SPECIES_FILE

DATA, TRAIN = (f"registry.example/mushrooms/{kind}:1" for kind in ("data", "train"))
IMAGES = {
    "bottleneck": TRAIN,
    "clean": DATA,
    "curate": DATA,
    "download": DATA,
    "evaluate": TRAIN,
    "label-image": DATA,
    "publish": DATA,
    "retrain": TRAIN,
    "summarize": DATA,
    "tensorboard": DATA,
}
GPU_IMAGES = {"retrain": "registry.example/mushrooms/train-cuda:1"}
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
    "publish": {"comparison": "Metrics", "change": "HTML"},
    "tensorboard": {"curves": "HTML", "mlpipeline_ui_metadata": "Artifact"},
    "summarize": {"summary": "Markdown"},
}


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_every_executor_runs_in_our_image_and_installs_nothing(
    compiled: dict[str, Compiled], kind: str
) -> None:
    found = compiled[kind].containers
    expected = IMAGES if kind == "cpu" else IMAGES | GPU_IMAGES
    assert {name: container["image"] for name, container in found.items()} == expected
    for container in found.values():
        assert "pip install" not in " ".join(container["command"] + container["args"])


def test_image_names_come_from_the_environment(tmp_path: Path) -> None:
    name = "registry.example/mushrooms@sha256:" + 64 * "a"
    compile_to(tmp_path, images=dict.fromkeys(settings.NAME_VARIABLES.values(), name))
    for kind in ("cpu", "gpu"):
        one = Compiled.read(tmp_path / f"pipeline-{kind}.yaml")
        assert {container["image"] for container in one.containers.values()} == {name}
        # TensorBoard's image is a parameter.
        assert f"{settings.REPOSITORY}/" not in one.path.read_text()


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_every_artifact_has_the_type_of_the_design(
    compiled: dict[str, Compiled], kind: str
) -> None:
    components = compiled[kind].pipeline["components"]
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
def test_every_parameter_has_a_default(compiled: dict[str, Compiled], kind: str) -> None:
    # So that KFP's own form, a clone of a run and a recurring run need nothing to be filled in.
    parameters = compiled[kind].parameters
    assert {name for name, entry in parameters.items() if not entry.get("isOptional")} == set()
    assert parameters["classes"]["defaultValue"] == as_document(read_species(SPECIES_FILE))
    defaults = compiled[kind].defaults
    assert defaults["how_many_training_steps"] == 1000
    assert defaults["optimizer"] == "adam"
    assert defaults["architecture"] == "efficientnet_lite0"


# What a person sees in KFP's form: its page sorts parameters by name and does not describe them.
IN_FORM = {"architecture", "decisions", "fine_tune_steps", "min_accuracy", "name", "seed"}
OF_SOURCES = {"classes", "contact", "image_dir", "per_class", "source"}
STEPS = {"step_bottleneck", "step_clean", "step_curate", "step_publish", "step_retrain"}


@pytest.mark.parametrize("kind", ["cpu", "gpu", "gpu-dataset"])
def test_form_shows_a_dozen_parameters_before_the_steps_dictionaries(
    compiled: dict[str, Compiled], kind: str
) -> None:
    gathered = kind != "gpu-dataset"
    expected = IN_FORM | (OF_SOURCES if gathered else {"dataset_uri"})
    steps = STEPS | ({"step_download"} if gathered else set())
    found = sorted(compiled[kind].parameters)
    assert found == sorted(expected) + sorted(steps)
    for name in steps:
        assert compiled[kind].parameters[name]["parameterType"] == "STRUCT"


@pytest.mark.parametrize("kind", ["cpu", "gpu", "gpu-dataset"])
def test_no_pod_is_there_for_order_alone(compiled: dict[str, Compiled], kind: str) -> None:
    # A task costs two pods, a loop, a condition or a group one more: 20 s each.
    tasks = set(compiled[kind].tasks) - {"importer", "download"}
    assert tasks == set(IMAGES) - {"download"} | {"exit-handler-1"}


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The variant for a packed dataset in three parts."""
    path = tmp_path_factory.mktemp("parts") / "parts.yaml"
    compile_variants({path: {"gpu": True, "photos": "dataset", "parts": 3}})
    return Compiled.read(path)


def test_loop_over_parts_hands_on_lists_of_which_none_is_of_the_cache(in_parts: Compiled) -> None:
    one = in_parts
    (key,) = [key for key, task in one.tasks.items() if "parameterIterator" in task]
    loop = one.tasks[key]
    # By its key KFP finds what the loop has made: a shown name of its own was not tried there.
    assert loop["taskInfo"]["name"] == key
    assert json.loads(loop["parameterIterator"]["items"]["raw"]) == ["1/3", "2/3", "3/3"]
    # KFP opens the store of a list where its first item lies, and a cached one lies elsewhere.
    for name in ("clean-part", "bottleneck"):
        assert "enableCache" not in one.tasks[name].get("cachingOptions", {})
    inputs = one.pipeline["components"]["comp-curate-parts"]["inputDefinitions"]["artifacts"]
    assert all(entry.get("isArtifactList") for entry in inputs.values())


def test_photos_of_parts_are_not_handed_to_who_needs_only_some(in_parts: Compiled) -> None:
    one = in_parts
    # The launcher fetches all of an input: the packed photos go to no task, those of a part to one.
    assert "importer" not in one.tasks
    assert "artifacts" not in one.pipeline["components"]["comp-clean-part"]["inputDefinitions"]
    takers = [
        name
        for name, task in one.tasks.items()
        for given in task.get("inputs", {}).get("artifacts", {}).values()
        if given.get("taskOutputArtifact", {}).get("outputArtifactKey") in ("cleaned", "rejects")
        and given["taskOutputArtifact"]["producerTask"] == "clean-part"
    ]
    assert takers == ["bottleneck"]


@pytest.mark.parametrize("kind", ["cpu", "gpu", "gpu-dataset"])
def test_no_task_has_another_name_than_its_key(compiled: dict[str, Compiled], kind: str) -> None:
    # A loop looks for an importer's output by the display name, and for others' by the key.
    for dag in (compiled[kind].pipeline["root"], *compiled[kind].pipeline["components"].values()):
        for key, task in dag.get("dag", {}).get("tasks", {}).items():
            name = task["taskInfo"]["name"]
            assert name == key or key.startswith("exit-handler"), name


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_comparison_publishing_and_summary_are_never_taken_from_the_cache(
    compiled: dict[str, Compiled], kind: str
) -> None:
    # What is published, and how a run ends, changes while the inputs of these stay the same.
    cached = {
        name
        for name, task in compiled[kind].tasks.items()
        if "enableCache" in task.get("cachingOptions", {})
    }
    assert {"download", "bottleneck", "retrain"} <= cached
    assert {"publish", "summarize"} <= set(compiled[kind].tasks) - cached


def test_cache_key_holds_what_the_names_of_photos_and_weights_do_not_say(
    compiled: dict[str, Compiled],
) -> None:
    tasks = compiled["cpu"].tasks
    for task, parameter in (("download", "photos_as_of"), ("bottleneck", "weights_sha256")):
        assert compiled["cpu"].parameters[f"step_{task}"]["defaultValue"][parameter] == ""
        assert "options" in tasks[task]["inputs"]["parameters"]


def test_summary_comes_last_and_also_after_a_failure(compiled: dict[str, Compiled]) -> None:
    root = compiled["cpu"].pipeline["root"]["dag"]["tasks"]
    assert set(root) == {"exit-handler-1", "summarize"}
    assert root["summarize"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    status = root["summarize"]["inputs"]["parameters"]["status"]
    assert status == {"taskFinalStatus": {"producerTask": "exit-handler-1"}}


def test_packed_dataset_is_imported_from_a_parameter_in_place_of_the_downloads(
    compiled: dict[str, Compiled],
) -> None:
    one = compiled["gpu-dataset"]
    assert "download" not in one.tasks
    importer = one.tasks["importer"]["inputs"]["parameters"]["uri"]
    assert importer["componentInputParameter"].endswith("dataset_uri")
    executor = one.pipeline["deploymentSpec"]["executors"]["exec-importer"]["importer"]
    assert executor["typeSchema"]["schemaTitle"] == "system.Dataset"
    # Neither way has parameters that would change nothing.
    assert set(one.parameters) - set(compiled["gpu"].parameters) == {"dataset_uri"}
    gone = set(compiled["gpu"].parameters) - set(one.parameters)
    assert gone == OF_SOURCES | {"step_download"}
    required = {name for name, entry in one.parameters.items() if not entry.get("isOptional")}
    assert required == {"dataset_uri"}
