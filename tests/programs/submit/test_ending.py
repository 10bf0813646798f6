"""How a run on a cluster ended, as `submit --wait` tells it: its sentence and its exit status."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp_server_api
import pytest
from conftest import SHARED
from kfp_server import Answer, Kfp, Look, pod_of, serve
from submit_command import kubeconfig, submit

from programs.submit import nodes, pods
from programs.submit.pods import Pod

RECORDED = SHARED / "cases" / "kfp"
DONE = {"download": "SUCCEEDED", "clean": "SUCCEEDED", "bottleneck": "SUCCEEDED"}
LAUNCHER = "I1128 16:01:10.123456      17 launcher_v2.go:151] publish success."
EXECUTOR = "[KFP Executor 2026-11-28 16:01:04,001 INFO]: --component_module_path is not set"


@pytest.fixture
def kfp() -> Iterator[Kfp]:
    with serve(Kfp()) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def recorded() -> Path:
    """Answers of a real server."""
    if not RECORDED.is_dir():
        pytest.skip("the answers of a real server in ../shared/cases/kfp are not on this machine")
    return RECORDED


def waited(kfp: Kfp, *walk: Look) -> "subprocess.CompletedProcess[str]":
    kfp.walk = list(walk)
    return submit(kfp.address, "--wait", "--poll_s", "0.1")


@pytest.mark.parametrize(
    ("look", "status", "said"),
    [
        (Look("FAILED", DONE, "as the server says"), 1, "the run failed: as the server says"),
        (Look("CANCELED", DONE, "by me"), 3, "the run was cancelled: by me"),
        (Look("SKIPPED", DONE, "by KFP"), 1, "the run ended as SKIPPED: by KFP"),
        (Look("FAILED", {**DONE, "curate": "FAILED"}), 1, "step curate failed"),
        (
            # Terminated in KFP's page: the step that was at work is FAILED, and so is the run.
            Look(
                "FAILED", {**DONE, "curate": "FAILED"}, history=("RUNNING", "CANCELING", "FAILED")
            ),
            3,
            "the run was cancelled",
        ),
        (
            Look("FAILED", {**DONE, "retrain-driver": "FAILED"}),
            1,
            "the driver of step retrain failed before the step started",
        ),
        (
            Look("FAILED", {"iteration-driver": "FAILED"}),
            1,
            "the driver of what KFP calls iteration failed before the step started",
        ),
    ],
)
def test_every_end_has_its_sentence_and_its_exit_status(
    kfp: Kfp, look: Look, status: int, said: str
) -> None:
    done = waited(kfp, Look("RUNNING", DONE), look)
    assert done.returncode == status
    assert done.stderr.startswith(f"pipeline.py: error: {said}")
    assert done.stderr.splitlines()[-1].endswith(f"/runs/details/{kfp.runs[0].run_id}")


def test_step_that_failed_first_is_named(kfp: Kfp) -> None:
    failed = {**DONE, "retrain": "FAILED", "tensorboard": "FAILED"}
    assert "step retrain failed" in waited(kfp, Look("FAILED", failed)).stderr


def test_error_of_the_step_comes_first_then_the_end_of_its_log_without_the_launcher_s(
    kfp: Kfp,
) -> None:
    failed = {**DONE, "curate": "FAILED"}
    words = "\n".join(f"line {number}" for number in range(200))
    log = (
        f"{EXECUTOR}\n{words}\ncurate: error: too few \x1b[31mphotos\nafter\n"
        + f"{LAUNCHER}\n" * 18
    )
    kfp.logs = {pod_of("curate", failed): log}
    lines = [line.strip() for line in waited(kfp, Look("FAILED", failed)).stderr.splitlines()]
    assert lines[0] == "pipeline.py: error: step curate failed"
    assert lines[1] == "curate: error: too few [31mphotos"
    assert lines[2] == "its log ends with:"
    assert lines[3] == "line 162"  # 38 of these, and the two after them
    assert lines[42] == "after"
    assert f"kubectl -n kubeflow logs -l pipeline/runid={kfp.runs[0].run_id}" in lines[43]
    assert not [line for line in lines if "launcher" in line or "Executor" in line]


def test_launcher_that_failed_is_quoted_where_the_step_wrote_nothing(kfp: Kfp) -> None:
    failed = {**DONE, "curate": "FAILED"}
    error = "F1128 16:12:08.000001      17 main.go:63] failed to get bucket when downloading input"
    kfp.logs = {pod_of("curate", failed): f"{LAUNCHER}\n{error}\n"}
    lines = [line.strip() for line in waited(kfp, Look("FAILED", failed)).stderr.splitlines()]
    assert lines[1:3] == [error, "the step wrote nothing; KFP's launcher wrote:"]


def test_step_that_was_killed_for_memory_is_told_so_without_a_way_to_kubernetes(kfp: Kfp) -> None:
    failed = {**DONE, "retrain": "FAILED"}
    kfp.logs = {pod_of("retrain", failed): f"training\nKilled\n{LAUNCHER}\n"}
    first = waited(kfp, Look("FAILED", failed)).stderr.splitlines()[0]
    assert "step retrain failed: it was killed, most likely for memory" in first
    assert "docs/operations.md" in first


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("own-photos-held-back", 0, ""),
        ("sample-from-cache", 0, ""),
        ("pod-deleted-then-succeeded", 0, ""),
        ("download-failed", 1, "step download failed\n"),
        ("retrain-out-of-memory", 1, "step retrain failed\n"),
        ("rerun-mixed-cache-failed", 1, "step bottleneck failed\n"),
        ("importer-failed", 1, "the driver of what KFP calls iteration failed"),
        ("terminated", 3, "the run was cancelled\n"),
    ],
)
def test_answers_of_a_real_server_are_understood(
    kfp: Kfp, recorded: Path, name: str, status: int, said: str
) -> None:
    done = waited(kfp, Look("RUNNING"), Look.of(recorded / f"{name}.json"))
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(f"pipeline.py: error: {said}" if said else "")
    if not status:
        for step in ("curate", "retrain", "evaluate"):
            assert f"  {step:<12} done after" in done.stdout


@pytest.mark.parametrize("name", ["download-failed", "retrain-out-of-memory"])
def test_log_of_a_real_run_is_asked_for_by_the_pod_of_the_failed_step(
    kfp: Kfp, recorded: Path, name: str
) -> None:
    answer = json.loads((recorded / f"{name}.json").read_text())
    run = kfp_server_api.ApiClient().deserialize(Answer(json.dumps(answer)), "V2beta1Run")
    step = nodes.failed_step(run)
    (node,) = nodes.nodes_below(nodes.executor_of(run, step))
    workflow, _, number = node.rpartition("-")
    pod = f"{workflow}-metadata-0-2-retry-system-container-impl-{number}"
    kfp.logs = {pod: f"{nodes.name_of(step)}: error: what it said\n{LAUNCHER}\n"}
    done = waited(kfp, Look.of(recorded / f"{name}.json"))
    assert done.stderr.splitlines()[1].strip() == f"{nodes.name_of(step)}: error: what it said"


def pod(**status: Any) -> Any:
    """A pod of Kubernetes with this status, as its client gives it."""
    import kubernetes

    content = {
        "metadata": {
            "name": "wild-x-system-container-impl-1",
            "annotations": {pods.NODE_NAME: "wild-x.root.exit-handler-1.retrain(0).executor(0)"},
        },
        "status": status,
    }
    return kubernetes.client.ApiClient().deserialize(Answer(json.dumps(content)), "V1Pod")


def ended(**state: Any) -> dict[str, Any]:
    return {
        "name": "main",
        "ready": False,
        "restartCount": 0,
        "image": "",
        "imageID": "",
        "state": state,
    }


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (
            {
                "phase": "Failed",
                "containerStatuses": [ended(terminated={"reason": "OOMKilled", "exitCode": 1})],
            },
            "it was killed for memory (OOMKilled)",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on resource: memory."},
            "its pod was evicted from the node: low on resource: memory.",
        ),
        (
            {"phase": "Failed", "reason": "DeadlineExceeded"},
            "it exceeded its time limit (DeadlineExceeded)",
        ),
        (
            {"phase": "Failed", "reason": "NodeLost", "message": "node gone"},
            "its pod was stopped (NodeLost node gone)",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [
                    ended(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling x"})
                ],
            },
            "its image cannot be pulled (ImagePullBackOff): Back-off pulling x",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    {**ended(waiting={"reason": "ErrImagePull"}), "name": "init"}
                ],
            },
            "its image cannot be pulled (ErrImagePull): ",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [ended(waiting={"reason": "CreateContainerConfigError"})],
            },
            "its container cannot start (CreateContainerConfigError): ",
        ),
        (
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient cpu.",
                    }
                ],
            },
            "no node takes its pod (Unschedulable): 0/1 nodes are available: 1 Insufficient cpu.",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [ended(waiting={"reason": "ContainerCreating"})],
                "conditions": [{"type": "PodScheduled", "status": "True"}],
            },
            "",
        ),
        (
            {"phase": "Failed", "containerStatuses": [ended(terminated={"exitCode": 137})]},
            "it was killed (exit status 137): for memory, or its node went away",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [ended(terminated={"reason": "Error", "exitCode": 2})],
            },
            "",
        ),
    ],
)
def test_reason_of_a_pod_is_told(status: dict[str, Any], trouble: str) -> None:
    told = pods.of_kubernetes(pod(**status))
    assert (told.step, told.trouble) == ("retrain", trouble)
    assert told.failed == (status["phase"] == "Failed")


PODS = "/api/v1/namespaces/kubeflow/pods"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/kubeflow/workflows"
NO_QUOTA = 'pods "wild-x-7" is forbidden: exceeded quota: wild-mushrooms-gpus'
DEFAULTS = "/api/v1/namespaces/kubeflow/configmaps/workflow-controller-configmap"


def plain_pod(**status: Any) -> dict[str, Any]:
    import kubernetes

    found: dict[str, Any] = kubernetes.client.ApiClient().sanitize_for_serialization(pod(**status))
    return found


def test_kubernetes_says_why_where_it_can_be_asked(kfp: Kfp, tmp_path: Path) -> None:
    killed = ended(terminated={"reason": "OOMKilled", "exitCode": 137})
    failed = plain_pod(phase="Failed", containerStatuses=[killed])
    kfp.kubernetes = {
        PODS: {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [failed]},
        f"{PODS}/{failed['metadata']['name']}/log": f"step 50\nKilled\n{LAUNCHER}\n",
    }
    kfp.walk = [Look("FAILED", {**DONE, "retrain": "FAILED"})]
    done = submit("", "--wait", "--poll_s", "0.1", **kubeconfig(kfp, tmp_path))
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 1
    assert (
        "step retrain failed: it was killed for memory (OOMKilled): give it more (--size" in first
    )
    assert [line.strip() for line in rest[:3]] == ["its log ends with:", "step 50", "Killed"]


def node(**of: Any) -> dict[str, Any]:
    """A node of a workflow, as Argo keeps it."""
    name = "wild-x(0).root(0).exit-handler-1(0).retrain(0).executor(0)"
    return {"id": "wild-x-7", "name": name, "type": "Pod", "displayName": "executor(0)", **of}


@pytest.mark.parametrize(
    ("of", "trouble", "failed"),
    [
        ({"phase": "Pending", "message": NO_QUOTA}, f"its pod was not created: {NO_QUOTA}", False),
        ({"phase": "Error", "message": "pod deleted"}, "its pod was lost (pod deleted)", True),
        ({"phase": "Pending", "message": "PodInitializing"}, None, False),
        ({"phase": "Pending"}, None, False),
        ({"phase": "Failed", "message": "main: Error (exit code 1)"}, None, False),
        ({"phase": "Error", "message": "child failed", "type": "DAG"}, None, False),
    ],
)
def test_reason_of_work_without_a_pod_is_told(
    of: dict[str, Any], trouble: str | None, failed: bool
) -> None:
    told = pods.of_workflow(node(**of))
    assert told == (trouble and Pod("wild-x-7", "retrain", trouble, failed))


def test_workflow_is_asked_for_work_whose_pod_is_not_there(kfp: Kfp, tmp_path: Path) -> None:
    made = plain_pod(phase="Running")
    made["metadata"]["name"] = "wild-x-system-container-impl-8"
    lost = {"phase": "Error", "message": "pod deleted"}
    kfp.kubernetes = {
        PODS: {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [made]},
        WORKFLOWS: {"items": [{"status": {"nodes": {"a": node(**lost, id="wild-x-7")}}}]},
    }
    kfp.walk = [Look("FAILED", {**DONE, "retrain": "FAILED"})]
    done = submit("", "--wait", "--poll_s", "0.1", **kubeconfig(kfp, tmp_path))
    assert done.returncode == 1
    assert "step retrain failed: its pod was lost (pod deleted)" in done.stderr
    # That one is there: Kubernetes itself knows more.
    kfp.kubernetes[WORKFLOWS]["items"][0]["status"]["nodes"]["a"]["id"] = "wild-x-8"
    done = submit("", "--wait", "--poll_s", "0.1", **kubeconfig(kfp, tmp_path))
    assert "pod deleted" not in done.stderr


@pytest.mark.parametrize(
    ("policy", "warned"), [("OnError", True), ("Always", False), ("OnFailure", False)]
)
def test_kfp_that_does_not_try_failures_again_is_warned_of(
    kfp: Kfp, tmp_path: Path, policy: str, warned: bool
) -> None:
    defaults = f"spec:\n  templateDefaults:\n    retryStrategy:\n      retryPolicy: {policy}\n"
    kfp.kubernetes = {
        DEFAULTS: {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "workflow-controller-configmap"},
            "data": {"workflowDefaults": defaults},
        }
    }
    done = submit("", **kubeconfig(kfp, tmp_path))
    assert done.returncode == 0, done.stderr
    assert ("retries a step whose pod is lost" in done.stderr) == warned


def test_pod_that_does_not_begin_is_told_of_with_its_reason(
    kfp: Kfp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from programs.submit import follow
    from programs.submit.connection import Connection
    from programs.submit.target import Place

    said: list[str] = []
    monkeypatch.setattr(follow, "PENDING_S", 0.0)
    monkeypatch.setattr(follow.log, "info", lambda form, *words: said.append(form % words))
    waiting = {**DONE, "retrain": "PENDING"}
    kfp.walk = [Look("RUNNING", waiting)] * 4 + [Look("SUCCEEDED", DONE)]
    run = kfp_server_api.V2beta1Run(run_id="1", display_name="run")
    kfp.runs.append(run)
    connection = Connection(Place(host=kfp.address))
    follow.wait(connection, "1", Console(quiet=True), parts=1, poll_s=0.01)
    assert len(said) == 1
    assert said[0].startswith("step retrain has waited for its pod for more than two minutes: ")
    assert "describe pods -l pipeline/runid=1" in said[0]


@pytest.mark.parametrize(
    ("node", "step"),
    [
        ("w.root.exit-handler-1.retrain(0).executor(0)", "retrain"),
        ("w.root.exit-handler-1.for-loop-2.iteration-item.download(0).executor(0)", "download"),
        ("w.root.exit-handler-1.label-image-driver(0)", "label_image_driver"),
        ("w.root.x.curate-parts(0).executor(0)", "curate"),
        ("w.root-driver(0)", "root_driver"),
        ("", ""),
    ],
)
def test_step_of_an_argo_node(node: str, step: str) -> None:
    assert pods.step_of_node(node) == step
