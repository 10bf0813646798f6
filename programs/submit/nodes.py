"""What KFP's server tells of a run's tasks: the nodes of Argo's workflow, and the steps in them.

Each template comes as `name` and, for each try, as `name(0)`, `name(1)`, in every iteration of a
loop anew. A step is a task of its name and a driver, `name-driver`, that prepares it; its work is
in a task `executor` that lasts as long as the step, and nothing else ties the two. Tasks name their
children by the node's identifier, `<workflow>-<number>`, and not their own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from programs.run.display import STEPS

SUCCEEDED, FAILED, RUNNING, PENDING = "SUCCEEDED", "FAILED", "RUNNING", "PENDING"
CANCELED, CANCELING, SKIPPED = "CANCELED", "CANCELING", "SKIPPED"
FINAL = (SUCCEEDED, FAILED, CANCELED, SKIPPED)
EXECUTOR = "executor"
_DRIVER = "_driver"
OWN_NAMES = (*STEPS, "summarize")
# Both ways to look for news are called `download` in their logs too.
_STEP_OF_PART = {
    "clean_part": "clean",
    "curate_parts": "curate",
    "download_if_new": "download",
    "compare_photos": "download",
}
_FIRST_OF_CONTINUED, _LAST = ("download_if_new", "compare_photos"), "publish"


def tasks_of(run: Any) -> Sequence[Any]:
    """The tasks of a run."""
    return (run.run_details.task_details if run.run_details else None) or ()


def name_of(task: Any) -> str:
    """A task's name as steps are named here."""
    return own_name(str(task.display_name or ""))


def own_name(name: str) -> str:
    """A name of KFP's as steps are named here: it writes dashes for our underscores."""
    name = name.replace("-", "_")
    stem = name.removesuffix(_DRIVER)
    return _STEP_OF_PART.get(stem, stem) + name[len(stem) :]


def steps_of(run: Any) -> Iterator[tuple[str, Any]]:
    """The steps of a run with their tasks; of a loop several of one name."""
    for task in tasks_of(run):
        if name_of(task) in OWN_NAMES:
            yield name_of(task), task


def busy(run: Any) -> list[str]:
    """The steps that are at work or being prepared for it, in words."""
    words = set()
    for task in tasks_of(run):
        name = name_of(task)
        step = name.removesuffix(_DRIVER)
        if task.state == RUNNING and step in STEPS:
            words.add(step if step == name else f"preparing {step}")
    return sorted(words)


def was_cancelled(run: Any) -> bool:
    """Whether somebody ended the run: it is FAILED then, and CANCELING is in its history."""
    states = {run.state, *(entry.state for entry in run.state_history or ())}
    return not states.isdisjoint((CANCELED, CANCELING))


def ended_early(run: Any) -> bool:
    """Whether a run that has succeeded found nothing new, and left its other steps out."""
    states = {str(task.display_name or "").replace("-", "_"): task.state for task in tasks_of(run)}
    return states.get(_LAST) != SUCCEEDED and any(name in states for name in _FIRST_OF_CONTINUED)


def executor_of(run: Any, step: Any) -> Any:
    """The task that does the work of a step, None where there is none."""
    for task in tasks_of(run):
        if task.display_name == EXECUTOR and _ended_like(task, step):
            return task
    return None


def _ended_like(task: Any, step: Any) -> bool:
    return (task.state, task.start_time, task.end_time) == (
        step.state,
        step.start_time,
        step.end_time,
    )


def failed_step(run: Any) -> Any:
    """The task of the step that failed first; None where none has."""
    failed = [task for _, task in steps_of(run) if task.state == FAILED]
    return min(failed, key=lambda task: str(task.start_time), default=None)


def failed_driver(run: Any) -> Any:
    """The driver that failed first: of a step, a loop or the whole; None where none has."""
    failed = [
        task
        for task in tasks_of(run)
        if task.state == FAILED and str(task.display_name or "").endswith("-driver")
    ]
    return min(failed, key=lambda task: str(task.start_time), default=None)


def nodes_below(task: Any) -> list[str]:
    """Identifiers of a task's children."""
    return [str(child.pod_name) for child in task.child_tasks or () if child.pod_name]


def pending_since(run: Any) -> dict[str, str]:
    """Steps whose pod has not begun, with the time at which it was asked for (ISO 8601)."""
    waiting = {}
    for task in tasks_of(run):
        if str(task.display_name or "").startswith(f"{EXECUTOR}(") and task.state == PENDING:
            for name, step in steps_of(run):
                if step.state == RUNNING and step.start_time == task.start_time:
                    waiting[name] = str(task.start_time)
    return waiting
