"""Steps of a run on this machine as processes, on Linux forks of the one that runs the pipeline.

kfp.local starts a new interpreter for each task, which imports kfp for most of a second before a
step begins. The process that runs the pipeline has imported it already; a fork of it calls kfp's
executor with the same arguments, and is a process like the other: its output comes through a pipe,
its exit status counts, and nothing that it does reaches the parent.
"""

import atexit
import builtins
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, cast

from components.common.base import termination
from components.common.base.step import log

INPUT = "--executor_input"  # the first of the executor's arguments; the component's source precedes
MODULE = "--component_module_path"
_print = builtins.print  # kfp.local replaces it while a task runs


def run(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
    """Run one task as kfp.local does, in a fork; its exit status, of a signal its number below 0.

    Args:
        full_command: a shell's command that writes the component's source into a file and starts
            kfp's executor on it; the source and the executor's arguments are its last words.
        env_vars: of the task's environment.
    """
    source, arguments = _parts(full_command)
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(reader)
        _become(source, arguments, env_vars or {}, writer)
    os.close(writer)
    with open(reader, "rb") as written:
        _show(written)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


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
    source: str, arguments: Sequence[str], variables: Mapping[str, str], output: int
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
    signal.set_wakeup_fd(-1)
    for number in termination.SIGNALS:
        signal.signal(number, signal.SIG_DFL)
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
