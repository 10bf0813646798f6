"""What a failed step wrote, from whichever place lets us read it: its error first, then the end."""

import collections
import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import urllib3
from kfp_server_api.exceptions import ApiException

from components.settings import ClusterOptions
from programs.submit import nodes, pods
from programs.submit.connection import TIMEOUT_S, Connection
from programs.submit.pods import Pod

LINES = 40
# KFP's launcher and Argo's supervisor write into the same log, before the step and after it.
READ_LINES = LINES + 60
LINE_CHARACTERS = 400
MAX_BYTES = 64 * 1024 * 1024
# Argo names the pod of a task after its node, with the name of KFP's template in the middle: the
# first as of KFP 2.17 with retries and so many annotations and labels, then without, then as of
# earlier ones.
TEMPLATES = (
    "metadata-{}-{}-retry-system-container-impl",
    "retry-system-container-impl",
    "metadata-{}-{}-system-container-impl",
    "system-container-impl",
    "system-container-executor",
)
OWN_LABELS = 2  # that every pod of ours has
_NOT_THE_STEP_S = re.compile(
    r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w./-]+\.go:\d+\]"  # glog, of KFP's launcher
    r'|time="?\d{4}-\d\d-\d\dT\S+ level='  # logrus, of Argo
    r"|\[KFP Executor "
)
_BROKEN = re.compile(r"[EF]\d{4} \d\d:\d\d:\d\d|level=(error|fatal)|\b[Ff]ailed to ")
_ERROR = re.compile(r"[\w.]+: error: ")


def log_lines(
    connection: Connection,
    run: Any,
    step: Any,
    failed: Sequence[Pod],
    cluster: ClusterOptions,
) -> list[str]:
    """The lines of a failed step's log, as they were written; none where it cannot be read.

    Args:
        connection: to the server.
        run: the run.
        step: the task that failed; None where it is not known.
        failed: the pods that Kubernetes names, best first.
        cluster: what the run was compiled with.
    """
    for lines in _readings(connection, run, step, failed, cluster):
        if lines:
            return lines
    return []


def errors(lines: Sequence[str]) -> list[str]:
    """The lines in which the step says itself what was wrong; of a launcher that failed, its."""
    own = own_lines(lines)
    said = [line for line in own if _ERROR.match(line)]
    if not own:
        said = [line for line in lines if _BROKEN.search(line)]
    return list(dict.fromkeys(said))


def own_lines(lines: Sequence[str]) -> list[str]:
    """The last lines that the step itself wrote."""
    return [line for line in lines if not _NOT_THE_STEP_S.match(line)][-LINES:]


def where(connection: Connection, run: Any) -> str:
    """Where the whole log is."""
    namespace = connection.place.namespace
    return (
        "in the run's page, while its pods are there also by `kubectl -n "
        f"{namespace} logs -l pipeline/runid={run.run_id} -c main --prefix --tail 50`"
    )


def _readings(
    connection: Connection, run: Any, step: Any, failed: Sequence[Pod], cluster: ClusterOptions
) -> Iterator[list[str]]:
    for pod in failed:
        yield _printable(pods.log_of(connection, pod, READ_LINES))
    executor = nodes.executor_of(run, step) if step else None
    below = nodes.nodes_below(executor) if executor else []
    below += nodes.nodes_below(step) if step else []
    for node in below:
        for name in _pod_names(node, nodes.name_of(step), cluster):
            query = {
                "podname": name,
                "podnamespace": connection.place.namespace,
                "runid": run.run_id,
            }
            # The page's server, then the API server's own way, which not every one has.
            yield _fetch(connection, "/k8s/pod/logs", query)
            yield _fetch(connection, f"/apis/v1alpha1/runs/{run.run_id}/nodes/{name}/log", {})


def _pod_names(node: str, step: str, cluster: ClusterOptions) -> list[str]:
    workflow, _, number = node.rpartition("-")
    annotations = len(cluster.of_pods(cluster.pod_annotations, step))
    labels = OWN_LABELS + len(cluster.of_pods(cluster.pod_labels, step))
    templates = (template.format(annotations, labels) for template in TEMPLATES)
    return [*(f"{workflow}-{template}-{number}" for template in templates), node]


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
        kept = (kept + piece)[-READ_LINES * LINE_CHARACTERS * 4 :]
        if read > MAX_BYTES:
            break
    return _printable(kept.decode(errors="replace"))


def _printable(text: str) -> list[str]:
    last = collections.deque((line for line in text.splitlines() if line.strip()), READ_LINES)
    return [
        "".join(letter for letter in line if letter.isprintable())[:LINE_CHARACTERS]
        for line in last
    ]
