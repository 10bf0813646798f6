"""Waiting for a run: progress by step, what its pods wait for, and how it ended.

kfp's own waiting misses CANCELED and asks for ever; so we ask ourselves.
"""

import argparse
import time
from typing import Any

from rich.console import Console

from components.common.base.errors import InputError, WorkError
from components.common.base.step import log
from components.settings import ClusterOptions
from programs.run.display import STEPS, Display
from programs.submit import ending, nodes, pods
from programs.submit.connection import Connection

POLL_S = 10.0
LOST_S = 600.0  # how long the server may be out of reach while the run goes on without us
PENDING_S = 120.0  # a pod begins within seconds, and pulling the largest image takes a minute


class Cancelled(WorkError):
    """Somebody ended the run."""

    exit_status = 3


def link(connection: Connection, run_id: str) -> str:
    """Where people look at a run."""
    if connection.place.host:
        return f"{connection.place.host.rstrip('/')}/#/runs/details/{run_id}"
    return f"run {run_id} in the page of Kubeflow Pipelines"


def show(
    connection: Connection,
    run_id: str,
    name: str,
    console: Console,
    arguments: argparse.Namespace,
    *,
    parts: int,
) -> None:
    """Say where a run is looked at, and with the option `wait`, wait for it.

    Args:
        connection: to the server.
        run_id: of the run.
        name: of the run.
        console: to show it on.
        arguments: options of `submit`.
        parts: as of `wait`.

    Raises:
        InputError, WorkError: as of `wait`.
    """
    console.print(f"run     {name}: {link(connection, run_id)}", markup=False, soft_wrap=True)
    if arguments.wait:
        wait(
            connection,
            run_id,
            console,
            parts=parts,
            poll_s=arguments.poll_s,
            lost_s=arguments.lost_s,
            cluster=ClusterOptions.of(arguments),
        )


def wait(
    connection: Connection,
    run_id: str,
    console: Console,
    *,
    parts: int,
    poll_s: float = POLL_S,
    lost_s: float = LOST_S,
    cluster: ClusterOptions | None = None,
) -> None:
    """Wait until a run has ended, and show how it goes.

    Args:
        connection: to the server.
        run_id: of the run.
        console: to show it on.
        parts: of the photos, each of which the steps in the loop take by itself.
        poll_s: seconds between two looks.
        lost_s: seconds for which the server may be out of reach.
        cluster: what the run was compiled with; None: the defaults.

    Raises:
        InputError: the server refuses us.
        Cancelled: somebody ended the run.
        WorkError: the run did not succeed, or the server is gone.
    """
    started = time.monotonic()
    place = link(connection, run_id)
    try:
        with Display(console, parts=parts) as display:
            run = _until_end(connection, run_id, display, poll_s, lost_s)
    except (InputError, WorkError) as error:
        raise type(error)(f"{error}\n  the run continues on the cluster: {place}") from error
    except (KeyboardInterrupt, SystemExit):
        console.print(f"\nthe run continues: {place}", markup=False, soft_wrap=True)
        raise
    elapsed = f"{time.monotonic() - started:.0f} s"
    if run.state == nodes.SUCCEEDED:
        if nodes.ended_early(run):
            console.print("nothing new: the steps after the first were left out")
        console.print(f"succeeded after {elapsed}: {place}", markup=False, soft_wrap=True)
        return
    told = ending.describe(connection, run, cluster or ClusterOptions())
    kind = Cancelled if nodes.was_cancelled(run) else WorkError
    raise kind(f"{told}\n  the run: {place}")


def _until_end(
    connection: Connection, run_id: str, display: Display, poll_s: float, lost_s: float
) -> Any:
    """Ask until the state is final; show each change."""
    progress, patience = _Progress(display), _Patience(connection)
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
            if run.state in nodes.FINAL:
                return run
            patience.look(run)
        display.tick()
        time.sleep(poll_s)


class _Progress:
    """Turns the states of a run's tasks into the events that `Display` draws."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._states: dict[str, str] = {}

    def show(self, run: Any) -> None:
        for number, (step, task) in enumerate(nodes.steps_of(run)):
            if step not in STEPS:
                continue
            key = f"{step} {task.task_id or number}"
            before, self._states[key] = self._states.get(key), str(task.state)
            process = {"host": key, "pid": 0, "step": step}
            # One that never came has a name and no state.
            if before is None and task.state not in (None, nodes.SKIPPED):
                self._display.show({"event": "started", **process})
            if before != nodes.SUCCEEDED and task.state == nodes.SUCCEEDED:
                self._display.show({"event": "finished", **process})
        steps = ", ".join(nodes.busy(run))
        state = f"{run.state or nodes.PENDING}{f' ({steps})' if steps else ''}"
        self._display.show({"event": "progress", "what": "run", "said": state})


class _Patience:
    """Says once of each step that its pod does not begin, and why, where that can be known."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._since: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()

    def look(self, run: Any) -> None:
        now = time.monotonic()
        waiting = nodes.pending_since(run).items()
        self._since = {entry: self._since.get(entry, now) for entry in waiting}
        late = [step for (step, _), since in self._since.items() if now - since > PENDING_S]
        if not late:
            return
        known = {pod.step: pod.trouble for pod in pods.of_run(self._connection, run.run_id)}
        for step in late:
            why = known.get(step) or (
                "its image cannot be pulled, or no node has room for it (kubectl -n "
                f"{self._connection.place.namespace} describe pods -l pipeline/runid={run.run_id})"
            )
            said = f"step {step} has waited for its pod for more than two minutes: {why}"
            if said not in self._told:
                self._told.add(said)
                log.info("%s", said)
