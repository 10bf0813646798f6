"""What Kubernetes says, where it can be asked: why a pod waits or ended, and what is tried again.

It is asked where no --host is given: then kubeconfig, or the pod that this runs in, leads to the
cluster. Whatever goes wrong, a better message is lost and nothing else.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from programs.submit import nodes
from programs.submit.connection import TIMEOUT_S, Connection, plain

DEFAULTS_OF_WORKFLOWS = "workflow-controller-configmap"
WORKFLOWS = ("argoproj.io", "v1alpha1", "workflows")
MAIN = "main"  # Argo's name of the container with the step
NODE_NAME = "workflows.argoproj.io/node-name"
# A reason for which a container waits that passes by itself.
_USUAL = ("", "ContainerCreating", "PodInitializing")
_IMAGE = re.compile(r"ImagePull|ErrImage|InvalidImageName|ImageInspect|RegistryUnavailable")


@dataclass(frozen=True)
class Pod:
    """One pod of a run.

    Attributes:
        name: of the pod.
        step: whose work it does, or what its node is called.
        trouble: why it waits or was ended, in words with what to do; empty: nothing is known.
        failed: it has ended without success.
    """

    name: str
    step: str
    trouble: str
    failed: bool


def of_run(connection: Connection, run_id: str) -> list[Pod]:
    """The pods of a run; none where Kubernetes cannot be asked."""
    if connection.place.host:
        return []
    with contextlib.suppress(Exception):
        labelled = {"label_selector": f"pipeline/runid={run_id}", "_request_timeout": TIMEOUT_S}
        listed = _core(connection).list_namespaced_pod(connection.place.namespace, **labelled)
        there = [of_kubernetes(pod) for pod in listed.items]
        return [*there, *_without_pod(connection, labelled, there)]
    return []


def _without_pod(
    connection: Connection, labelled: dict[str, Any], there: Sequence[Pod]
) -> list[Pod]:
    """Work whose pod was never made, or is gone; Argo's workflow says why."""
    import kubernetes

    group, version, plural = WORKFLOWS
    with contextlib.suppress(Exception):
        workflows = kubernetes.client.CustomObjectsApi().list_namespaced_custom_object(
            group, version, connection.place.namespace, plural, **labelled
        )
        listed = [node for one in workflows["items"] for node in one["status"]["nodes"].values()]
        # A pod ends with the number of its node.
        numbers = {pod.name.rpartition("-")[2] for pod in there}
        gone = [node for node in listed if str(node["id"]).rpartition("-")[2] not in numbers]
        return [pod for pod in map(of_workflow, gone) if pod is not None]
    return []


def of_workflow(node: Any) -> Pod | None:
    """A node of Argo's workflow as a pod, where it is one and says what is wrong; else None."""
    message = plain(str(node.get("message") or ""))
    phase, step = node.get("phase"), step_of_node(str(node.get("name", "")))
    if node.get("type") != "Pod" or message in _USUAL:
        return None
    if phase == "Pending":
        return Pod(str(node["id"]), step, f"its pod was not created: {message}", failed=False)
    if phase == "Error":
        return Pod(str(node["id"]), step, f"its pod was lost ({message})", failed=True)
    return None


def log_of(connection: Connection, pod: Pod, lines: int) -> str:
    """The end of the log of a pod's step; empty where it cannot be read."""
    with contextlib.suppress(Exception):
        return str(
            _core(connection).read_namespaced_pod_log(
                pod.name,
                connection.place.namespace,
                container=MAIN,
                tail_lines=lines,
                _request_timeout=TIMEOUT_S,
            )
        )
    return ""


def retries_failures(connection: Connection) -> bool | None:
    """Whether a step that fails is tried again; None where that cannot be seen.

    KFP's defaults of workflows win over what a pipeline asks for; a stock KFP has OnError there.
    """
    if connection.place.host:
        return None
    with contextlib.suppress(Exception):
        found = _core(connection).read_namespaced_config_map(
            DEFAULTS_OF_WORKFLOWS, connection.place.namespace, _request_timeout=TIMEOUT_S
        )
        policy = re.search(r"retryPolicy: *(\w+)", (found.data or {}).get("workflowDefaults", ""))
        return not policy or policy[1] != "OnError"
    return None


def _core(connection: Connection) -> Any:
    import kubernetes

    try:
        kubernetes.config.load_incluster_config()
    except kubernetes.config.ConfigException:
        kubernetes.config.load_kube_config(context=connection.place.kube_context or None)
    return kubernetes.client.CoreV1Api()


def of_kubernetes(pod: Any) -> Pod:
    """A pod as Kubernetes' client gives it, in short."""
    return Pod(
        name=str(pod.metadata.name),
        step=step_of_node(str((pod.metadata.annotations or {}).get(NODE_NAME, ""))),
        trouble=next(_troubles(pod), ""),
        failed=pod.status.phase == "Failed",
    )


def step_of_node(path: str) -> str:
    """The step in the name of an Argo node, wild-x.root.exit-handler-1.retrain(0).executor(0)."""
    names = [nodes.own_name(re.sub(r"\(.*", "", name)) for name in path.split(".")]
    driver = names[-1].endswith("_driver")
    for name in reversed(names):
        step = name.removesuffix("_driver")
        if step in nodes.OWN_NAMES:
            return f"{step}_driver" if driver else step
    return names[-1]


def _troubles(pod: Any) -> Iterator[str]:
    """Everything that explains why a pod does not begin or did not end well, best first."""
    status = pod.status
    states = [entry.state for entry in status.container_statuses or () if entry.name == MAIN]
    states += [entry.state for entry in status.init_container_statuses or ()]
    for ended in filter(None, (state.terminated for state in states if state)):
        if ended.reason == "OOMKilled":
            yield "it was killed for memory (OOMKilled)"
    if status.reason == "Evicted":
        yield f"its pod was evicted from the node: {plain(status.message or '')}"
    if status.reason == "DeadlineExceeded":
        yield "it exceeded its time limit (DeadlineExceeded)"
    if status.reason:
        yield f"its pod was stopped ({plain(f'{status.reason} {status.message or str()}')})"
    for waits in filter(None, (state.waiting for state in states if state)):
        reason, message = str(waits.reason or ""), plain(waits.message or "")
        if _IMAGE.search(reason):
            yield f"its image cannot be pulled ({reason}): {message}"
        elif reason not in _USUAL:
            yield f"its container cannot start ({reason}): {message}"
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            yield f"no node takes its pod ({condition.reason}): {plain(condition.message or '')}"
    for ended in filter(None, (state.terminated for state in states if state)):
        if ended.exit_code == 137:
            yield "it was killed (exit status 137): for memory, or its node went away"
