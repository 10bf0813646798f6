"""The table of flows (network_flows.py), tried: pods with our labels and policies connect.

Each pod tries every flow that can be tried on any cluster: services of KFP and the DNS by name, a
listener of ours for private hosts, and addresses of clouds' credentials. A pod without our labels
tries the same, so that what is closed is known to be there. The internet is tried where there is
one.
"""

import json
from typing import Any

import pytest
from cluster.conftest import STARTED_S
from cluster.kube import KFP_NAMESPACE, Cluster, until
from k8s_manifests import of_kind
from network_flows import NAME, OURS, PART_OF

from components import settings

# Service, port, and who of ours gets there (as network_flows.OUT has it, by names of services).
SERVICES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    (f"ml-pipeline.{KFP_NAMESPACE}", 8887, ("step",)),
    (f"ml-pipeline.{KFP_NAMESPACE}", 8888, ()),
    (f"metadata-grpc-service.{KFP_NAMESPACE}", 8080, ("step",)),
    (f"seaweedfs.{KFP_NAMESPACE}", 9000, ("step", "tensorboard", "page")),
    (f"ml-pipeline-ui.{KFP_NAMESPACE}", 80, ()),
    (f"mysql.{KFP_NAMESPACE}", 3306, ()),
    ("kubernetes.default", 443, ("step",)),
)
# A pod of somebody else, at an address that is private; 6443 is a Kubernetes API's port.
LISTENED = ((443, ()), (80, ()), (6443, ("step",)), (3306, ()))
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


def pod(name: str, labels: dict[str, str], command: list[str], *, low_ports: bool = False) -> Any:
    security: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": settings.USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if low_ports:
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    container = {
        "name": "probe",
        "image": settings.DATA_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": security,
            "containers": [container],
        },
    }


@pytest.fixture(scope="module")
def told(cluster: Cluster) -> dict[str, dict[str, bool]]:
    """What each kind of pod reached, by its name; `anybody` has none of our labels."""
    if not cluster.has("service", "ml-pipeline", KFP_NAMESPACE):
        pytest.skip(f"no Kubeflow Pipelines in {KFP_NAMESPACE}")
    cluster.apply(*of_kind("base", "NetworkPolicy"))
    ports = [str(port) for port, _ in LISTENED]
    cluster.apply(
        pod("listener", {"app": "listener"}, ["python", "-c", LISTEN, *ports], low_ports=True)
    )
    cluster.in_ours("wait", "--for=condition=Ready", "pod/listener", f"--timeout={STARTED_S}s")
    address = cluster.get("pod", "listener")["status"]["podIP"]
    flows: list[tuple[str, int]] = [(host, port) for host, port, _ in SERVICES]
    flows += [(address, port) for port, _ in LISTENED]
    flows += [(host, 80) for host in CREDENTIALS]
    flows.append(INTERNET)
    command = ["python", "-c", PROBE.replace("TRY_S", str(TRY_S)), json.dumps(flows)]
    kinds = {**{name: one.labels for name, one in OURS.items()}, "anybody": {"app": "anybody"}}
    answers = {}
    for name, labels in kinds.items():
        cluster.apply(pod(f"probe-{name}", labels, command))
    for name in kinds:

        def ended(name: str = name) -> bool:
            return cluster.get("pod", f"probe-{name}")["status"]["phase"] in ("Succeeded", "Failed")

        until(f"probe-{name}", ended, STARTED_S)
        by_host = json.loads(cluster.in_ours("logs", f"probe-{name}"))
        answers[name] = {
            flow.replace(f"{address}:", "listener:"): yes for flow, yes in by_host.items()
        }
    return answers


def test_policies(told: dict[str, dict[str, bool]], record_property: Any) -> None:
    meant: dict[str, tuple[str, ...]] = {f"{host}:{port}": who for host, port, who in SERVICES}
    meant |= {f"listener:{port}": who for port, who in LISTENED}
    unreachable = [flow for flow in meant if not told["anybody"][flow]]
    assert not unreachable, "there is nothing to close"
    wrong = {
        f"{name} to {flow}": yes
        for name in OURS
        for flow, yes in told[name].items()
        if flow in meant and yes is not (name in meant[flow])
    }
    assert not wrong
    closed = [f"{host}:80" for host in CREDENTIALS]
    assert not [flow for flow in closed for name in OURS if told[name][flow]]
    flow = f"{INTERNET[0]}:{INTERNET[1]}"
    if told["anybody"][flow]:
        assert [name for name in OURS if told[name][flow]] == ["step", "tensorboard", "page"]
    internet = "the internet too" if told["anybody"][flow] else "no internet here"
    record_property("measured", f"{len(meant) * len(OURS)} flows, {internet}")


def test_nobody_reaches_a_step(cluster: Cluster, told: dict[str, dict[str, bool]]) -> None:
    """A listener with a step's labels is closed to all, also to a pod of ours."""
    assert told
    labels = {**PART_OF, settings.COMPONENT_LABEL: "retrain"}
    cluster.apply(pod("listening-step", labels, ["python", "-c", LISTEN, "8080"]))
    cluster.in_ours(
        "wait", "--for=condition=Ready", "pod/listening-step", f"--timeout={STARTED_S}s"
    )
    address = cluster.get("pod", "listening-step")["status"]["podIP"]
    command = ["python", "-c", PROBE.replace("TRY_S", str(TRY_S)), json.dumps([(address, 8080)])]
    for name, more in (("stranger", {"app": "anybody"}), ("page", {NAME: "wild-mushrooms-serve"})):
        cluster.apply(pod(f"caller-{name}", more, command))

        def ended(name: str = name) -> bool:
            status = cluster.get("pod", f"caller-{name}")["status"]
            return status["phase"] in ("Succeeded", "Failed")

        until(f"caller-{name}", ended, STARTED_S)
        assert json.loads(cluster.in_ours("logs", f"caller-{name}")) == {f"{address}:8080": False}
