"""The schedules of this pipeline on a server: KFP's recurring runs, found by the model's name."""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from components.common.base.errors import InputError
from programs.compile.graph import PIPELINE_NAME
from programs.submit import server, target, when
from programs.submit.connection import Connection, plain
from programs.submit.when import DELETE, LIST, PAUSE, RESUME

PAGE_SIZE = 100
_DONE = {PAUSE: "paused", RESUME: "resumed", DELETE: "deleted"}
_ENABLED = "ENABLED"


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
        _change(connection, DELETE, found)
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
        if action != LIST:
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
