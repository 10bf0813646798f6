"""Ending on a signal: soon, with a message, and with nothing half-written left.

Kubernetes sends SIGTERM to a pod that must go, 30 s before SIGKILL, and `make run` to steps beside
one that failed. SIGHUP comes when a terminal goes, and is no end for what nohup started, which
ignores it from the beginning; SIGQUIT is Ctrl and the
backslash.
"""

import contextlib
import os
import signal
import threading
import time
from typing import NoReturn

from components.common.base import temporary

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# For the work to unwind. Python runs a signal's handler between two of its own instructions in the
# main thread: a long call into a library delays it, threads that are waited for delay the end, and
# an exception is lost where a callback or a destructor was running.
GRACE_S = 5.0

_announcement = threading.Lock()  # held for ever once the message was written
_came: list[int] = []  # the signal that is ending the process


def end_cleanly_on_signals() -> None:
    """Let `SIGNALS` end the process as an exception does, and without one after `GRACE_S`."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _end:
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in SIGNALS:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def end_as_others_on_signals() -> None:
    """Undo that in a fork, whose parent waits for signals: let `SIGNALS` end it as any process."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def is_ending() -> bool:
    """True once a signal has come: what fails from then on fails because of it."""
    return _announcement.locked()


def exit_status() -> int:
    """The status to end with once a signal has come, as a shell would tell of it."""
    return 128 + (_came[0] if _came else signal.SIGTERM)


def _end(number: int, _: object) -> None:
    if _announce(number):
        raise SystemExit(exit_status())


def _watch(reader: int) -> NoReturn:
    """Wait for the byte that Python's C handler writes at once, whatever the main thread does."""
    while (number := os.read(reader, 1)[0]) not in SIGNALS or signal.getsignal(number) is not _end:
        pass
    time.sleep(GRACE_S)
    _announce(number)
    temporary.remove_own()
    os._exit(exit_status())


def _announce(number: int) -> bool:
    """Write the message; False where it was written before."""
    if not _announcement.acquire(blocking=False):
        return False
    _came.append(number)
    # print would fail where the signal came in the midst of another print, and there may be nobody
    # left to read this.
    with contextlib.suppress(OSError):
        os.write(2, f"stopped by {signal.Signals(number).name}\n".encode())
    return True
