"""Work in a process of its own, while this one does something else.

Python's lock lets one thread of a process work at a time, but for what libraries do without it.
"""

import ctypes
import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

from components.common.base.errors import WorkError
from components.common.base.worker_threads import cores

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextmanager
def beside(work: Callable[[], T], what: str) -> Iterator[Callable[[], T]]:
    """Begin a piece of work in a fork of this process, which ends with the block at the latest.

    Yields:
        A function that waits for the result, to be called once: it returns what `work` returned,
        and raises what it raised. Where there is one core, or no Linux (elsewhere libraries may
        have threads that a fork loses), the work is done when that is called.

    Args:
        work: what is done; its result is handed over by pickling.
        what: that is, for messages.
    """
    if sys.platform != "linux" or cores() < 2 or threading.current_thread().name != "MainThread":
        yield work
        return
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    child = context.Process(target=_do, args=(work, sender), daemon=True)
    with warnings.catch_warnings():
        # Of threads that a fork loses: ours wait for signals or send logs, and the child does not.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    sender.close()

    def result() -> T:
        try:
            is_done, found = receiver.recv()
        except EOFError:
            child.join()
            raise WorkError(
                f"{what} ended without a result (exit status {child.exitcode}): killed, or out of "
                "memory?"
            ) from None
        if not is_done:
            raise found
        value: T = found
        return value

    try:
        yield result
    finally:
        receiver.close()
        child.kill()
        child.join()


def _do(work: Callable[[], T], sender: Connection) -> None:
    """Be the child."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try:
        answer = True, work()
    except Exception as error:
        sender.send((False, error))
    else:
        sender.send(answer)
