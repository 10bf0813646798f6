"""Who may talk to whom: every kind of flow from and to pods of ours, and what policies say of it.

The same table is judged from the manifests alone, and tried on a cluster (`make test-cluster`).
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from k8s_manifests import Manifest, matches

from components import settings

PART_OF = dict([settings.PART_OF])
NAME = "app.kubernetes.io/name"
KFP, DNS, OTHERS, MARKED = "kubeflow", "kube-system", "elsewhere", "ingress"
NAMESPACES = {
    name: {"kubernetes.io/metadata.name": name, **more}
    for name, more in (
        (KFP, {}),
        (DNS, {}),
        (OTHERS, {}),
        (MARKED, {"wild-mushrooms/page": "allowed"}),
    )
}
POD_ADDRESS = "10.244.0.9"


@dataclass(frozen=True)
class Pod:
    """One end of a flow that is a pod.

    Attributes:
        namespace: that it runs in.
        labels: of the pod.
        ports: names of its container's ports.
    """

    namespace: str
    labels: dict[str, str]
    ports: dict[str, int]


def _ours(name: str = "", **ports: int) -> Pod:
    named = {NAME: f"wild-mushrooms-{name}"} if name else {settings.COMPONENT_LABEL: "retrain"}
    return Pod(KFP, {**PART_OF, **named}, ports)


def _kfp(**labels: str) -> Pod:
    return Pod(KFP, {"application-crd-id": "kubeflow-pipelines", **labels}, {})


STEP, TENSORBOARD, PAGE, HELPER = (
    _ours(),
    _ours("tensorboard", http=6006),
    _ours("serve", http=8080),
    _ours("helper"),
)
OURS = {"step": STEP, "tensorboard": TENSORBOARD, "page": PAGE, "helper": HELPER}
API, METADATA, STORE = (
    _kfp(app="ml-pipeline"),
    _kfp(component="metadata-grpc-server"),
    _kfp(app="seaweedfs"),
)
UI, MYSQL = _kfp(app="ml-pipeline-ui"), _kfp(app="mysql")
OTHER, INGRESS = Pod(OTHERS, {"app": "anything"}, {}), Pod(MARKED, {"app": "nginx"}, {})
NAMES = Pod(DNS, {"k8s-app": "kube-dns"}, {})

WEB = ("tensorboard", "page")
ALL = tuple(OURS)
# Of an address or a pod: its port, and who of ours gets there.
OUT: tuple[tuple[str, Pod | str, int, tuple[str, ...]], ...] = (
    ("the cluster's DNS", NAMES, 53, ALL),
    ("another port of the DNS's pods", NAMES, 9153, ()),
    ("the DNS cache of a node", "169.254.20.10", 53, ALL),
    ("GKE's Cloud DNS", "169.254.169.254", 53, ALL),
    ("KFP's API for programs", API, 8887, ("step",)),
    ("KFP's API for people", API, 8888, ()),
    ("metadata", METADATA, 8080, ("step",)),
    ("the store", STORE, 8333, ("step", *WEB)),
    ("the store's own files", STORE, 8888, ()),
    ("the store's master", STORE, 9333, ()),
    ("KFP's page", UI, 3000, ()),
    ("MySQL", MYSQL, 3306, ()),
    ("another pod of ours", PAGE, 8080, ()),
    ("a pod of somebody else, 443", OTHER, 443, ()),
    ("a pod of somebody else, 80", OTHER, 80, ()),
    ("a pod of somebody else at a Kubernetes API's port", OTHER, 6443, ("step",)),
    ("a pod of somebody else, 3306", OTHER, 3306, ()),
    ("a store at a public address", "203.0.114.7", 443, ("step", *WEB)),
    ("photos over plain http", "203.0.114.7", 80, ("step",)),
    ("mail at a public address", "203.0.114.7", 25, ()),
    ("a public address of IPv6", "2a00:1450::7", 443, ("step", *WEB)),
    ("the Kubernetes API of kind", "172.18.0.2", 6443, ("step",)),
    ("the Kubernetes API of minikube", "192.168.49.2", 8443, ("step",)),
    ("a kubelet", "172.18.0.2", 10250, ()),
    *((f"a private host {host}", host, 443, ()) for host in (
        "10.1.2.3", "172.16.0.5", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd12::1", "fe80::1",
        "::1",
    )),
    *((f"a cloud's metadata at {host}", host, 80, ()) for host in (
        "169.254.169.254",  # Amazon, Google, Azure, DigitalOcean, Oracle, OpenStack
        "169.254.170.2",  # Amazon's containers
        "169.254.170.23",  # Amazon's Pod Identity
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle's older one
        "fd00:ec2::254",  # Amazon, IPv6
        "fd00:ec2::23",  # Amazon's Pod Identity, IPv6
        "fd20:ce::254",  # Google, IPv6
        "fd00:42::42",  # Scaleway, IPv6
    )),
)  # fmt: skip
# Who gets to a pod of ours.
IN: tuple[tuple[str, Pod, Pod, int, bool], ...] = (
    ("an ingress to the page", INGRESS, PAGE, 8080, True),
    ("an ingress to another port", INGRESS, PAGE, 9090, False),
    ("an ingress to TensorBoard", INGRESS, TENSORBOARD, 6006, False),
    ("anybody to the page", OTHER, PAGE, 8080, False),
    ("KFP's page to the page", UI, PAGE, 8080, False),
    ("KFP's page to TensorBoard", UI, TENSORBOARD, 6006, False),
    ("anybody to a step", OTHER, STEP, 8080, False),
    ("a step to the page", STEP, PAGE, 8080, False),
)


def is_allowed(
    policies: Sequence[Manifest], source: Pod, target: Pod | str, port: int, protocol: str = "TCP"
) -> bool:
    """Whether network policies let a connection through.

    Args:
        policies: NetworkPolicy objects of the namespace of KFP.
        source: pod that connects.
        target: a pod, or the address of something that is none.
        port: of the target.
        protocol: TCP or UDP.
    """
    out = _rules(policies, source, "Egress")
    if out is not None and not any(
        _peer(rule.get("to"), target) and _port(rule, port, protocol, target) for rule in out
    ):
        return False
    into = _rules(policies, target, "Ingress") if isinstance(target, Pod) else None
    return into is None or any(
        _peer(rule.get("from"), source) and _port(rule, port, protocol, target) for rule in into
    )


def _rules(policies: Sequence[Manifest], pod: Pod, direction: str) -> list[Manifest] | None:
    """The rules that count for a pod; None where it is free."""
    if pod.namespace != KFP:
        return None
    selecting = [
        policy["spec"]
        for policy in policies
        if matches(policy["spec"]["podSelector"], pod.labels)
        and direction in policy["spec"]["policyTypes"]
    ]
    if not selecting:
        return None
    return [rule for spec in selecting for rule in spec.get(direction.lower(), ())]


def _peer(peers: list[Manifest] | None, end: Pod | str) -> bool:
    if peers is None:
        return True
    return any(_is_peer(peer, end) for peer in peers)


def _is_peer(peer: Manifest, end: Pod | str) -> bool:
    if "ipBlock" in peer:
        address = POD_ADDRESS if isinstance(end, Pod) else end
        return _inside(peer["ipBlock"]["cidr"], address) and not any(
            _inside(hole, address) for hole in peer["ipBlock"].get("except", ())
        )
    if not isinstance(end, Pod):
        return False
    namespace = peer.get("namespaceSelector")
    if namespace is None:
        fits = end.namespace == KFP
    else:
        fits = matches(namespace, NAMESPACES[end.namespace])
    return fits and matches(peer.get("podSelector", {}), end.labels)


def _inside(network: str, address: str) -> bool:
    parsed, block = ipaddress.ip_address(address), ipaddress.ip_network(network)
    return parsed.version == block.version and parsed in block


def _port(rule: Manifest, port: int, protocol: str, target: Pod | str) -> bool:
    if "ports" not in rule:
        return True
    names = target.ports if isinstance(target, Pod) else {}
    return any(
        protocol == allowed.get("protocol", "TCP")
        and port == names.get(allowed["port"], allowed["port"])
        for allowed in rule["ports"]
    )


def outgoing() -> Iterator[tuple[str, Pod, Pod | str, int, bool]]:
    """Every flow from a pod of ours: its name, both ends, the port, whether it is meant."""
    for what, target, port, who in OUT:
        for name, source in OURS.items():
            if source is not target:
                yield f"{name} to {what}", source, target, port, name in who
