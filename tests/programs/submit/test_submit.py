"""`pipeline.py submit` as a person runs it, against a strict server of KFP's API."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from kfp_server import DROP, HTML, PROXY, Kfp, Look, serve
from submit_command import CANARY, command, environment, kubeconfig, submit

RUNS, HEALTH = "/apis/v2beta1/runs", "/apis/v2beta1/healthz"
UPLOAD = "/apis/v2beta1/pipelines/upload_version"
CLEANED = {
    "download-driver": "SUCCEEDED",
    **{f"download{'+' * number}": "SUCCEEDED" for number in range(5)},
    **{f"clean{'+' * number}": "SUCCEEDED" for number in range(5)},
}


@pytest.fixture
def kfp() -> Iterator[Kfp]:
    with serve(Kfp(token=CANARY)) as server:
        yield server
        assert server.violations == []


def waiting(address: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return submit(address, "--wait", "--poll_s", "0.1", *options)


def test_submit_creates_a_run_of_an_uploaded_version(kfp: Kfp) -> None:
    done = submit(kfp.address, "--how_many_training_steps", "77", "--service_account", "someone")
    assert done.returncode == 0, done.stderr
    (run,) = kfp.runs
    assert f"{kfp.address}/#/runs/details/{run.run_id}" in done.stdout
    assert "needs   nodes with room for pods of 0.5 CPU and 2G of memory, no GPU" in done.stdout
    assert "images  wild-mushrooms/data:" in done.stdout
    told = run.runtime_config["parameters"]
    assert told["step_retrain"]["how_many_training_steps"] == 77
    assert run.service_account == "someone"
    assert kfp.pipelines[0].display_name == "wild-mushrooms"
    assert kfp.headers[-1]["authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("options", "run_says", "version_says"),
    [
        ((), "sample: rendered pictures of 5 classes, CPU, ", "cpu-download-"),
        (("--gpu",), "sample: rendered pictures of 5 classes, GPU, ", "gpu-download-"),
        (
            ("--source", "gbif,inaturalist", "--name", "fungi", "--contact", "me@example.org"),
            "fungi: photos of 5 classes from gbif and inaturalist, CPU, ",
            "cpu-download-",
        ),
    ],
)
def test_names_on_kubeflow_s_page_say_what_a_run_is(
    kfp: Kfp, options: tuple[str, ...], run_says: str, version_says: str
) -> None:
    done = submit(kfp.address, *options)
    assert done.returncode == 0, done.stderr
    (run,), (version,), (experiment,) = kfp.runs, kfp.versions, kfp.experiments
    assert run.display_name.startswith(run_says)
    assert version.display_name.startswith(version_says)
    name = run_says.partition(":")[0]
    assert experiment.display_name == f"wild-mushrooms-{name}"
    # One revision, by which a run is found again in git.
    revision = version.display_name.split("-")[2]
    assert f", {revision}, " in run.display_name
    # As Kubernetes wants the names of versions, and within the limits of KFP's database.
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", version.display_name)
    assert len(run.display_name) <= 191
    assert run_says.split(": ")[1].split(",")[0] in run.description
    assert "docs/options.md" in version.description


def test_same_version_is_uploaded_once(kfp: Kfp) -> None:
    # kfp writes the comments of its file in another order in each process.
    assert submit(kfp.address).returncode == submit(kfp.address, "--seed", "3").returncode == 0
    assert kfp.count("POST", UPLOAD) == len(kfp.versions) == len(kfp.pipelines) == 1
    assert len(kfp.experiments) == 1
    assert len(kfp.runs) == 2


def test_wait_shows_the_steps_and_ends_with_0_on_success(kfp: Kfp) -> None:
    done_all = {**CLEANED, "bottleneck": "SUCCEEDED", "label-image": "SUCCEEDED"}
    kfp.walk = [Look("PENDING"), Look("RUNNING", CLEANED), Look("SUCCEEDED", done_all)]
    done = waiting(kfp.address)
    assert done.returncode == 0, done.stderr
    shown = [line.split()[0] for line in done.stdout.splitlines() if "done after" in line]
    assert shown == ["download", "clean", "bottleneck", "label_image"]
    assert "succeeded after" in done.stdout


def test_refusals_for_now_are_retried(kfp: Kfp) -> None:
    kfp.faults = {
        f"GET {HEALTH}": [503],
        f"POST {UPLOAD}": [(429, {"Retry-After": "1"})],
        f"POST {RUNS}": [503],
    }
    done = submit(kfp.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trying again") == 3
    assert len(kfp.runs) == 1


@pytest.mark.parametrize("fault", [DROP, 500])
def test_lost_answer_makes_no_second_run(kfp: Kfp, fault: Any) -> None:
    kfp.faults = {f"POST {path}": [fault] for path in (RUNS, UPLOAD, "/apis/v2beta1/experiments")}
    done = submit(kfp.address)
    assert done.returncode == 0, done.stderr
    assert len(kfp.runs) == len(kfp.versions) == len(kfp.experiments) == 1
    # What was done without an answer is found again, what was not is done again.
    assert kfp.count("POST", RUNS) == (1 if fault == DROP else 2)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (401, "the token or cookie is missing or has expired"),
        (403, "forbids it (HTTP 403): about 403"),
        (404, "not as Kubeflow Pipelines 2"),
        ((302, {"Location": "/dex/auth"}), "asks who you are (HTTP 302)"),
        (HTML, "not as Kubeflow Pipelines 2"),
    ],
)
def test_refusal_is_one_clear_line(kfp: Kfp, fault: Any, said: str) -> None:
    kfp.faults = {f"GET {HEALTH}": [fault]}
    done = submit(kfp.address)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert len(kfp.requests) == 1


def test_server_error_ends_with_1_after_a_few_tries(kfp: Kfp) -> None:
    kfp.faults = {f"GET {HEALTH}": [500] * 9}
    done = submit(kfp.address)
    assert done.returncode == 1
    assert "answers HTTP 500: about 500" in done.stderr
    assert "port-forward" not in done.stderr  # somebody answers
    assert kfp.count("GET", HEALTH) == 3


def test_nobody_at_the_address_is_told() -> None:
    done = submit("http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr.splitlines()[-1]
    assert "is the port-forward running? kubectl -n kubeflow" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].endswith("svc/ml-pipeline-ui 9:80")
    assert len(done.stderr.splitlines()) == 2  # that it is tried again, and the end
    assert done.stdout == ""  # what a run needs is of no use to whoever reaches no server


def test_expired_token_while_waiting_leaves_the_run_alone(kfp: Kfp) -> None:
    kfp.walk = [Look("RUNNING", CLEANED)]
    kfp.expires_after = 2
    done = waiting(kfp.address)
    assert done.returncode == 2
    assert "has expired" in done.stderr
    assert f"the run continues on the cluster: {kfp.address}" in done.stderr


def test_server_that_goes_away_while_waiting_is_told(kfp: Kfp) -> None:
    kfp.walk = [Look("RUNNING", CLEANED)]
    kfp.gone_after = 2
    done = waiting(kfp.address, "--lost_s", "0.5")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "the run continues on the cluster" in done.stderr


def test_short_absence_of_the_server_is_waited_for(kfp: Kfp) -> None:
    kfp.walk = [Look("RUNNING", CLEANED), Look("SUCCEEDED", CLEANED)]
    kfp.absences = 3
    done = waiting(kfp.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("asking again") == 3


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_wait_says_that_the_run_goes_on(
    kfp: Kfp, sent: signal.Signals, status: int
) -> None:
    kfp.walk = [Look("RUNNING", CLEANED)]
    process = subprocess.Popen(
        command(kfp.address, "--wait", "--poll_s", "0.1"),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while kfp.looks < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    try:
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    assert f"the run continues: {kfp.address}" in out
    assert "Traceback" not in error


def test_dry_run_prints_the_request_and_sends_nothing(kfp: Kfp) -> None:
    done = submit(kfp.address, "--dry_run", "--gpu", "--experiment", "trial")
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert request["experiment"] == {"display_name": "trial"}
    told = request["run"]["runtime_config"]["parameters"]
    assert told["step_retrain"]["require_gpu"] is True
    assert request["images"]["train-cuda"].startswith("wild-mushrooms/train-cuda:")
    assert request["cluster"]["store_endpoint"] == "http://seaweedfs.kubeflow:9000"
    assert "no registry" not in done.stderr  # a cluster on this machine is handed the images
    assert kfp.requests == []


def test_what_is_not_used_is_not_judged_and_what_is_listed_is_counted(
    kfp: Kfp, tmp_path: Path
) -> None:
    urls = tmp_path / "urls.txt"
    urls.write_text(
        "".join(f"https://example.org/{n}.jpg {label}\n" for n in "12" for label in "ab")
    )
    options = ("--url_list", str(urls), "--upload_to", "s3://bucket/lists", "--shm_size", "8Gi")
    there = {"AWS_ENDPOINT_URL": "http://localhost:9000"}
    done = submit(kfp.address, "--dry_run", *options, **there)
    assert done.returncode == 0, done.stderr
    needs = "\n".join(json.loads(done.stdout)["needs"])
    assert "for about 4 photos" in needs


def test_image_that_anybody_could_publish_is_warned_of() -> None:
    done = submit("https://kfp.example.org", "--dry_run")
    assert "no registry is named for wild-mushrooms/data:" in done.stderr
    done = submit("https://kfp.example.org", "--dry_run", MUSHROOM_DATA_IMAGE="data:1")
    assert "no registry is named for data:1" in done.stderr  # the colon is a tag's, not a port's
    names = {f"MUSHROOM_{kind}_IMAGE": f"registry.example/{kind}:1" for kind in ("DATA", "TRAIN")}
    done = submit("https://kfp.example.org", "--dry_run", **names)
    assert done.stderr == ""
    assert json.loads(done.stdout)["images"]["data"] == "registry.example/DATA:1"


@pytest.mark.parametrize("variable", ["MUSHROOM_KFP_TOKEN", "MUSHROOM_KFP_COOKIE"])
def test_secret_of_several_lines_is_told_and_not_shown(kfp: Kfp, variable: str) -> None:
    for secret in (f"{CANARY}\nx", f"{CANARY}\N{CHESTNUT}"):
        done = submit(kfp.address, **{variable: secret})
        assert done.returncode == 2
        assert f"{variable} must hold one line of plain text" in done.stderr
    assert kfp.requests == []


def test_gpu_defaults_give_way_to_what_is_asked_for(kfp: Kfp) -> None:
    assert submit(kfp.address, "--gpu", "--fine_tune_steps", "0").returncode == 0
    assert kfp.runs[0].runtime_config["parameters"]["fine_tune_steps"] == 0
    executors = kfp.specifications[0]["deploymentSpec"]["executors"]
    accelerator = executors["exec-retrain"]["container"]["resources"]["accelerator"]
    assert "nvidia.com/gpu" in accelerator.values()


def test_without_caching_no_task_takes_an_earlier_result(kfp: Kfp) -> None:
    assert submit(kfp.address).returncode == submit(kfp.address, "--no-caching").returncode == 0
    enabled = [sum(_caching(specification)) for specification in kfp.specifications]
    assert enabled[0] > 0
    assert enabled[1] == 0


def _caching(specification: dict[str, Any]) -> list[bool]:
    parts = [specification["root"], *specification["components"].values()]
    tasks = [task for part in parts for task in part.get("dag", {}).get("tasks", {}).values()]
    return [task.get("cachingOptions", {}).get("enableCache", False) for task in tasks]


def test_multi_user_installation_gets_the_namespace() -> None:
    with serve(Kfp(multi_user=True)) as kfp:
        done = submit(kfp.address, "--namespace", "profile-of-me")
        assert done.returncode == 0, done.stderr
        assert kfp.violations == []
        assert kfp.experiments[0].namespace == kfp.pipelines[0].namespace == "profile-of-me"
        queries = [query for _, _, query, _ in kfp.requests if "filter" in query]
        assert sum(query.get("namespace") == "profile-of-me" for query in queries) == 2


def test_kubeconfig_leads_there_without_a_host(kfp: Kfp, tmp_path: Path) -> None:
    done = submit("", **kubeconfig(kfp, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "retries a step" not in done.stderr  # it cannot be seen
    assert kfp.raw_paths[0] == f"{PROXY}{HEALTH}"
    assert len(kfp.runs) == 1


def test_no_way_at_all_is_told(tmp_path: Path) -> None:
    done = submit("", KUBECONFIG=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "port-forward svc/ml-pipeline-ui" in done.stderr
    assert done.stdout == ""


def test_help_is_of_a_cluster() -> None:
    done = submit("", "--help-all")
    text = " ".join(done.stdout.split())
    assert "beside the runs" not in text
    assert "(default: published below --store_prefix)" in text
    assert "in the cache folder" not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--learning_rate", "-1"), "learning_rate"),
        (("--weights", str(ROOT / "README.md")), "no pod sees this machine's files"),
        (("--cache_dir", "here"), "--cache_claim"),
        (("--weights", "/cache/weights.h5"), "give --cache_claim too"),
        (("--publish_dir", "published"), "give gs://… or s3://…"),
        (("--upload_to", "folder"), "--upload_to is 'folder'"),
        (("--pipeline_root", "folder"), "--pipeline_root is 'folder'"),
        (("--experiment", " "), "--experiment is ' '"),
        (("--poll_s", "0"), "--poll_s is 0"),
        (("--store_prefix", ""), "--publish_dir: give"),
        (("--ca_file", "none.pem"), "--ca_file"),
        (("--token_file", "none"), "--token_file"),
        (("--namespace", "Bad Name"), "--namespace is 'Bad Name'"),
        (("--namespace", "a.b"), "--namespace is 'a.b'"),
        (("--namespace", ""), "--namespace is ''"),
        (("--service_account", "Bad Name"), "--service_account is 'Bad Name'"),
        (("--gpus", "2"), "--gpu is missing"),
        (("--gpu", "--shm_size", "20Gi"), "--shm_size is '20Gi'"),
    ],
)
def test_wrong_options_end_before_anything_is_sent(
    kfp: Kfp, options: tuple[str, ...], said: str
) -> None:
    done = submit(kfp.address, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert kfp.requests == []


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("http://kfp.example.org", "sent unencrypted"),
        (f"https://me:{CANARY}@kfp.example.org", "no user, password"),
        ("kfp.example.org", "expected http://… or https://…"),
    ],
)
def test_host_that_would_tell_the_secret_is_refused(host: str, said: str) -> None:
    done = submit(host)
    assert done.returncode == 2
    assert said in done.stderr
