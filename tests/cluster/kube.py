"""What these tests ask of Kubernetes: kubectl, ways to its services, and KFP's object store."""

import base64
import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import yaml
from k8s_manifests import KUBECTL, Manifest

from components import settings

CALL_S = 120.0
# Where KFP's standalone installation runs its pods.
KFP_NAMESPACE = os.environ.get("MUSHROOM_TEST_CLUSTER_NAMESPACE", "kubeflow")
SECRET = "mlpipeline-minio-artifact"
BUCKET = "mlpipeline"


@dataclass(frozen=True)
class Cluster:
    """A cluster, and the namespace that is ours for the time of the tests."""

    namespace: str

    def call(self, *arguments: str, text: str = "", timeout_s: float = CALL_S) -> str:
        """The output of a kubectl command."""
        done = subprocess.run(
            [KUBECTL, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def has(self, kind: str, name: str, namespace: str = "") -> bool:
        place = ["--namespace", namespace] if namespace else []
        return bool(self.call("get", kind, name, *place, "--ignore-not-found", "--output=name"))

    def dry_run(self, *manifests: Manifest) -> None:
        """Let the API server judge, and keep nothing."""
        self.call("apply", "--dry-run=server", "--filename=-", text=yaml.safe_dump_all(manifests))

    def apply(self, *manifests: Manifest) -> None:
        """Make things, in our namespace."""
        placed = [
            {**one, "metadata": {**one["metadata"], "namespace": self.namespace}}
            for one in manifests
        ]
        self.call("apply", "--filename=-", text=yaml.safe_dump_all(placed))

    def in_ours(self, *arguments: str, timeout_s: float = CALL_S) -> str:
        return self.call("--namespace", self.namespace, *arguments, timeout_s=timeout_s)

    def get(self, kind: str, name: str) -> Any:
        return json.loads(self.in_ours("get", kind, name, "--output=json"))

    def in_kfp(self, *arguments: str, timeout_s: float = CALL_S) -> str:
        return self.call("--namespace", KFP_NAMESPACE, *arguments, timeout_s=timeout_s)

    def pods_of_run(self, run_id: str) -> list[Any]:
        found = self.in_kfp("get", "pods", f"--selector=pipeline/runid={run_id}", "--output=json")
        return list(json.loads(found)["items"])

    def pods_of_step(self, run_id: str, step: str) -> list[Any]:
        """The pods that did a step's work, one for each try, by the label that we give them."""
        return [
            pod
            for pod in self.pods_of_run(run_id)
            if pod["metadata"]["labels"].get(settings.COMPONENT_LABEL) == step
        ]

    def pod_of(self, run_id: str, step: str) -> str | None:
        """The running pod that does a step's work."""
        for pod in self.pods_of_step(run_id, step):
            if pod["status"]["phase"] == "Running":
                return str(pod["metadata"]["name"])
        return None

    def store_keys(self) -> tuple[str, str]:
        data = json.loads(self.in_kfp("get", "secret", SECRET, "--output=json"))["data"]
        return decoded(data["accesskey"]), decoded(data["secretkey"])


class Way:
    """A way from this machine to a service, as `kubectl port-forward` makes it.

    It ends with the pod that it leads to: `open` makes it anew, at the same address.
    """

    def __init__(self, service: str, port: int, namespace: str = KFP_NAMESPACE) -> None:
        self._to = (service, port, namespace)
        self._local = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._local}"

    def open(self) -> None:
        self.close()
        service, port, namespace = self._to
        ports = f"{self._local or ''}:{port}"
        command = [KUBECTL, "--namespace", namespace, "port-forward", "--address=127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, f"service/{service}", ports], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = re.search(r"127\.0\.0\.1:(\d+)", self._process.stdout.readline())
        assert told, f"no way to the service {service}"
        self._local = int(told[1])

    def close(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def __enter__(self) -> "Way":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Store:
    """KFP's object store, seen from this machine."""

    cluster: Cluster
    way: Way
    keys: tuple[str, str] = field(repr=False)

    @property
    def address(self) -> str:
        return self.way.address

    @contextmanager
    def away(self) -> Iterator[None]:
        """It is away; afterwards it is back, and ready."""
        scale = ("scale", "deployment/seaweedfs")
        self.cluster.in_kfp(*scale, "--replicas=0")
        try:
            gone = ("--selector=app=seaweedfs", "--timeout=90s")
            self.cluster.in_kfp("wait", "--for=delete", "pod", *gone)
            yield
        finally:
            self.cluster.in_kfp(*scale, "--replicas=1")
            self.cluster.in_kfp("rollout", "status", "deployment/seaweedfs", "--timeout=110s")
            self.way.open()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            aws_access_key_id=self.keys[0],
            aws_secret_access_key=self.keys[1],
            region_name="us-east-1",
        )

    def names(self, prefix: str) -> list[str]:
        pages = self.client().get_paginator("list_objects_v2")
        return [
            str(entry["Key"])
            for page in pages.paginate(Bucket=BUCKET, Prefix=prefix)
            for entry in page.get("Contents", ())
        ]

    def read(self, name: str) -> bytes:
        body = self.client().get_object(Bucket=BUCKET, Key=name)["Body"]
        return bytes(body.read())


def restricted(container: Manifest, **spec: Any) -> Manifest:
    """The spec of a pod with one container of ours, as the restricted standard wants it."""
    rights = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{"imagePullPolicy": "IfNotPresent", "securityContext": rights, **container}],
        **spec,
    }


def decoded(value: str) -> str:
    return base64.b64decode(value).decode()


def ready(cluster: Cluster, workload: str, timeout_s: float) -> None:
    """Wait for a Deployment of our namespace; where it does not come up, say what its pods say."""
    with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
        cluster.in_ours(
            *("rollout", "status", workload, f"--timeout={timeout_s:.0f}s"),
            timeout_s=timeout_s + 30,
        )
        return
    pytest.fail(f"{workload} is not ready: {cluster.in_ours('describe', 'pod')[-6000:]}")


def until(what: str, ask: Any, timeout_s: float, pause_s: float = 2.0) -> Any:
    """The first answer that counts as true."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:.0f} s"
        time.sleep(pause_s)
