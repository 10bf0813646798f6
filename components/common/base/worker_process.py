"""Work in a process of its own, while this one does something else.

Python's lock lets one thread of a process work at a time, but for what libraries do without it.
"""

import contextlib
import ctypes
import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any, Generic, ParamSpec, TypeVar

from components.common.base import termination
from components.common.base.errors import WorkError
from components.common.base.worker_threads import cores

P = ParamSpec("P")
T = TypeVar("T")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Work(Generic[P, T]):
    """A piece of work that is begun, and whose result is waited for, once each."""

    def __init__(self, work: Callable[P, T]) -> None:
        self._work = work
        self._given: tuple[Any, Any] = ((), {})

    def begin(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Begin it."""
        self._given = args, kwargs

    def result(self) -> T:
        """What it returns, or raise what it raises."""
        args, kwargs = self._given
        return self._work(*args, **kwargs)


class _Elsewhere(Work[P, T]):
    def __init__(self, child: ForkProcess, own: "Connection[Any, Any]", what: str) -> None:
        self._child = child
        self._own = own
        self._what = what

    def begin(self, *args: P.args, **kwargs: P.kwargs) -> None:
        # Where it has been killed, `result` says so.
        with contextlib.suppress(BrokenPipeError):
            self._own.send((args, kwargs))

    def result(self) -> T:
        try:
            is_done, found = self._own.recv()
        except (EOFError, ConnectionResetError):
            self._child.join()
            raise WorkError(
                f"{self._what} ended without a result (exit status {self._child.exitcode}): "
                "killed, or out of memory?"
            ) from None
        if not is_done:
            raise found
        value: T = found
        return value


@contextmanager
def beside(work: Callable[P, T], what: str) -> Iterator[Work[P, T]]:
    """A piece of work that is done in a fork of this process, as it is now.

    The fork ends with the block at the latest. Where there is one core, or no Linux (elsewhere
    libraries may have threads that a fork loses), the work is done here, as its result is waited
    for. A library with threads of its own, such as TensorFlow once it has computed something, must
    not be used in it.

    Args:
        work: what is done; what it is given and what it returns go through a pipe, pickled.
        what: that is, for messages.
    """
    if sys.platform != "linux" or cores() < 2 or threading.current_thread().name != "MainThread":
        yield Work(work)
        return
    context = multiprocessing.get_context("fork")
    own, other = context.Pipe()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    child = context.Process(target=_do, args=(work, own, other), daemon=True)
    with warnings.catch_warnings():
        # Of threads that a fork loses: ours wait for signals or send logs, and the child does not.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    other.close()
    try:
        yield _Elsewhere(child, own, what)
    finally:
        own.close()
        child.kill()
        child.join()


def _do(
    work: Callable[..., object], parents: "Connection[Any, Any]", own: "Connection[Any, Any]"
) -> None:
    """Be the child."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parents.close()
    termination.end_as_others_on_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try:
        args, kwargs = own.recv()
    except EOFError:  # nobody wants it any more
        return
    try:
        answer = True, work(*args, **kwargs)
    except Exception as error:
        own.send((False, error))
    else:
        own.send(answer)
