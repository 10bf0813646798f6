"""Steps of a run on this machine as processes, on Linux forks of the one that runs the pipeline.

kfp.local starts a new interpreter for each task, which imports kfp for most of a second before a
step begins. The process that runs the pipeline has imported it already; a fork of it calls kfp's
executor with the same arguments, and is a process like the other: its output comes through a pipe,
its exit status counts, and nothing that it does reaches the parent.
"""

import atexit
import builtins
import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, cast

from components.common.base import termination
from components.common.base.step import log

FUNCTION = "--function_to_execute"  # in the command that kfp makes for a step, before its name
INPUT = "--executor_input"  # the first of the executor's arguments; the component's source precedes
MODULE = "--component_module_path"
_print = builtins.print  # kfp.local replaces it while a task runs


@dataclass(frozen=True)
class _Waiting:
    """A fork that has something imported, and waits for its task.

    Attributes:
        child: its process number.
        task: descriptor to write the task to.
        output: descriptor to read its output from.
    """

    child: int
    task: int
    output: int

    @property
    def ends(self) -> tuple[int, int]:
        """Both descriptors; a fork of its parent must not hold them open."""
        return self.task, self.output


_waiting: dict[str, _Waiting] = {}  # by the name of the step


def prepare(step: str, imports: Callable[[], object]) -> None:
    """Begin a fork for the next task of a step, which imports in the meantime what that needs.

    It ends with this process where it gets no task.

    Args:
        step: the name of the step.
        imports: what it calls.
    """
    _waiting[step] = _fork(imports)


def run(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
    """Run one task as kfp.local does, in a fork; its exit status, of a signal its number below 0.

    Args:
        full_command: a shell's command that writes the component's source into a file and starts
            kfp's executor on it; the source and the executor's arguments are its last words.
        env_vars: of the task's environment.
    """
    source, arguments = _parts(full_command)
    fork = _waiting.pop(step_of(full_command), None) or _fork()
    task = {"source": source, "arguments": arguments, "variables": dict(env_vars or {})}
    with open(fork.task, "wb") as file, contextlib.suppress(BrokenPipeError):
        file.write(json.dumps(task).encode() + b"\n")
    with open(fork.output, "rb") as written:
        _show(written)
    return os.waitstatus_to_exitcode(os.waitpid(fork.child, 0)[1])


def _fork(imports: Callable[[], object] | None = None) -> _Waiting:
    tasks, task = os.pipe()
    output, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(tasks)
        os.close(writer)
        return _Waiting(child, task, output)
    try:
        for ours in (task, output, *(end for one in _waiting.values() for end in one.ends)):
            os.close(ours)
        if imports:
            with contextlib.suppress(Exception):  # the task says it again, where it is heard
                imports()
        with open(tasks, "rb") as file:  # to the line's end: another fork may hold this open
            told = file.readline()
        if told:
            _become(**json.loads(told), output=writer)
    finally:
        os._exit(1)


def step_of(command: Sequence[str]) -> str:
    """The name of the step that a task's command runs."""
    return command[list(command).index(FUNCTION) + 1]


def spawn(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
    """The same in an interpreter of its own, for systems where a fork is not safe."""
    source, arguments = _parts(full_command)
    # Output as `_forget_the_parent` sets it.
    own = {"_KFP_RUNTIME": "true", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    with _component(source) as module:
        with subprocess.Popen(
            [sys.executable, "-m", "kfp.dsl.executor_main", MODULE, module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env_vars or {}), **own},
        ) as child:
            _show(cast(IO[bytes], child.stdout))
        return child.returncode


def _parts(full_command: Sequence[str]) -> tuple[str, list[str]]:
    """The component's source, and the executor's arguments."""
    place = list(full_command).index(INPUT)
    return full_command[place - 1], list(full_command[place:])


@contextmanager
def _component(source: str) -> Iterator[str]:
    """A file with the component's source, as kfp's executor takes it."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder, "ephemeral_component.py")
        module.write_text(source, encoding="utf-8")
        yield str(module)


def _show(written: IO[bytes]) -> None:
    """Print what the task writes, as kfp.local does, which indents it."""
    for line in written:
        print(line.decode(errors="replace"), end="")  # noqa: T201
    print("\n")  # noqa: T201


def _become(
    *, source: str, arguments: Sequence[str], variables: Mapping[str, str], output: int
) -> NoReturn:
    """Be the task's process, from a state as if it had just been started, to its end."""
    status = 1
    try:
        _forget_the_parent(output)
        os.environ.update(variables, _KFP_RUNTIME="true")
        with _component(source) as module:
            sys.argv = ["executor_main", MODULE, module, *arguments]
            status = _execute()
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as an end does
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _forget_the_parent(output: int) -> None:
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.FileIO(number, "w", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        for number in (1, 2)
    )
    builtins.print = _print
    for logger in (logging.root, log):
        logger.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    termination.end_as_others_on_signals()
    # The parent's temporary folders are not this process's to remove.
    atexit._clear()


def _execute() -> int:
    from kfp.dsl.executor_main import executor_main

    try:
        executor_main()
    except SystemExit as end:
        if isinstance(end.code, int) or end.code is None:
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
