"""How a run ended that did not succeed, in words: what failed, why, and what to do."""

from collections.abc import Sequence
from typing import Any

from components.settings import ClusterOptions
from programs.submit import nodes, pod_log, pods
from programs.submit.connection import Connection
from programs.submit.pods import Pod

# The last word of a shell whose program Linux killed.
KILLED = "Killed"
_FOR_MEMORY = (
    "give it more (--size medium or large), or fewer or smaller photos (docs/operations.md says "
    "what each step needs)"
)


def describe(connection: Connection, run: Any, cluster: ClusterOptions) -> str:
    """A sentence, the error's own lines, the end of the step's log, and where the rest is.

    Args:
        connection: to the server.
        run: as the server tells of it, ended and not SUCCEEDED.
        cluster: what it was compiled with.
    """
    reason = f": {run.error.message}" if run.error and run.error.message else ""
    if nodes.was_cancelled(run):
        return f"the run was cancelled{reason}"
    if run.state != nodes.FAILED:
        return f"the run ended as {run.state}{reason}"
    known = pods.of_run(connection, run.run_id)
    step = nodes.failed_step(run)
    if step is None:
        return "\n".join([_without_step(run, known) + reason, _where(connection, run)])
    name = nodes.name_of(step)
    failed = [pod for pod in known if pod.failed and pod.step == name]
    lines = pod_log.log_lines(connection, run, step, failed, cluster)
    why = next((pod.trouble for pod in known if pod.step == name and pod.trouble), "")
    if not why and _says_killed(lines):
        why = "it was killed, most likely for memory (its log ends with Killed)"
    if "memory" in why:
        why = f"{why}: {_FOR_MEMORY}"
    return "\n".join(
        [
            f"step {name} failed{': ' if why else ''}{why}{reason}",
            *_indented(pod_log.errors(lines)),
            *_log(lines),
            _where(connection, run),
        ]
    )


def _without_step(run: Any, known: Sequence[Pod]) -> str:
    """What to say where no step failed at its work: a driver did, or nothing is known."""
    why = next((f": {pod.trouble}" for pod in known if pod.trouble and pod.failed), "")
    driver = nodes.failed_driver(run)
    if driver is None:
        return f"the run failed{why}"
    name = nodes.name_of(driver).removesuffix("_driver")
    of = f"step {name}" if name in nodes.OWN_NAMES else f"what KFP calls {name}"
    return f"the driver of {of} failed before the step started{why}"


def _says_killed(lines: Sequence[str]) -> bool:
    return any(line.strip() == KILLED for line in pod_log.own_lines(lines)[-3:])


def _log(lines: Sequence[str]) -> list[str]:
    own = pod_log.own_lines(lines)
    if own:
        return ["  its log ends with:", *_indented(own)]
    if lines:
        return [
            "  the step wrote nothing; KFP's launcher wrote:",
            *_indented(lines[-pod_log.LINES :]),
        ]
    return []


def _where(connection: Connection, run: Any) -> str:
    return f"  its log: {pod_log.where(connection, run)}"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
