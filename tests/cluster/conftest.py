"""A real cluster: that of KUBECONFIG, and only where MUSHROOM_TEST_CLUSTER=1 says that it may be.

Runs go through KFP where it is installed, under names of their own. Whatever else is made runs in
a namespace of its own, which is deleted afterwards. What others would notice, the store taken away
for a minute, is done only where MUSHROOM_TEST_CLUSTER_DISTURB=1 says so as well, and is undone
whatever happens. At the end there is a table: scenario, seconds, verdict, what was measured.
"""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import yaml
from cluster.kube import KFP_NAMESPACE, Cluster, Store, Way, ready
from cluster.photo_site import PhotoSite
from cluster.runs import Kfp
from k8s_manifests import KUBECTL

STARTED_S = 900  # images of several GB may have to be pulled first
_rows: dict[str, tuple[str, float, str, str]] = {}
_took: dict[str, float] = {}  # seconds of a test, what was set up for it included


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
    # As a profile's namespace, whose pods KFP's store lets in.
    labels["app.kubernetes.io/part-of"] = "kubeflow-profile"
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


@pytest.fixture(scope="session")
def kfp(cluster: Cluster) -> Iterator[Kfp]:
    """Kubeflow Pipelines, by ways to its page and its store; its runs' names end like ours."""
    if not cluster.has("service", "ml-pipeline-ui", KFP_NAMESPACE):
        pytest.skip(f"no Kubeflow Pipelines in {KFP_NAMESPACE}: install it first (docs/cluster.md)")
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(Way("ml-pipeline-ui", 80))
        way = stack.enter_context(Way("seaweedfs", 9000))
        store = Store(cluster, way, cluster.store_keys())
        made = Kfp(cluster, page.address, store, cluster.namespace.removeprefix("wild-mushrooms-"))
        stack.callback(made.end)
        yield made


@pytest.fixture(scope="session")
def site(cluster: Cluster) -> Iterator[PhotoSite]:
    """A server with photos in the cluster, which pods of ours in KFP's namespace may reach."""
    made = PhotoSite(cluster)
    opening = made.opening()
    cluster.apply(*made.manifests())
    ready(cluster, "deployment/photos", STARTED_S)
    cluster.call("apply", "--filename=-", text=yaml.safe_dump(opening))
    try:
        with Way("photos", 80, cluster.namespace) as way:
            made.address = way.address
            yield made
    finally:
        cluster.call(
            *("--namespace", KFP_NAMESPACE, "delete", "networkpolicy", opening["metadata"]["name"])
        )


@pytest.fixture
def disturbing() -> None:
    """Asked for by tests of which others in the cluster would notice something."""
    if os.environ.get("MUSHROOM_TEST_CLUSTER_DISTURB") != "1":
        pytest.skip(
            "NOT TRIED: set MUSHROOM_TEST_CLUSTER_DISTURB=1 where nobody minds that KFP's store is "
            "away for a minute"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    _took[item.nodeid] = _took.get(item.nodeid, 0.0) + report.duration
    if report.when == "call" or report.skipped or (report.failed and report.when == "setup"):
        name = item.name.removeprefix("test_").replace("_", " ")
        measured = ", ".join(str(value) for key, value in item.user_properties if key == "measured")
        why = str(report.longrepr[2]) if report.skipped and report.longrepr else ""
        why = why.removeprefix("Skipped: ")[:100]
        _rows[item.nodeid] = (name, _took[item.nodeid], report.outcome, measured or why)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _rows or os.environ.get("MUSHROOM_TEST_CLUSTER") != "1":
        return
    terminalreporter.section("scenarios")
    for name, seconds, outcome, measured in _rows.values():
        terminalreporter.write_line(f"{outcome:8} {seconds:6.0f} s  {name}  {measured}".rstrip())
