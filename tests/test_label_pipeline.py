"""The pipeline that labels a bucket: compiled, run on this machine, and submitted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiled_pipelines import Compiled, compile_to
from conftest import ROOT, Run
from kfp_server import Kfp, Look, serve
from object_stores import Store, upload_folder, using
from submit_command import CANARY, submit

from components import settings
from components.common.dataset.dataset import Dataset
from components.common.store import storage
from components.label_image.job import Answers
from components.label_image.options import LabelOptions

PHOTOS = 14
TASKS = {"list-photos", "label-part", "sum-answers", "watch-answers"}
_RUN = """
import json, os, sys
from kfp import local
from components import settings
from components.settings import ClusterOptions
from programs.compile.label_graph import build
settings.BACKOFF_S = 0
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
cluster = ClusterOptions(store_endpoint=os.environ.get("AWS_ENDPOINT_URL", ""))
build(cluster)(**json.loads(sys.argv[2]))
"""


@pytest.fixture
def kfp() -> Iterator[Kfp]:
    with serve(Kfp(token=CANARY)) as server:
        yield server
        assert server.violations == []


def test_every_executor_runs_in_the_image_without_tensorflow(compiled_label: Compiled) -> None:
    assert set(compiled_label.containers) == TASKS == set(settings.LABELLING)
    for container in compiled_label.containers.values():
        assert container["image"] == "registry.example/mushrooms/data:1"
        assert "pip install" not in " ".join(container["command"] + container["args"])


def test_form_has_the_declared_options_and_asks_for_three_places(compiled_label: Compiled) -> None:
    defaults = vars(LabelOptions())
    parameters = compiled_label.parameters
    assert set(parameters) == set(defaults)
    required = {name for name, entry in parameters.items() if not entry.get("isOptional")}
    assert required == {"model", "photos", "output"}
    for name in set(defaults) - required:
        assert parameters[name]["defaultValue"] == defaults[name]
    assert all(entry.get("description") for entry in parameters.values())


def test_shares_come_from_the_listing_and_nothing_from_the_cache(compiled_label: Compiled) -> None:
    (loop,) = [task for task in compiled_label.tasks.values() if "parameterIterator" in task]
    assert "inputParameter" in loop["parameterIterator"]["items"]
    for name in TASKS:
        assert "enableCache" not in compiled_label.tasks[name].get("cachingOptions", {})


def test_every_task_has_limits_retries_and_credentials(
    compiled_label: Compiled,
) -> None:
    assert set(compiled_label.pods) == TASKS
    for name, pod in compiled_label.pods.items():
        resources = settings.LABELLING[name]
        assert int(pod["activeDeadlineSeconds"]) == resources.timeout_s
        assert compiled_label.tasks[name]["retryPolicy"]["maxRetryCount"] == resources.retries
        assert pod["secretAsEnv"][0]["optional"] is True
        assert pod["securityContext"]["runAsNonRoot"] is True


def test_compiling_for_labels_writes_one_file_with_the_cluster_s_options(tmp_path: Path) -> None:
    compile_to(tmp_path, "--pipeline", "label", "--store_secret", "mine")
    (path,) = tmp_path.iterdir()
    one = Compiled.read(path)
    assert {pod["secretAsEnv"][0]["secretName"] for pod in one.pods.values()} == {"mine"}


@pytest.mark.parametrize("store", ["s3"], indirect=True)  # which needs credentials and an address
def test_run_on_this_machine_labels_a_bucket_in_parts(
    store: Store, sample_run: Run, tmp_path: Path
) -> None:
    dataset = Dataset(sample_run.directory / "demo")
    for number in range(PHOTOS):
        photo = dataset.photos[number % len(dataset.photos)]
        store.put(f"photos/{number:02}.jpg", dataset.read(photo) + bytes([number]))
    store.put("photos/cut.jpg", b"\xff\xd8\xff\xe0" + bytes(3000))
    upload_folder(sample_run.directory / "model", f"{store.prefix}/models/1234")
    store.put("models/1234/metrics.json", (sample_run.directory / "metrics.json").read_bytes())
    store.put("models/latest.json", b'{"version": "1234"}')
    output = f"{store.prefix}/answers"
    arguments = {"model": f"{store.prefix}/models", "photos": f"{store.prefix}/photos"}
    arguments |= {"output": output, "parts": 2, "photos_per_part": 4}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path / "artifacts"), json.dumps(arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **store.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("artifacts/*/for-loop-*/label-part"))) == 2
    with using(store.environment):
        summary = json.loads(Answers(output).read("summary.json"))
        names = [one.uri.rpartition("/")[2] for one in storage.list_objects(output)]
    assert (summary["photos"], summary["failed"], summary["parts"]) == (PHOTOS + 1, 1, 4)
    assert sorted(name for name in names if name.startswith("part-"))[-1] == "part-00003.csv"
    (page,) = tmp_path.glob("artifacts/*/sum-answers/summary")
    assert page.read_text().startswith(f"# {PHOTOS} of {PHOTOS + 1} photos labelled")
    (handed_over,) = tmp_path.glob("artifacts/*/sum-answers/executor_output.json")
    told = json.loads(handed_over.read_text())["artifacts"]["counts"]["artifacts"][0]["metadata"]
    assert told == {
        "display_name": "Photos",
        "photos": PHOTOS + 1,
        "photos_labelled": PHOTOS,
        "photos_failed": 1,
        "photos_of_none_of_these": told["photos_of_none_of_these"],
    }
    with using(store.environment):
        drift = json.loads(Answers(output).read("drift.json"))
    (page,) = tmp_path.glob("artifacts/*/watch-answers/drift")
    assert "photos of s3://" in page.read_text()
    (handed_over,) = tmp_path.glob("artifacts/*/watch-answers/executor_output.json")
    told = json.loads(handed_over.read_text())["artifacts"]["figures"]["artifacts"][0]["metadata"]
    assert told == {"display_name": "Drift", **drift["figures"]}
    assert told["photos_compared"] == PHOTOS


PLACES = (
    *("--pipeline", "label", "--model", "s3://mlpipeline/models", "--photos", "s3://photos/new"),
    *("--output", "s3://mlpipeline/answers"),
)


def test_submit_starts_a_run_with_the_places_as_pods_and_kubeflow_find_them(kfp: Kfp) -> None:
    kfp.walk = [Look("PENDING"), Look("SUCCEEDED", {"list-photos": "SUCCEEDED"})]
    more = ("--parts", "3", "--format", "parquet", "--wait", "--poll_s", "0.1")
    done = submit(kfp.address, *PLACES, *more)
    assert done.returncode == 0, done.stderr
    (run,), (version,), (experiment,) = kfp.runs, kfp.versions, kfp.experiments
    assert run.runtime_config["parameters"] == {
        "earlier_batch": "",
        "format": "parquet",
        "int8": False,
        "model": "s3://mlpipeline/models",
        # KFP's own store, in which the answers become an artifact.
        "output": "minio://mlpipeline/answers",
        "parts": 3,
        "photos": "s3://photos/new",
        "photos_per_part": 1000,
        "top_k": 5,
    }
    assert run.display_name.startswith("labels of s3://photos/new, ")
    assert version.display_name.startswith("label-")
    assert experiment.display_name == "wild-mushrooms-label"
    assert kfp.pipelines[0].display_name == "wild-mushrooms-label"
    assert "needs   nodes with room for 3 pods of 500m CPU and 1G of memory" in done.stdout
    assert "succeeded after" in done.stdout


def test_dry_run_of_labels_sends_nothing(kfp: Kfp) -> None:
    done = submit(kfp.address, *PLACES, "--dry_run")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["run"]["runtime_config"]["parameters"]["photos"] == "s3://photos/new"
    assert not kfp.runs


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (PLACES[:-2], "--output is ''"),
        ((*PLACES, "--photos", "photos"), "--photos is 'photos'"),
        ((*PLACES, "--parts", "0"), "--parts is 0"),
        ((*PLACES, "--seed", "3"), "there is no option --seed"),
        (("--pipeline", "labels"), "--pipeline is 'labels': expected one of train, label"),
        (("--photos", "s3://photos/new"), "there is no option --photos"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_sent(
    kfp: Kfp, words: tuple[str, ...], expected: str
) -> None:
    done = submit(kfp.address, *words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert not kfp.headers
