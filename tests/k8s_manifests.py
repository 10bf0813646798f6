"""The manifests of k8s/ as `kubectl kustomize` builds them, and what their pods are."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
BUILT = ("base", "overlays/kind", "overlays/minikube", "overlays/gpu", "gpu-check")
PAGE_ALONE = "serving/page"  # in a namespace of its own
OVERLAYS = tuple(folder for folder in BUILT if folder.startswith("overlays/"))
KUBERNETES = ("1.29.0", "1.37.0")  # the oldest that is promised, and the newest that is known

Manifest = dict[str, Any]


def kustomized(folder: str) -> str:
    done = subprocess.run(
        [KUBECTL, "kustomize", str(ROOT / "k8s" / folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def built(folder: str) -> tuple[Manifest, ...]:
    return tuple(yaml.load_all(kustomized(folder), yaml.CSafeLoader))


def of_kind(folder: str, *kinds: str) -> list[Manifest]:
    return [one for one in built(folder) if one["kind"] in kinds]


def pods(folder: str) -> Iterator[tuple[str, Manifest]]:
    """The name of each workload, and its pod template."""
    for one in of_kind(folder, "Deployment", "Job", "StatefulSet", "DaemonSet", "CronJob", "Pod"):
        assert one["kind"] in ("Deployment", "Job"), f"these tests know no {one['kind']}"
        yield one["metadata"]["name"], one["spec"]["template"]


def containers(template: Manifest) -> list[Manifest]:
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes these labels."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", ()):
        found = labels.get(rule["key"])
        if rule["operator"] == "In" and found not in rule["values"]:
            return False
        if rule["operator"] == "NotIn" and found in rule["values"]:
            return False
        assert rule["operator"] in ("In", "NotIn"), rule
    return True
