"""What a cluster is told of each task, and what of the options is refused."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from compiled_pipelines import KINDS, Compiled, compile_to, compile_variants
from conftest import run_captured

from components import settings
from components.common.base.errors import InputError
from components.settings import ClusterOptions
from programs.compile import scheduling
from programs.submit import needs

STORE_STEPS = {"download", "clean", "curate", "retrain", "publish", "summarize"}


QUEUE = "kueue.x-k8s.io/queue-name"


@pytest.fixture(scope="module")
def with_options(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The GPU file with every option set to something else."""
    folder = tmp_path_factory.mktemp("options")
    compile_to(
        folder,
        *("--image_pull_policy", "Always", "--image_pull_secrets", "one,two"),
        *("--cache_claim", "photos", "--store_secret", "", "--store_endpoint", ""),
        *("--store_prefix", "gs://bucket/mushrooms/", "--accelerator", "amd.com/gpu"),
        *("--gpus", "2", "--gpu_toleration", "", "--gpu_node_selector", "pool=gpu,disk=fast"),
        *("--shm_size", "4Gi", "--deadline_s", "3600", "--ttl_s", "60", "--no-exit_summary"),
        *("--pod_labels", f"{QUEUE}=all,retrain:{QUEUE}=gpus,team=fungi"),
        *("--pod_annotations", "retrain:example.org/why=what a person wants to know"),
    )
    return Compiled.read(folder / "pipeline-gpu.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_has_requests_limits_a_timeout_and_few_retries_with_pauses(
    compiled: dict[str, Compiled], kind: str
) -> None:
    one = compiled[kind]
    for name, container in one.containers.items():
        resources = container["resources"]
        assert settings.amount(resources["resourceCpuRequest"]) <= 0.5, name
        assert "resourceCpuLimit" not in resources, name
        request, limit = (resources[f"resourceMemory{of}"] for of in ("Request", "Limit"))
        assert settings.amount(request) <= min(settings.amount(limit), 2e9), name
        assert int(one.pods[name]["activeDeadlineSeconds"]) == settings.RESOURCES[name].timeout_s
        retry = one.tasks[name]["retryPolicy"]
        assert retry["maxRetryCount"] == settings.RESOURCES[name].retries <= 2
        assert retry["backoffDuration"] == "30s"
        assert retry["backoffFactor"] == 2
        # The whole time in which anything is tried again, and not the longest pause.
        assert int(retry["backoffMaxDuration"][:-1]) > retry["maxRetryCount"] * int(
            one.pods[name]["activeDeadlineSeconds"]
        )


@pytest.mark.parametrize("kind", KINDS)
def test_every_pod_runs_as_the_images_user_and_never_as_root(
    compiled: dict[str, Compiled], kind: str
) -> None:
    for name, pod in compiled[kind].pods.items():
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": str(settings.USER),
            "runAsGroup": str(settings.USER),
        }, name
        assert pod["podMetadata"]["labels"] == {
            "app.kubernetes.io/part-of": "wild-mushrooms",
            "app.kubernetes.io/component": name,
        }
        assert pod["imagePullPolicy"] == "IfNotPresent"


def test_the_images_run_as_the_user_that_pods_are_given() -> None:
    for path in (Path(__file__).parents[3] / "docker").glob("*.Dockerfile"):
        assert f"USER {settings.USER}:{settings.USER}" in path.read_text(), path.name


@pytest.mark.parametrize("kind", KINDS)
def test_no_image_is_latest_and_no_secret_has_a_value(
    compiled: dict[str, Compiled], kind: str
) -> None:
    one = compiled[kind]
    for container in one.containers.values():
        assert ":latest" not in container["image"]
        for variable in container.get("env", ()):
            assert variable["name"] in {"AWS_ENDPOINT_URL", "AWS_REGION", "XDG_CACHE_HOME"}
    text = one.path.read_text()
    assert "minio123" not in text  # the keys that standalone KFP comes with
    assert "secretKeyRef" not in text


@pytest.mark.parametrize("kind", ["gpu", "gpu-dataset"])
def test_retrain_alone_gets_a_gpu_with_type_count_toleration_shared_memory_and_its_image(
    compiled: dict[str, Compiled], kind: str
) -> None:
    one = compiled[kind]
    with_gpu = {
        name for name, entry in one.containers.items() if "accelerator" in entry["resources"]
    }
    # bottleneck computes on LiteRT, which uses no GPU: one would be paid for and idle.
    assert with_gpu == {"retrain"}
    accelerator = one.containers["retrain"]["resources"]["accelerator"]
    assert accelerator["resourceType"] == "nvidia.com/gpu"
    assert accelerator["resourceCount"] == "1"
    assert one.containers["retrain"]["image"].endswith("train-cuda:1")
    pod = one.pods["retrain"]
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    (shared_memory,) = pod["emptyDirMounts"]
    assert shared_memory == {
        "volumeName": "shm",
        "mountPath": "/dev/shm",
        "medium": "Memory",
        "sizeLimit": "1Gi",
    }
    for name in set(one.pods) - {"retrain"}:
        assert not {"tolerations", "emptyDirMounts", "nodeSelector"} & set(one.pods[name])


def test_gpu_file_fine_tunes_and_refuses_to_without_a_gpu(compiled: dict[str, Compiled]) -> None:
    for kind in ("gpu", "gpu-dataset"):
        assert compiled[kind].defaults["fine_tune_steps"] > 0
        assert compiled[kind].defaults["require_gpu"] is True
    assert compiled["cpu"].defaults["fine_tune_steps"] == 0
    assert compiled["cpu"].defaults["require_gpu"] is False


def test_missing_entries_of_a_dictionary_have_the_defaults_that_the_form_shows(
    compiled: dict[str, Compiled],
) -> None:
    for one in compiled.values():
        found = {}
        for name, task in one.tasks.items():
            inputs = task.get("inputs", {}).get("parameters", {})
            if "options" in inputs:
                parameter = inputs["options"]["componentInputParameter"]
                of_step = f"step_{name.removesuffix('-if-new')}"
                assert parameter.endswith(of_step)
                found[of_step] = inputs["defaults"]["runtimeValue"]["constant"]
        shown = {
            name: about["defaultValue"]
            for name, about in one.parameters.items()
            if name.startswith("step_")
        }
        assert found == shown
        assert found["step_retrain"]["optimizer"] == "adam"


def test_cpu_file_asks_for_no_gpu_node(compiled: dict[str, Compiled]) -> None:
    for name, pod in compiled["cpu"].pods.items():
        assert not {"tolerations", "emptyDirMounts", "nodeSelector"} & set(pod), name


def test_store_s_keys_come_by_name_from_kfp_s_own_secret_if_there_is_one(
    compiled: dict[str, Compiled],
) -> None:
    one = compiled["cpu"]
    assert {name for name, pod in one.pods.items() if "secretAsEnv" in pod} == STORE_STEPS
    for name in STORE_STEPS:
        (secret,) = one.pods[name]["secretAsEnv"]
        assert secret["secretName"] == "mlpipeline-minio-artifact"
        assert secret["optional"] is True
        assert {entry["secretKey"]: entry["envVar"] for entry in secret["keyToEnv"]} == {
            "accesskey": "AWS_ACCESS_KEY_ID",
            "secretkey": "AWS_SECRET_ACCESS_KEY",
        }
        assert {"name": "AWS_ENDPOINT_URL", "value": "http://seaweedfs.kubeflow:9000"} in (
            one.containers[name]["env"]
        )


@pytest.mark.parametrize(
    ("options", "region"),
    [
        ((), "us-east-1"),
        (("--store_endpoint", ""), None),
        (("--store_endpoint", "", "--store_region", "eu-central-1"), "eu-central-1"),
        (("--store_region", "here-1"), "here-1"),
    ],
)
def test_every_pod_knows_the_region_of_the_store(
    tmp_path: Path, options: tuple[str, ...], region: str | None
) -> None:
    compile_to(tmp_path, *options, images={})
    for name, container in Compiled.read(tmp_path / "pipeline-cpu.yaml").containers.items():
        told = {entry["name"]: entry["value"] for entry in container.get("env", ())}
        assert told.get("AWS_REGION") == region, name


def test_models_and_checkpoints_start_from_kfp_s_own_bucket(compiled: dict[str, Compiled]) -> None:
    defaults = compiled["cpu"].defaults
    assert defaults["publish_dir"] == "s3://mlpipeline/mushrooms/published"
    assert defaults["checkpoint_path"] == "s3://mlpipeline/mushrooms/checkpoints"


def test_a_compiled_run_is_published_under_the_name_of_what_it_was_trained_on(
    compiled: dict[str, Compiled],
) -> None:
    for kind, one in compiled.items():
        # Without a name, publish takes the model's: it knows whether its photos were rendered.
        assert one.parameters["name"]["defaultValue"] == "", kind


def test_a_run_ends_and_its_pods_go_one_day(compiled: dict[str, Compiled]) -> None:
    for one in compiled.values():
        assert one.platform["platforms"]["kubernetes"]["pipelineConfig"] == {
            "activeDeadlineSeconds": 2 * 86400,
            "resourceTtlOnCompletion": 7 * 86400,
        }


def test_every_option_reaches_the_file(with_options: Compiled) -> None:
    one = with_options
    for pod in one.pods.values():
        assert pod["imagePullPolicy"] == "Always"
        assert [entry["secretName"] for entry in pod["imagePullSecret"]] == ["one", "two"]
        assert "secretAsEnv" not in pod
    mounted = {name for name, pod in one.pods.items() if "pvcMount" in pod}
    assert mounted == {"download", "bottleneck", "retrain"}
    for name in mounted:
        (mount,) = one.pods[name]["pvcMount"]
        assert (mount["constant"], mount["mountPath"]) == ("photos", "/cache")
        assert one.containers[name]["env"] == [{"name": "XDG_CACHE_HOME", "value": "/cache"}]
    assert one.defaults["publish_dir"] == "gs://bucket/mushrooms/published"
    assert one.defaults["checkpoint_path"] == ""  # in the cache
    accelerator = one.containers["retrain"]["resources"]["accelerator"]
    assert (accelerator["resourceType"], accelerator["resourceCount"]) == ("amd.com/gpu", "2")
    pod = one.pods["retrain"]
    assert "tolerations" not in pod
    assert pod["nodeSelector"]["labels"] == {"pool": "gpu", "disk": "fast"}
    assert pod["emptyDirMounts"][0]["sizeLimit"] == "4Gi"
    assert one.platform["platforms"]["kubernetes"]["pipelineConfig"] == {
        "activeDeadlineSeconds": 3600,
        "resourceTtlOnCompletion": 60,
    }
    labels = {name: one.pods[name]["podMetadata"]["labels"] for name in ("clean", "retrain")}
    assert {name: (of[QUEUE], of["team"]) for name, of in labels.items()} == {
        "clean": ("all", "fungi"),
        "retrain": ("gpus", "fungi"),
    }
    assert "annotations" not in one.pods["clean"]["podMetadata"]
    assert one.pods["retrain"]["podMetadata"]["annotations"] == {
        "example.org/why": "what a person wants to know"
    }
    assert "summarize" not in one.tasks
    assert "retrain" in one.pipeline["root"]["dag"]["tasks"]  # no exit handler around it


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("image_pull_policy", "Often", "IfNotPresent"),
        ("image_pull_secrets", ("Mine!",), "a-z"),
        ("cache_claim", "My_Claim", "a-z"),
        ("store_secret", "a b", "a-z"),
        ("store_endpoint", "seaweedfs:9000", "http://host:port"),
        ("store_endpoint", "http://key:secret@host:9000", "http://host:port"),
        ("store_prefix", "/models", "s3://bucket/folder"),
        ("store_prefix", "s3://", "s3://bucket/folder"),
        ("accelerator", "", "nvidia.com/gpu"),
        ("accelerator", "a gpu", "nvidia.com/gpu"),
        ("gpu_toleration", "gpu taint", "nvidia.com/gpu"),
        ("gpu_node_selector", ("gpu",), "key=value"),
        ("gpu_node_selector", ("=true",), "key=value"),
        ("pod_labels", ("queue",), "key=value or retrain:key=value"),
        ("pod_labels", ("clean:queue=a",), "key=value or retrain:key=value"),
        ("pod_labels", ("queue=not a label",), "key=value or retrain:key=value"),
        ("pod_labels", ("app.kubernetes.io/component=a",), "another key"),
        ("pod_annotations", ("pipelines.kubeflow.org/a=b",), "another key"),
        ("shm_size", "big", "1Gi"),
        ("shm_size", "0", "1Gi"),
        ("gpus", 0, "1 or more"),
        ("size", "huge", "medium"),
        ("cpu_limit", "many", "1500m"),
        ("cpu_limit", "0", "1500m"),
        ("deadline_s", 0, "1 to 2147483647"),
        ("ttl_s", 2**31, "1 to 2147483647"),
    ],
)
def test_option_that_cannot_be_right_is_refused(option: str, value: object, expected: str) -> None:
    values: dict[str, object] = {option: value}
    with pytest.raises(InputError) as caught:
        ClusterOptions(**values).check()  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"--{option} is ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("options", "request_", "limit", "cpu"),
    [
        ((), "512M", "4G", None),
        (("--size", "medium"), "1G", "4G", None),
        (("--size", "large", "--cpu_limit", "1500m"), "4G", "4G", "1500m"),
    ],
)
def test_memory_goes_by_the_size_and_cores_are_limited_where_that_is_wanted(
    tmp_path: Path, options: tuple[str, ...], request_: str, limit: str, cpu: str | None
) -> None:
    compile_to(tmp_path, *options, images={})
    resources = Compiled.read(tmp_path / "pipeline-cpu.yaml").containers["clean"]["resources"]
    assert resources["resourceMemoryRequest"] == request_
    assert resources["resourceMemoryLimit"] == limit
    assert resources.get("resourceCpuLimit") == cpu


@pytest.mark.parametrize(
    ("photos", "asked", "size"),
    [
        (0, "", "small"),
        (2000, "", "small"),
        (2001, "", "medium"),
        (20_001, "", "large"),
        (10**6, "", "large"),
        (10, "large", "large"),
    ],
)
def test_size_fits_the_photos_unless_one_is_named(photos: int, asked: str, size: str) -> None:
    assert ClusterOptions(size=asked).fitting(photos).size == size


def test_shared_memory_is_judged_where_there_is_a_gpu_alone() -> None:
    large = ClusterOptions(shm_size="6Gi")
    large.check()
    with pytest.raises(InputError, match=r"--shm_size is '6Gi': .*part of the 6G"):
        large.check_gpu()


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("500m", 0.5), ("2", 2), ("6G", 6e9), ("1Gi", 2**30), ("3k", 3000), ("1Ti", 2**40)],
)
def test_quantity_is_read_as_kubernetes_does(quantity: str, number: float) -> None:
    assert settings.amount(quantity) == number


def test_wrong_option_of_compile_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    done = run_captured(
        sys.executable,
        *("pipeline.py", "compile", "--output_dir", str(tmp_path / "build"), "--gpus", "0"),
    )
    assert done.returncode == 2
    assert done.stderr == "pipeline.py: error: --gpus is 0: expected 1 or more\n"
    assert not (tmp_path / "build").exists()


def test_defaults_are_right_and_every_option_has_help() -> None:
    parser = argparse.ArgumentParser()
    scheduling.add_options(parser)
    assert scheduling.cluster_options(parser.parse_args([])) == ClusterOptions()
    text = parser.format_help()
    for field in dataclasses.fields(ClusterOptions):
        assert f"--{field.name}" in text


def test_options_are_plain_data() -> None:
    assert json.loads(json.dumps(dataclasses.asdict(ClusterOptions())))["gpus"] == 1


# Arguments of `pipeline.compile_one`, and the pods.
GRAPHS: list[tuple[dict[str, Any], int]] = [
    ({"photos": "download"}, 22),
    ({"photos": "dataset"}, 21),
    ({"photos": "dataset", "parts": 2}, 27),
    ({"photos": "dataset", "parts": 5}, 42),
    ({"photos": "download", "continued": True}, 23),
    ({"photos": "dataset", "continued": True}, 24),
]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[Compiled]:
    """Those of GRAPHS."""
    folder = tmp_path_factory.mktemp("graphs")
    paths = [folder / f"{number}.yaml" for number in range(len(GRAPHS))]
    asked = [{"gpu": False, **options} for options, _ in GRAPHS]
    compile_variants(dict(zip(paths, asked, strict=True)))
    return [Compiled.read(path) for path in paths]


@pytest.mark.parametrize("number", range(len(GRAPHS)))
def test_pods_that_submit_names_are_those_of_the_graph(graphs: list[Compiled], number: int) -> None:
    """By KFP's rule: a driver for the whole, each group, each iteration and each step of ours."""
    options, pods = GRAPHS[number]
    parts = options.get("parts", 1)
    specification = graphs[number].pipeline
    components = {"root": specification["root"], **specification["components"]}

    def counted(name: str) -> int:
        """Pods of a component: of a container two, of an importer one."""
        component = components[name]
        if "dag" not in component:
            kind = specification["deploymentSpec"]["executors"][component["executorLabel"]]
            return 1 if "importer" in kind else 2
        total = 1
        for task in component["dag"]["tasks"].values():
            below = counted(task["componentRef"]["name"])
            looped = "parameterIterator" in task or "artifactIterator" in task
            total += 1 + parts * below if looped else below
        return total

    assert counted("root") == pods
    own = options["photos"] == "dataset"
    continued = options.get("continued", False)
    assert needs.count_pods(is_own=own, parts=parts, continued=continued) == pods
