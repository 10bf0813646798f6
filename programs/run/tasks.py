"""How kfp.local makes a task's command, runs it, and what is said where it fails.

By itself kfp.local treats commands as text: in every value it replaces what looks like a
placeholder of its own (a class may be named "{{$.inputs}}") and the word python3 (a folder may hold
it), and it puts the path of Python unquoted into a shell's script. Here a value is data: it reaches
the step as it is, whichever runner is used.
"""

import importlib
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from components.bottleneck.bottleneck import prepare
from components.bottleneck.options import BottleneckOptions
from components.common.base.step import emit
from components.common.base.worker_threads import cores
from components.common.network.convert import load_tensorflow
from programs.run import forked_steps, run_log
from programs.run.forked_steps import step_of

# In the command that kfp makes for a step: what stands for its input.
INPUT_PLACEHOLDER = "{{$}}"
_SHELL_KILLED = 128  # added to a signal's number by shells and containers


def hand_over_values() -> None:
    """Let kfp.local put a task's input into its command as it is."""
    from kfp.local import placeholder_utils

    placeholder_utils.replace_placeholders = with_input


def with_input(
    full_command: Sequence[str], executor_input_dict: Mapping[str, Any], **_: str
) -> list[str]:
    """A task's command with its input, as kfp.local's `replace_placeholders` makes it."""
    given = json.dumps(executor_input_dict)
    return [given if word == INPUT_PLACEHOLDER else word for word in full_command]


def use_processes(full_log: Path, arguments: Mapping[str, Any] | None = None) -> None:
    """Let kfp.local's SubprocessRunner run tasks without a shell: as forks where that is safe.

    Elsewhere than on Linux, system libraries may have threads that a fork loses.

    Args:
        full_log: the file that this process writes to, for what a failed task said.
        arguments: of the run; with them the network is prepared while photos are fetched.
    """
    from kfp.local import status, subprocess_task_handler

    meanwhile = dict(_MEANWHILE)
    if arguments:
        meanwhile["download"] = {"bottleneck": partial(_prepare_network, arguments)}
    start = forked_steps.run if sys.platform == "linux" else forked_steps.spawn

    def run(task: Any) -> status.Status:
        if start is forked_steps.run and cores() > 1:
            for step, imports in meanwhile.get(step_of(task.full_command), {}).items():
                forked_steps.prepare(step, imports)
        failed = told(task.full_command, lambda: start(task.full_command, task.env_vars), full_log)
        return status.Status.FAILURE if failed else status.Status.SUCCESS

    subprocess_task_handler.SubprocessTaskHandler.run = run


def _prepare_network(arguments: Mapping[str, Any]) -> None:
    names = [field.name for field in fields(BottleneckOptions)]
    prepare(BottleneckOptions(**{name: arguments[name] for name in names}))


# Steps that leave a core free for a while, and what is imported then, for which steps after them.
_MEANWHILE: dict[str, dict[str, Callable[[], object]]] = {
    "curate": {"retrain": load_tensorflow},
    "retrain": {"evaluate": partial(importlib.import_module, "sklearn.metrics")},
}


def told(command: Sequence[str], start: Callable[[], int], full_log: Path) -> int:
    """Run a task; where it fails, hand what it said last to the run's summary.

    A step that has told by itself why it failed was first, and is heard alone.

    Args:
        command: the task's.
        start: runs it, and returns its exit status.
        full_log: the file that its output goes to.
    """
    before = full_log.stat().st_size
    status = start()
    if status:
        sys.stdout.flush()
        words = run_log.last_words(full_log, before)
        message = "\n    ".join([_ending(status, silent=not words), *words])
        emit("failed", step=step_of(command), message=message, exit_status=1)
    return status


def _ending(status: int, *, silent: bool) -> str:
    number = -status if status < 0 else status - _SHELL_KILLED
    if number not in set(signal.Signals):
        ended = f"ended with status {status}"
    else:
        ended = f"ended by {signal.Signals(number).name} (killed, or out of memory?)"
    return f"{ended}, without a message" if silent else f"{ended}; it said last:"
