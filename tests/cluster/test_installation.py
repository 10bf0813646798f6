"""What a real API server and real nodes say: docs/cluster.md tells how to run these."""

import os
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.conftest import STARTED_S
from cluster.kube import KFP_NAMESPACE, Cluster
from conftest import ROOT
from k8s_manifests import OVERLAYS, Manifest, built

import pipeline
from components import settings
from components.settings import ClusterOptions

CRD = "pipelines.pipelines.kubeflow.org"
IMAGES = {
    "bottleneck": settings.TRAIN_IMAGE,
    "retrain": settings.TRAIN_IMAGE,
    "evaluate": settings.TRAIN_IMAGE,
}
COMMANDS = sorted(path.parent.name for path in (ROOT / "components").glob("*/__main__.py"))
# What cannot be changed where it is applied already, as docs/cluster.md says.
FIXED = ("Job", "PersistentVolumeClaim")
GPU = os.environ.get("MUSHROOM_TEST_CLUSTER_GPU") == "1"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_api_server_accepts_the_overlay(cluster: Cluster, folder: str) -> None:
    if not cluster.has("namespace", KFP_NAMESPACE):
        pytest.skip(f"no namespace {KFP_NAMESPACE}: install Kubeflow Pipelines first")
    cluster.dry_run(*map(anew, built(folder)))


def anew(manifest: Manifest) -> Manifest:
    """Under a name of its own, where what is applied already could not be changed."""
    if manifest["kind"] not in FIXED:
        return manifest
    name = f"{manifest['metadata']['name']}-{secrets.token_hex(3)}"
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


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


def step_job(step: str, *, gpu: bool) -> Manifest:
    """A Job with the resources and rights that the compiled pipeline gives a step's pod."""
    resources = settings.RESOURCES[step.replace("_", "-")]
    cluster = ClusterOptions()
    amount: dict[str, Any] = {"cpu": resources.cpu, "memory": resources.request("")}
    most: dict[str, Any] = {"memory": resources.limit("")}
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
        most[cluster.accelerator] = str(cluster.gpus)
        spec["tolerations"] = [
            {"key": cluster.gpu_toleration, "operator": "Exists", "effect": "NoSchedule"}
        ]
    spec["containers"] = [
        {
            "name": "step",
            "image": image,
            "imagePullPolicy": cluster.image_pull_policy,
            "command": ["python", "-m", f"components.{step}", "--help"],
            "resources": {"requests": amount, "limits": most},
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
