"""Work beside: in a process of its own, with its result or its error, and never left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from components.common.base import worker_process
from components.common.base.errors import InputError, WorkError

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no fork")


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "cores", lambda: 2)


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@on_linux
def test_work_is_done_elsewhere_at_the_same_time() -> None:
    def work(count: int, *, step: int) -> tuple[int, object]:
        return os.getpid(), step * np.arange(count)

    with worker_process.beside(work, "work") as work_beside:
        work_beside.begin(3, step=2)
        process, numbers = work_beside.result()
    assert process != os.getpid()
    assert list(numbers) == [0, 2, 4]  # type: ignore[call-overload]
    assert not is_there(process)


def test_work_is_done_here_where_there_is_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "cores", lambda: 1)
    with worker_process.beside(lambda given: (os.getpid(), given), "work") as work:
        work.begin(7)
        assert work.result() == (os.getpid(), 7)


def test_work_of_a_thread_is_done_in_it() -> None:
    found = []

    def in_thread() -> None:
        with worker_process.beside(os.getpid, "work") as work:
            work.begin()
            found.append(work.result())

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert found == [os.getpid()]


@pytest.mark.parametrize("error", [InputError("no class has photos"), ValueError("7")])
def test_error_is_raised_where_the_result_is_waited_for(error: Exception) -> None:
    def fail() -> None:
        raise error

    with worker_process.beside(fail, "work") as work:
        work.begin()
        with pytest.raises(type(error)) as raised:
            work.result()
    assert str(raised.value) == str(error)


@on_linux
def test_end_without_a_result_is_told() -> None:
    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    told = pytest.raises(WorkError, match=r"^cross-validation ended without a result .*-9")
    with worker_process.beside(end, "cross-validation") as work, told:
        work.begin()
        work.result()


@on_linux
def test_work_that_was_killed_before_it_began_is_told() -> None:
    told = pytest.raises(WorkError, match=r"^int8 ended without a result .*-9")
    with worker_process.beside(os.getpid, "int8") as work, told:
        (child,) = multiprocessing.active_children()
        child.kill()
        child.join()
        work.begin(bytes(1_000_000))
        work.result()


@on_linux
def test_work_that_is_never_begun_ends_with_the_block() -> None:
    with worker_process.beside(os.getpid, "work"):
        (child,) = multiprocessing.active_children()
    assert not child.is_alive()


@on_linux
def test_work_that_nobody_waits_for_ends_with_the_block(tmp_path: Path) -> None:
    def never_end() -> None:
        (tmp_path / "process").write_text(str(os.getpid()))
        time.sleep(600)

    def fail_beside_it() -> None:
        with worker_process.beside(never_end, "work") as work:
            work.begin()
            while not (tmp_path / "process").is_file() or not (tmp_path / "process").read_text():
                time.sleep(0.01)
            raise InputError("something else is wrong")

    with pytest.raises(InputError, match="something else"):
        fail_beside_it()
    assert not is_there(int((tmp_path / "process").read_text()))


@on_linux
def test_work_ends_with_a_process_that_is_killed() -> None:
    script = (
        "import os, time\n"
        "from components.common.base import worker_process\n"
        "worker_process.cores = lambda: 2\n"
        "def work():\n    print(os.getpid(), flush=True)\n    time.sleep(600)\n"
        "with worker_process.beside(work, 'work') as begun:\n"
        "    begun.begin()\n    begun.result()\n"
    )
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        process = int(parent.stdout.readline())
        assert is_there(process)
        parent.kill()
    for _ in range(500):
        if not is_there(process):
            return
        time.sleep(0.02)
    pytest.fail("the work goes on without its parent")
