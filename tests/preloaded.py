"""Our commands in processes that begin with everything imported.

A command's own imports take a second, those of `pipeline.py submit` three or four, and the tests
start hundreds. Here one process imports what they have in common and forks for each command: it is
a process like any other, with its arguments, environment, folder, output and exit status. Some
variables are read on import: a command that has one of them gets a new interpreter.
"""

import contextlib
import functools
import gc
import inspect
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[1]
# Variables that are read on import: names of images, and kubeconfig's place.
ON_IMPORT = ("_IMAGE", "KUBECONFIG")  # what their names end with


def run(
    command: Sequence[str],
    *,
    directory: Path = ROOT,
    timeout_s: float = 60,
    environment: Mapping[str, str] | None = None,
    any_code: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m components.…`, `python -m programs.…` or `python …/pipeline.py …`.

    Any other command, and one with a variable that is read on import, is started as usual. With
    `any_code`, `python -c …` too begins with everything imported.

    Raises:
        subprocess.TimeoutExpired: it took longer; it is killed.
    """
    told = dict(os.environ if environment is None else environment)
    words = list(map(str, command))
    is_ours = _is_ours(words) or (any_code and words[:2] == [sys.executable, "-c"])
    if not is_ours or any(name.endswith(ON_IMPORT) for name in told):
        return subprocess.run(
            words,
            cwd=directory,
            env=told,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    with tempfile.TemporaryDirectory() as folder:
        out, error = Path(folder, "out"), Path(folder, "error")
        places = {"cwd": str(directory), "out": str(out), "error": str(error)}
        status = _server().run({"words": words[1:], "environment": told, **places}, timeout_s)
        if status is None:
            raise subprocess.TimeoutExpired(words, timeout_s, out.read_bytes(), error.read_bytes())
        return subprocess.CompletedProcess(words, status, out.read_text(), error.read_text())


def _is_ours(words: Sequence[str]) -> bool:
    if words[0] != sys.executable:
        return False
    if words[1] == "-m":
        return words[2].startswith(("components.", "programs."))
    return Path(words[1]) == ROOT / "pipeline.py"


class _Server:
    """The process that forks; one command at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, request: Mapping[str, Any], timeout_s: float) -> int | None:
        """The exit status of a command, as subprocess gives it; None where it took too long."""
        with self._lock:
            pid = int(self._ask(request))
            late = threading.Event()
            timer = threading.Timer(timeout_s, self._kill, (pid, late))
            timer.start()
            status = int(self._ask({}))
            timer.cancel()
        return None if late.is_set() else status

    def _ask(self, request: Mapping[str, Any]) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    @staticmethod
    def _kill(pid: int, late: threading.Event) -> None:
        late.set()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


@functools.cache
def _server() -> _Server:
    return _Server()


def _serve() -> None:
    """Fork for each request; it ends with its input, and a child returns to run its command."""
    from kfp.dsl import pipeline_task

    import pipeline  # noqa: F401 - imports the steps' interfaces, kfp and submit
    from programs.submit import client  # noqa: F401 - imported late, since it takes long

    # At each setting of a task KFP asks who called it, for which `inspect.stack` looks through all
    # modules for the lines of each frame: half of the time of a compilation here, with so many.
    pipeline_task.inspect = SimpleNamespace(stack=_names_of_callers)
    gc.freeze()
    while request := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            return _become(json.loads(request))
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return None


def _names_of_callers() -> list[tuple[None, None, None, str]]:
    """As `inspect.stack()`, with nothing but the names of the functions."""
    frame, names = inspect.currentframe(), []
    while frame := frame and frame.f_back:
        names.append(frame.f_code.co_name)
    return [(None, None, None, name) for name in names]


def _become(request: Mapping[str, Any]) -> None:
    sys.stdin.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    for number, name in ((1, "out"), (2, "error")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    first, *rest = request["words"]
    if first == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], request["cwd"]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        return
    sys.argv = [rest[0] if first == "-m" else first, *(rest[1:] if first == "-m" else rest)]
    sys.path[0] = request["cwd"] if first == "-m" else str(Path(first).parent)
    if first == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _serve()
