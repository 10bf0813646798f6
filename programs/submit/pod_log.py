"""The end of a failed task's log, from whichever place lets us read it."""

import collections
import contextlib
from collections.abc import Iterator
from typing import Any

import urllib3
from kfp_server_api.exceptions import ApiException

from programs.submit.connection import TIMEOUT_S, Connection

LINES = 40
LINE_CHARACTERS = 400
MAX_BYTES = 64 * 1024 * 1024
# Argo names the pod of a task after its node, with the name of KFP's template in the middle.
TEMPLATES = ("system-container-impl", "system-container-executor")


def log_tail(connection: Connection, run: Any, task: Any) -> str:
    """The last lines, or where to look for them.

    Args:
        connection: to the server.
        run: the run.
        task: its failed task; None where it is not known.
    """
    for lines in _found(connection, run, task):
        if lines:
            return "  its log ends with:\n" + "\n".join(f"    {line}" for line in lines)
    namespace = connection.place.namespace
    return (
        "  its log: in the run's page, or by `kubectl -n "
        f"{namespace} logs -l pipeline/runid={run.run_id} -c main --prefix --tail 50`"
    )


def _found(connection: Connection, run: Any, task: Any) -> Iterator[list[str]]:
    if not connection.place.host:
        with contextlib.suppress(Exception):  # a better message is lost, and nothing else
            yield _from_kubernetes(connection, run.run_id)
    nodes = [child.pod_name for child in (task.child_tasks or ())] if task else []
    for node in filter(None, nodes):
        for pod in _pods(str(node)):
            query = {
                "podname": pod,
                "podnamespace": connection.place.namespace,
                "runid": run.run_id,
            }
            # The API server's own way, then that of the page's server.
            yield _fetch(connection, f"/apis/v1alpha1/runs/{run.run_id}/nodes/{pod}/log", {})
            yield _fetch(connection, "/k8s/pod/logs", query)


def _pods(node: str) -> list[str]:
    workflow, _, number = node.rpartition("-")
    return [*(f"{workflow}-{template}-{number}" for template in TEMPLATES), node]


def _fetch(connection: Connection, path: str, query: dict[str, str]) -> list[str]:
    """The last lines of a text answer; none where there is another answer."""
    try:
        answer = connection.api.http.call_api(
            path,
            "GET",
            query_params=list(query.items()),
            header_params={"Accept": "text/plain"},
            auth_settings=["Bearer"],
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=TIMEOUT_S,
        )
        with contextlib.closing(answer):
            kind = answer.headers.get("Content-Type", "")
            if "html" in kind or "json" in kind:  # a page, or an error
                return []
            return _last_lines(answer)
    except (ApiException, urllib3.exceptions.HTTPError, AttributeError):
        return []


def _last_lines(answer: Any) -> list[str]:
    kept = b""
    read = 0
    for piece in answer.stream(64 * 1024):
        read += len(piece)
        kept = (kept + piece)[-LINES * LINE_CHARACTERS * 4 :]
        if read > MAX_BYTES:
            break
    return _printable(kept.decode(errors="replace"))


def _from_kubernetes(connection: Connection, run_id: str) -> list[str]:
    import kubernetes

    try:
        kubernetes.config.load_incluster_config()
    except kubernetes.config.ConfigException:
        kubernetes.config.load_kube_config(context=connection.place.kube_context or None)
    core = kubernetes.client.CoreV1Api()
    namespace = connection.place.namespace
    pods = core.list_namespaced_pod(
        namespace, label_selector=f"pipeline/runid={run_id}", _request_timeout=TIMEOUT_S
    )
    failed = [pod.metadata.name for pod in pods.items if pod.status.phase == "Failed"]
    # Drivers' pods come after those of steps, which say more.
    for name in sorted(failed, key=lambda name: not any(part in name for part in TEMPLATES)):
        text = core.read_namespaced_pod_log(
            name, namespace, container="main", tail_lines=LINES, _request_timeout=TIMEOUT_S
        )
        return _printable(text)
    return []


def _printable(text: str) -> list[str]:
    last = collections.deque((line for line in text.splitlines() if line.strip()), LINES)
    return [
        "".join(letter for letter in line if letter.isprintable())[:LINE_CHARACTERS]
        for line in last
    ]
