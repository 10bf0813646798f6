"""The schedules of this pipeline on a server: KFP's recurring runs, found by the model's name."""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from components.common.base.errors import InputError, WorkError
from programs.compile.graph import PIPELINE_NAME
from programs.submit import nodes, server, target, when
from programs.submit.connection import Connection, plain
from programs.submit.when import DELETE, LIST, PAUSE, RESUME

PAGE_SIZE = 100
_DONE = {PAUSE: "paused", RESUME: "resumed", DELETE: "deleted"}
_ENABLED = "ENABLED"
# An ended run is CANCELING for about a minute (KFP 2.17.0, Argo 4.0.5).
ENDING_S = 300
LOOK_S = 2


def link(connection: Connection, identifier: str) -> str:
    """Where people look at a schedule."""
    if connection.place.host:
        return f"{connection.place.host.rstrip('/')}/#/recurringrun/details/{identifier}"
    return f"recurring run {identifier} in the page of Kubeflow Pipelines"


def of_name(connection: Connection, pipeline_id: str, name: str) -> list[Any]:
    """The schedules of a model's name, or of all names where it is empty; oldest first."""
    return [
        found
        for found in _all(connection)
        if _pipeline_of(found) == pipeline_id
        and (not name or str(found.display_name).startswith(f"{name}: "))
    ]


def replace(connection: Connection, earlier: list[Any], console: Console) -> None:
    """Delete the schedules that a new one replaces: two of one model would train it twice."""
    for found in earlier:
        _delete(connection, found, console)
        console.print(f"deleted {_described(found)}: replaced", markup=False, soft_wrap=True)


def act(arguments: argparse.Namespace) -> int:
    """List schedules, or pause, resume or delete those of a name.

    Args:
        arguments: of `submit`, where `schedule` is one of `when.ACTIONS`.

    Returns:
        0.

    Raises:
        InputError: no name is given, there is no schedule of it, or the server refuses us.
        WorkError: the server cannot be reached.
    """
    action, name = arguments.schedule, arguments.continue_ or arguments.name
    if action != LIST and not name:
        raise InputError(f"--schedule is {action}: of which model? Give --name, such as mushrooms")
    connection = Connection(target.place_of(arguments))
    console = Console(highlight=False)
    pipeline = server.find_pipeline(connection, PIPELINE_NAME)
    found = of_name(connection, str(pipeline.pipeline_id), name) if pipeline else []
    if not found and (name or action != LIST):
        raise InputError(
            f"there is no schedule of {name}: --schedule list shows those there are, "
            "--schedule '0 3 * * 0' makes one"
        )
    for schedule in found:
        if action == DELETE:
            _delete(connection, schedule, console)
        elif action != LIST:
            _change(connection, action, schedule)
        told = f"{_DONE[action]} {_described(schedule)}" if action != LIST else _listed(schedule)
        where = "" if action == DELETE else f"\n  {link(connection, schedule.recurring_run_id)}"
        console.print(told + where, markup=False, soft_wrap=True)
    if not found:
        console.print("no schedules")
    return 0


def _all(connection: Connection) -> Iterator[Any]:
    listing = connection.api.recurring_runs.recurring_run_service_list_recurring_runs
    token = ""
    while True:
        where: dict[str, Any] = server.namespace_of(connection)
        where |= {"page_token": token} if token else {}
        answer = connection.call(
            "list the schedules",
            listing,
            page_size=PAGE_SIZE,
            sort_by="created_at asc",
            **where,
        )
        yield from answer.recurring_runs or ()
        token = answer.next_page_token or ""
        if not token:
            return


def _delete(connection: Connection, schedule: Any, console: Console) -> None:
    """Delete a schedule, after its run that is at work has come to an end.

    KFP deletes the workflow of that run with the schedule, and then calls the run RUNNING for ever.
    """
    at_work = _runs_at_work(connection, schedule)
    if at_work:
        _change(connection, PAUSE, schedule)
        # One may have begun meanwhile.
        at_work = _runs_at_work(connection, schedule)
    api = connection.api.runs
    for run in at_work:
        what = f"the run that is at work, {plain(str(run.display_name))}"
        console.print(f"ending {what}", markup=False, soft_wrap=True)
        ask = api.run_service_terminate_run
        connection.call("end the run that is at work", ask, run_id=run.run_id)
        until = time.monotonic() + ENDING_S
        while run.state not in nodes.FINAL:
            if time.monotonic() > until:
                raise WorkError(
                    f"{what}, has not come to an end within {ENDING_S} s. The schedule is paused, "
                    "not deleted: look at the run, and delete the schedule then"
                )
            time.sleep(LOOK_S)
            look = api.run_service_get_run
            run = connection.call("look at the run", look, run_id=run.run_id)
    _change(connection, DELETE, schedule)


def _runs_at_work(connection: Connection, schedule: Any) -> list[Any]:
    """A schedule's runs that have not ended. One runs at a time, so they are among the newest."""
    answer = connection.call(
        "list the runs of the schedule",
        connection.api.runs.run_service_list_runs,
        experiment_id=schedule.experiment_id,
        page_size=PAGE_SIZE,
        sort_by="created_at desc",
    )
    return [
        run
        for run in answer.runs or ()
        if run.recurring_run_id == schedule.recurring_run_id and run.state not in nodes.FINAL
    ]


def _change(connection: Connection, action: str, schedule: Any) -> None:
    api = connection.api.recurring_runs
    request: Callable[..., Any] = {
        PAUSE: api.recurring_run_service_disable_recurring_run,
        RESUME: api.recurring_run_service_enable_recurring_run,
        DELETE: api.recurring_run_service_delete_recurring_run,
    }[action]
    connection.call(f"{action} the schedule", request, recurring_run_id=schedule.recurring_run_id)


def _pipeline_of(schedule: Any) -> str:
    reference = schedule.pipeline_version_reference
    return str(reference.pipeline_id) if reference else ""


def _listed(schedule: Any) -> str:
    state = "on" if schedule.status == _ENABLED else "paused"
    made = f", made {schedule.created_at:%Y-%m-%d %H:%M} UTC" if schedule.created_at else ""
    return f"{state:<6} {_described(schedule)}{made}"


def _described(schedule: Any) -> str:
    return f"{plain(str(schedule.display_name))} ({when.of_trigger(schedule.trigger)})"
