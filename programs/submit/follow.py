"""Waiting for a run: progress by step, how it ended, and the end of the failed step's log.

kfp's own waiting misses CANCELED and asks for ever; so we ask ourselves.
"""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from components.common.base.errors import InputError, WorkError
from components.common.base.step import log
from programs.run.display import STEPS, Display
from programs.submit.connection import Connection
from programs.submit.pod_log import log_tail

SUCCEEDED = "SUCCEEDED"
FINAL = (SUCCEEDED, "FAILED", "CANCELED", "SKIPPED")
POLL_S = 10.0
_STEP_OF_PART = {"bottleneck_part": "bottleneck"}
LOST_S = 600.0  # how long the server may be out of reach while the run goes on without us


def link(connection: Connection, run_id: str) -> str:
    """Where people look at a run."""
    if connection.place.host:
        return f"{connection.place.host.rstrip('/')}/#/runs/details/{run_id}"
    return f"run {run_id} in the page of Kubeflow Pipelines"


def wait(
    connection: Connection,
    run_id: str,
    console: Console,
    *,
    classes: int,
    poll_s: float = POLL_S,
    lost_s: float = LOST_S,
) -> None:
    """Wait until a run has ended, and show how it goes.

    Args:
        connection: to the server.
        run_id: of the run.
        console: to show it on.
        classes: how often the steps in the loop come.
        poll_s: seconds between two looks.
        lost_s: seconds for which the server may be out of reach.

    Raises:
        InputError: the server refuses us.
        WorkError: the run did not succeed, or the server is gone.
    """
    started = time.monotonic()
    place = link(connection, run_id)
    try:
        with Display(classes, console) as display:
            run = _until_end(connection, run_id, display, poll_s, lost_s)
    except (InputError, WorkError) as error:
        raise type(error)(f"{error}\n  the run goes on without us: {place}") from error
    except (KeyboardInterrupt, SystemExit):
        console.print(f"\nthe run goes on: {place}", markup=False, soft_wrap=True)
        raise
    elapsed = f"{time.monotonic() - started:.0f} s"
    if run.state == SUCCEEDED:
        console.print(f"succeeded after {elapsed}: {place}", markup=False, soft_wrap=True)
        return
    raise WorkError(f"{_ending(connection, run)}\n  the run: {place}")


def _until_end(
    connection: Connection, run_id: str, display: Display, poll_s: float, lost_s: float
) -> Any:
    """Ask until the state is final; show each change."""
    progress = _Progress(display)
    heard = time.monotonic()
    while True:
        try:
            run = connection.call(
                "look at the run",
                connection.api.runs.run_service_get_run,
                attempts=1,
                run_id=run_id,
            )
        except WorkError as error:
            if time.monotonic() - heard > lost_s:
                raise
            log.info("%s; asking again", error)
        else:
            heard = time.monotonic()
            if run.run_id != run_id:
                raise connection.not_kfp()
            progress.show(run)
            if run.state in FINAL:
                return run
        display.tick()
        time.sleep(poll_s)


class _Progress:
    """Turns the states of a run's tasks into the events that `Display` draws."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._states: dict[str, str] = {}

    def show(self, run: Any) -> None:
        for number, task in enumerate(tasks_of(run)):
            step = step_of(task)
            if step not in STEPS:
                continue
            key = f"{step} {task.task_id or _children(task) or number}"
            before, self._states[key] = self._states.get(key), str(task.state)
            process = {"host": key, "pid": 0, "step": step}
            if before is None and task.state != "SKIPPED":
                self._display.show({"event": "started", **process})
            if before != SUCCEEDED and task.state == SUCCEEDED:
                self._display.show({"event": "finished", **process})
        running = sorted({step_of(task) for task in tasks_of(run) if task.state == "RUNNING"})
        steps = ", ".join(step for step in running if step in STEPS)
        state = f"{run.state or 'PENDING'}{f' ({steps})' if steps else ''}"
        self._display.show({"event": "progress", "what": "run", "said": state})


def tasks_of(run: Any) -> Sequence[Any]:
    """The tasks of a run that the server tells of: nodes of its workflow."""
    return (run.run_details.task_details if run.run_details else None) or ()


def step_of(task: Any) -> str:
    """The step that a task is: KFP writes dashes for our underscores."""
    name = str(task.display_name or "").replace("-", "_")
    return _STEP_OF_PART.get(name, name)


def _children(task: Any) -> str:
    return " ".join(str(child.pod_name) for child in task.child_tasks or ())


def _ending(connection: Connection, run: Any) -> str:
    """How a run ended that did not succeed, and why, as far as it can be known."""
    message = run.error.message if run.error and run.error.message else ""
    reason = f": {message}" if message else ""
    if run.state != "FAILED":
        return f"the run ended as {run.state}{reason}"
    failed = _failed(run)
    if failed is None:
        return f"the run failed{reason}\n{log_tail(connection, run, None)}"
    name = step_of(failed)
    # The driver prepares a task: it finds the inputs and makes the pod.
    step = (
        f"the driver of step {name.removesuffix('_driver')}"
        if name.endswith("_driver")
        else (f"step {name}")
    )
    if failed.error and failed.error.message:
        reason += f": {failed.error.message}"
    return f"{step} failed{reason}\n{log_tail(connection, run, failed)}"


def _failed(run: Any) -> Any:
    """The failed task that says most: one of a step, else a step's driver."""
    failed = [task for task in tasks_of(run) if task.state == "FAILED"]
    for suffix in ("", "_driver"):
        names = {f"{step}{suffix}" for step in (*STEPS, "summarize")}
        for task in failed:
            if step_of(task) in names:
                return task
    return None
