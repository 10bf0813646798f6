"""The table of flows (network_flows.py), tried: pods with our labels and policies connect.

Each pod tries every flow that can be tried on any cluster: services of KFP and the DNS by name, a
listener of ours for private hosts, and addresses of clouds' credentials. A pod without our labels
tries the same, so that what is closed is known to be there. The internet is tried where there is
one.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from cluster.conftest import STARTED_S
from cluster.kube import KFP_NAMESPACE, Cluster, restricted, until
from k8s_manifests import of_kind
from network_flows import (
    API,
    METADATA,
    MYSQL,
    NAME,
    OTHER,
    OURS,
    OUT,
    PART_OF,
    STORE,
    UI,
    Pod,
)

from components import settings

# Service and port, and what network_flows calls the pod or address behind it.
SERVICES: tuple[tuple[str, int, Pod | str, int], ...] = (
    (f"ml-pipeline.{KFP_NAMESPACE}", 8887, API, 8887),
    (f"ml-pipeline.{KFP_NAMESPACE}", 8888, API, 8888),
    (f"metadata-grpc-service.{KFP_NAMESPACE}", 8080, METADATA, 8080),
    (f"seaweedfs.{KFP_NAMESPACE}", 9000, STORE, 8333),
    (f"ml-pipeline-ui.{KFP_NAMESPACE}", 80, UI, 3000),
    (f"mysql.{KFP_NAMESPACE}", 3306, MYSQL, 3306),
    ("kubernetes.default", 443, "172.18.0.2", 6443),
)
# Of a pod of somebody else, at an address that is private; 6443 is a Kubernetes API's port.
LISTENED = (443, 80, 6443, 3306)
CREDENTIALS = ("169.254.169.254", "169.254.170.23", "168.63.129.16", "100.100.100.200")
INTERNET = ("1.1.1.1", 443)
TRY_S = 3
PROBE = """
import json, socket, sys, time
# Policies take a moment to reach a pod that has just been made.
time.sleep(8)
told = {}
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), TRY_S).close()
        told[f"{host}:{port}"] = True
    except OSError:
        told[f"{host}:{port}"] = False
print(json.dumps(told), flush=True)
"""
LISTEN = """
import socket, sys, threading
def serve(port):
    with socket.create_server(("", port)) as server:
        while True:
            server.accept()[0].close()
for port in sys.argv[1:]:
    threading.Thread(target=serve, args=[int(port)]).start()
"""


def meant() -> dict[str, tuple[str, ...]]:
    """Who of ours gets to each service, and to a listener, as the table says."""
    targets: dict[str, tuple[Pod | str, int]] = {
        f"{host}:{port}": (target, behind) for host, port, target, behind in SERVICES
    }
    targets |= {f"listener:{port}": (OTHER, port) for port in LISTENED}
    return {
        flow: next(who for _, target, port, who in OUT if (target, port) == aim)
        for flow, aim in targets.items()
    }


def flows(listener: str) -> list[tuple[str, int]]:
    """Hosts and ports that every kind of pod tries."""
    tried = [(host, port) for host, port, *_ in SERVICES]
    tried += [(listener, port) for port in LISTENED]
    tried += [(host, 80) for host in CREDENTIALS]
    return [*tried, INTERNET]


def reached(cluster: Cluster, name: str) -> dict[str, bool]:
    """What a pod that tries has printed, once it has ended."""

    def ended() -> bool:
        return cluster.get("pod", name)["status"]["phase"] in ("Succeeded", "Failed")

    until(name, ended, STARTED_S)
    answers: dict[str, bool] = json.loads(cluster.in_ours("logs", name))
    return answers


def listen(
    cluster: Cluster, name: str, labels: dict[str, str], *ports: int, low_ports: bool = False
) -> str:
    """Start a pod that listens; its address."""
    command = ["python", "-c", LISTEN, *map(str, ports)]
    cluster.apply(pod(name, labels, command, low_ports=low_ports))
    cluster.in_ours("wait", "--for=condition=Ready", f"pod/{name}", f"--timeout={STARTED_S}s")
    return str(cluster.get("pod", name)["status"]["podIP"])


def probing(tried: Sequence[tuple[str, int]]) -> list[str]:
    """The command that tries to connect."""
    return ["python", "-c", PROBE.replace("TRY_S", str(TRY_S)), json.dumps(tried)]


def pod(name: str, labels: dict[str, str], command: list[str], *, low_ports: bool = False) -> Any:
    container = {"name": "probe", "image": settings.DATA_IMAGE, "command": command}
    spec = restricted(container, restartPolicy="Never")
    if low_ports:
        low = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
        spec["securityContext"]["sysctls"] = [low]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def told(cluster: Cluster) -> dict[str, dict[str, bool]]:
    """What each kind of pod reached, by its name; `anybody` has none of our labels."""
    if not cluster.has("service", "ml-pipeline", KFP_NAMESPACE):
        pytest.skip(f"no Kubeflow Pipelines in {KFP_NAMESPACE}")
    cluster.apply(*of_kind("base", "NetworkPolicy"))
    address = listen(cluster, "listener", {"app": "listener"}, *LISTENED, low_ports=True)
    kinds = {**{name: one.labels for name, one in OURS.items()}, "anybody": {"app": "anybody"}}
    for name, labels in kinds.items():
        cluster.apply(pod(f"probe-{name}", labels, probing(flows(address))))
    return {
        name: {
            flow.replace(f"{address}:", "listener:"): yes
            for flow, yes in reached(cluster, f"probe-{name}").items()
        }
        for name in kinds
    }


def test_policies(told: dict[str, dict[str, bool]], record_property: Any) -> None:
    who = meant()
    unreachable = [flow for flow in who if not told["anybody"][flow]]
    assert not unreachable, "there is nothing to close"
    wrong = {
        f"{name} to {flow}": yes
        for name in OURS
        for flow, yes in told[name].items()
        if flow in who and yes is not (name in who[flow])
    }
    assert not wrong
    closed = [f"{host}:80" for host in CREDENTIALS]
    assert not [flow for flow in closed for name in OURS if told[name][flow]]
    flow = f"{INTERNET[0]}:{INTERNET[1]}"
    if told["anybody"][flow]:
        assert [name for name in OURS if told[name][flow]] == ["step", "tensorboard", "page"]
    internet = "the internet too" if told["anybody"][flow] else "no internet here"
    record_property("measured", f"{len(who) * len(OURS)} flows, {internet}")


def test_nobody_reaches_a_step(cluster: Cluster, told: dict[str, dict[str, bool]]) -> None:
    """A listener with a step's labels is closed to all, also to a pod of ours."""
    assert told
    labels = {**PART_OF, settings.COMPONENT_LABEL: "retrain"}
    address = listen(cluster, "listening-step", labels, 8080)
    for name, more in (("stranger", {"app": "anybody"}), ("page", {NAME: "wild-mushrooms-serve"})):
        cluster.apply(pod(f"caller-{name}", more, probing([(address, 8080)])))
        assert reached(cluster, f"caller-{name}") == {f"{address}:8080": False}
