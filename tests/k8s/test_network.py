"""k8s/base/network.yaml: what pods of ours may reach, and who reaches them, flow by flow."""

import ipaddress
import re

import pytest
import yaml
from conftest import ROOT
from k8s_manifests import OVERLAYS, Manifest, matches, of_kind, pods
from network_flows import (
    API,
    IN,
    METADATA,
    MYSQL,
    NAME,
    OURS,
    STORE,
    Pod,
    is_allowed,
    outgoing,
)

from components import settings
from components.common.web.addresses import is_public

each_overlay = pytest.mark.parametrize("folder", OVERLAYS)
OUT = list(outgoing())


def policies(folder: str = "base") -> list[Manifest]:
    return of_kind(folder, "NetworkPolicy")


@pytest.mark.parametrize(
    ("source", "target", "port", "meant"),
    [pytest.param(*flow, id=what) for what, *flow in OUT],
)
def test_pods_of_ours_reach_what_they_need_and_nothing_else(
    source: Pod, target: Pod | str, port: int, meant: bool
) -> None:
    assert is_allowed(policies(), source, target, port) is meant


@pytest.mark.parametrize(
    ("source", "target", "port", "meant"), [pytest.param(*flow, id=what) for what, *flow in IN]
)
def test_nobody_reaches_pods_of_ours_but_marked_namespaces_the_page(
    source: Pod, target: Pod, port: int, meant: bool
) -> None:
    assert is_allowed(policies(), source, target, port) is meant


def test_names_are_asked_by_udp_and_nothing_else_is() -> None:
    for what, source, target, port, meant in OUT:
        assert is_allowed(policies(), source, target, port, "UDP") is (meant and port == 53), what


@pytest.mark.parametrize("theirs", [API, METADATA, STORE, MYSQL])
def test_pods_of_others_keep_the_rules_that_they_have(theirs: Pod) -> None:
    for policy in policies():
        assert policy["spec"]["podSelector"], "an empty one takes every pod of the namespace"
        assert not matches(policy["spec"]["podSelector"], theirs.labels)


@each_overlay
def test_no_overlay_opens_more(folder: str) -> None:
    assert policies(folder) == policies("base")


def test_the_table_s_pods_are_those_that_are_built() -> None:
    built = {template["metadata"]["labels"].get(NAME): template for _, template in pods("base")}
    for pod in OURS.values():
        if settings.COMPONENT_LABEL in pod.labels:
            assert (
                pod.labels.keys() == dict([settings.PART_OF, (settings.COMPONENT_LABEL, "")]).keys()
            )
            continue
        template = built.pop(pod.labels[NAME])
        assert pod.labels.items() <= template["metadata"]["labels"].items()
        named = {
            port["name"]: port["containerPort"]
            for container in template["spec"]["containers"]
            for port in container.get("ports", ())
        }
        assert pod.ports == named
    assert not built


def test_private_hosts_are_closed_on_443_where_photos_of_private_hosts_are_refused() -> None:
    """The network's word on what is private, and that of the step that fetches, agree."""
    hosts = [
        str(network[1])
        for block in (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "172.31.255.0/24", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15",
            "198.19.255.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.15/31", "8.8.8.0/24",
            "100.128.0.0/16", "172.32.0.0/16", "1.1.1.0/24", "::/127", "fc00::/7", "fe80::/10",
            "ff00::/8", "64:ff9b:1::/48", "2606:4700::/32", "2a00:1450::/32",
        )
        if (network := ipaddress.ip_network(block, strict=False))
    ]  # fmt: skip
    for host in hosts:
        assert is_allowed(policies(), OURS["step"], host, 443) is is_public(host), host


def test_policies_of_the_docs_open_what_they_say() -> None:
    block = re.search(
        r"^# my-cluster/network\.yaml.*?\n(.*?)^```$",
        (ROOT / "docs" / "cluster.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    assert block
    opened, cilium = yaml.safe_load_all(block[1])
    step = OURS["step"]
    for address, port in (("10.20.0.15", 9000), ("10.0.0.2", 443), ("169.254.170.23", 80)):
        assert not is_allowed(policies(), step, address, port)
        assert is_allowed([*policies(), opened], step, address, port)
        assert not is_allowed([*policies(), opened], step, address, port + 1)
    assert matches(cilium["spec"]["endpointSelector"], step.labels)
