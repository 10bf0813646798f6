"""What a real API server and real nodes say: docs/cluster.md tells how to run these."""

import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.conftest import Cluster
from conftest import ROOT
from k8s_manifests import KUBECTL, Manifest, built

import pipeline
from components import settings
from components.settings import ClusterOptions

OVERLAYS = ("overlays/kind", "overlays/minikube", "overlays/gpu")
# Images of several GB may have to be pulled first.
STARTED_S = 900
CALL_MARGIN_S = 30.0
CRD = "pipelines.pipelines.kubeflow.org"
IMAGES = {
    "bottleneck": settings.TRAIN_IMAGE,
    "retrain": settings.TRAIN_IMAGE,
    "evaluate": settings.TRAIN_IMAGE,
}
# Tasks that are parts of another step's command.
COMMANDS = sorted(
    path.parent.name
    for path in (ROOT / "components").glob("*/__main__.py")
    if path.parent.name != "serve"
)
GPU = os.environ.get("MUSHROOM_TEST_CLUSTER_GPU") == "1"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_api_server_accepts_the_overlay(cluster: Cluster, folder: str) -> None:
    if not cluster.has("namespace", "kubeflow"):
        pytest.skip("the cluster has no namespace kubeflow: install Kubeflow Pipelines first")
    cluster.dry_run(*built(folder))


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_the_compiled_pipeline_is_accepted_as_a_custom_resource(
    cluster: Cluster, kind: str, tmp_path: Path
) -> None:
    if not cluster.has("customresourcedefinition", CRD):
        pytest.skip(f"no {CRD}: KFP keeps pipelines there in its Kubernetes-native mode only")
    file = tmp_path / "pipeline.yaml"
    pipeline.compile_one(file, gpu=kind == "gpu", cluster=ClusterOptions())
    specification, platform = yaml.safe_load_all(file.read_text())
    api = "pipelines.kubeflow.org/v2beta1"
    name = f"wild-mushrooms-{kind}"
    place = {"namespace": cluster.namespace}
    version = {
        "pipelineName": name,
        "pipelineSpec": specification,
        "platformSpec": platform,
    }
    cluster.dry_run({"apiVersion": api, "kind": "Pipeline", "metadata": {"name": name, **place}})
    # A version needs its pipeline.
    cluster.apply({"apiVersion": api, "kind": "Pipeline", "metadata": {"name": name}})
    cluster.dry_run(
        {
            "apiVersion": api,
            "kind": "PipelineVersion",
            "metadata": {"name": f"{name}-1", **place},
            "spec": version,
        }
    )


@pytest.mark.parametrize("step", COMMANDS)
def test_each_step_s_command_runs_with_its_limits(cluster: Cluster, step: str) -> None:
    job = step_job(step, gpu=False)
    cluster.apply(job)
    name = job["metadata"]["name"]
    finished(cluster, name)
    assert "usage:" in cluster.in_ours("logs", f"job/{name}")


def test_retrain_runs_on_a_gpu(cluster: Cluster) -> None:
    job = step_job("retrain", gpu=True)
    cluster.dry_run({**job, "metadata": {**job["metadata"], "namespace": cluster.namespace}})
    if not GPU:
        pytest.skip("NO GPU WAS TRIED: set MUSHROOM_TEST_CLUSTER_GPU=1 where the cluster has one")
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["command"] = [
        *("python", "-c"),
        "import tensorflow as tf; print(tf.config.list_physical_devices('GPU'))",
    ]
    cluster.apply(job)
    finished(cluster, job["metadata"]["name"])
    assert "device_type='GPU'" in cluster.in_ours("logs", f"job/{job['metadata']['name']}")


def test_tensorboard_comes_up_as_deployment_and_service(cluster: Cluster) -> None:
    wanted = {"ConfigMap", "ServiceAccount", "Deployment", "Service"}
    ours = [one for one in built("overlays/kind") if one["kind"] in wanted]
    parts = [one for one in ours if "serve" not in one["metadata"]["name"]]
    for part in parts:
        if part["kind"] == "Deployment":
            (container,) = part["spec"]["template"]["spec"]["containers"]
            container["image"] = settings.TENSORBOARD_IMAGE
    cluster.apply(*parts)
    name = "wild-mushrooms-tensorboard"
    cluster.in_ours(
        *("rollout", "status", f"deployment/{name}", f"--timeout={STARTED_S}s"),
        timeout_s=STARTED_S + CALL_MARGIN_S,
    )
    command = [
        KUBECTL,
        "--namespace",
        cluster.namespace,
        "port-forward",
        f"service/{name}",
        ":6006",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert found
            url = f"http://127.0.0.1:{found[1]}/data/environment"
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert answer.status == 200
        finally:
            forward.terminate()


def step_job(step: str, *, gpu: bool) -> Manifest:
    """A Job with the resources and rights that the compiled pipeline gives a step's pod."""
    resources = settings.RESOURCES[step.replace("_", "-")]
    cluster = ClusterOptions()
    amount: dict[str, Any] = {"cpu": resources.cpu, "memory": resources.request("")}
    image = IMAGES.get(step, settings.DATA_IMAGE)
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.USER,
            "runAsGroup": settings.USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if gpu:
        image = settings.TRAIN_CUDA_IMAGE
        amount[cluster.accelerator] = str(cluster.gpus)
        spec["tolerations"] = [
            {"key": cluster.gpu_toleration, "operator": "Exists", "effect": "NoSchedule"}
        ]
    spec["containers"] = [
        {
            "name": "step",
            "image": image,
            "imagePullPolicy": cluster.image_pull_policy,
            "command": ["python", "-m", f"components.{step}", "--help"],
            "resources": {"requests": amount, "limits": amount},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ]
    name = f"step-{step.replace('_', '-')}{'-gpu' if gpu else ''}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": STARTED_S,
            "template": {"metadata": {"labels": dict([settings.PART_OF])}, "spec": spec},
        },
    }


def finished(cluster: Cluster, job: str) -> None:
    """Wait for a Job's success; its failure ends the wait at once."""
    until = time.monotonic() + STARTED_S
    while time.monotonic() < until:
        status = cluster.get("job", job).get("status", {})
        if status.get("succeeded"):
            return
        assert not status.get("failed"), cluster.in_ours("describe", f"job/{job}")
        time.sleep(2)
    pytest.fail(f"{job} did not finish: {cluster.in_ours('describe', 'pod')}")
