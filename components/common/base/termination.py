"""Ending on SIGTERM: soon, with a message, and with nothing half-written left.

Kubernetes sends it to a pod that must go, 30 s before SIGKILL, and `make run` to steps beside one
that failed.
"""

import os
import signal
import threading
import time
from typing import NoReturn

from components.common.base import temporary

EXIT_STATUS = 128 + signal.SIGTERM
# For the work to unwind. Python runs a signal's handler between two of its own instructions in the
# main thread: a long call into a library delays it, threads that are waited for delay the end, and
# an exception is lost where a callback or a destructor was running.
GRACE_S = 5.0
MESSAGE = b"stopped by SIGTERM\n"

_announcement = threading.Lock()  # held for ever once the message was written


def end_cleanly_on_sigterm() -> None:
    """Let SIGTERM end the process as an exception does, and without one after `GRACE_S`."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _end:
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def is_ending() -> bool:
    """True once SIGTERM has come: what fails from then on fails because of it."""
    return _announcement.locked()


def _end(number: int, _: object) -> None:
    if _announce():
        raise SystemExit(128 + number)


def _watch(reader: int) -> NoReturn:
    """Wait for the byte that Python's C handler writes at once, whatever the main thread does."""
    while os.read(reader, 1)[0] != signal.SIGTERM or signal.getsignal(signal.SIGTERM) is not _end:
        pass
    time.sleep(GRACE_S)
    _announce()
    temporary.remove_own()
    os._exit(EXIT_STATUS)


def _announce() -> bool:
    """Write the message; False where it was written before."""
    if not _announcement.acquire(blocking=False):
        return False
    os.write(2, MESSAGE)  # print would fail where the signal came in the midst of another print
    return True
