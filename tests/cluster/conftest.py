"""A real cluster: that of KUBECONFIG, and only where MUSHROOM_TEST_CLUSTER=1 says that it may be.

What runs there runs in a namespace of its own, which enforces the restricted pod security standard
and is deleted afterwards; everything else is asked of the API server as a dry run.
"""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from k8s_manifests import KUBECTL, Manifest

CALL_S = 120.0


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

    def has(self, kind: str, name: str) -> bool:
        return bool(self.call("get", kind, name, "--ignore-not-found", "--output=name"))

    def dry_run(self, *manifests: Manifest) -> None:
        """Let the API server judge, and keep nothing."""
        self.call("apply", "--dry-run=server", "--filename=-", text=yaml.safe_dump_all(manifests))

    def apply(self, *manifests: Manifest) -> None:
        """Make things, in our namespace."""
        for one in manifests:
            one["metadata"]["namespace"] = self.namespace
        self.call("apply", "--filename=-", text=yaml.safe_dump_all(manifests))

    def in_ours(self, *arguments: str, timeout_s: float = CALL_S) -> str:
        return self.call("--namespace", self.namespace, *arguments, timeout_s=timeout_s)

    def get(self, kind: str, name: str) -> Any:
        return json.loads(self.in_ours("get", kind, name, "--output=json"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if os.environ.get("MUSHROOM_TEST_CLUSTER") != "1":
        pytest.skip(
            "NOTHING WAS TRIED ON A REAL CLUSTER: set KUBECONFIG, and MUSHROOM_TEST_CLUSTER=1 "
            "to say that tests may use it"
        )
    _check_cluster()
    made = Cluster(f"wild-mushrooms-test-{secrets.token_hex(3)}")
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    namespace = {"name": made.namespace, "labels": labels}
    made.call(
        "apply",
        "--filename=-",
        text=yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace}),
    )
    try:
        yield made
    finally:
        made.call("delete", "namespace", made.namespace, "--wait=false")


def _check_cluster() -> None:
    """End at once where tests were asked for and there is no cluster."""
    if not os.environ.get("KUBECONFIG"):
        pytest.exit("set KUBECONFIG to a cluster that tests may use", returncode=2)
    command = [KUBECTL, "get", "--raw=/readyz", "--request-timeout=10s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        pytest.exit(f"the cluster of KUBECONFIG cannot be used: {last}", returncode=2)
