"""What every step does beside its work: progress, warnings, and errors that a person can use.

A step runs in three places: as a command in a terminal, under the KFP executor with its output in
a pipe, and inside a test. `run_step` and `Progress` say the same things in each: lines in the log,
and, where the variable `MUSHROOM_EVENTS` names a file, one JSON object a line for whoever draws
the progress display (programs/run/display.py).
"""

import argparse
import errno
import functools
import json
import logging
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NoReturn, ParamSpec, TypeVar

from components.common.base.errors import InputError, WorkError
from components.common.base.files import is_disk_full
from components.common.base.termination import (
    end_cleanly_on_signals,
    exit_status,
    is_ending,
)
from components.common.base.wording import as_text, counted, folded, harmless

EVENTS_VARIABLE = "MUSHROOM_EVENTS"
LOG_INTERVAL_S = 30.0
DISPLAY_INTERVAL_S = 0.2

# How a step's log is read again: its last line where it came to its end, as `step` writes it, and
# what the line begins with that says why it failed, as `fail` does.
DONE_LINE = re.compile(r"^\w+: done after [\d.]+ s$", re.MULTILINE)
ERROR_LINE = re.compile(r"^\w+: error: ", re.MULTILINE)

# Errors of files that whoever named them can mend; others are the disk's.
_OF_THE_USER = {
    *(errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EEXIST, errno.ENOTDIR),
    *(errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ),
}
_OF_THE_DISK = {errno.EIO, errno.ESTALE}  # told also where the system names no file

log = logging.getLogger("components")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# Kinds of warnings of which a run has several: photos that were left out, photos that were kept
# although flagged, classes with fewer photos than wanted.
LEFT_OUT, FLAGGED, FEW = "left_out", "flagged", "few"


def emit(event: str, **fields: object) -> None:
    """Append one event to the file named by MUSHROOM_EVENTS; without it, do nothing.

    One write call with O_APPEND for each event, so that steps running at once never mix lines.
    """
    path = os.environ.get(EVENTS_VARIABLE)
    if not path:
        return
    process = {"pid": os.getpid(), "host": socket.gethostname()}
    line = json.dumps({"event": event, **process, **fields}, default=str) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def report_part(step: str, done: int, total: int) -> None:
    """Tell the display how many parts of a step, such as classes, are done."""
    emit("part", step=step, done=done, total=total)


def warn(
    message: str,
    *,
    kind: str = "",
    number: int = 0,
    of: int = 0,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Log a warning and hand it to the run's summary.

    Args:
        message: it may name a file or an address that a stranger has chosen; what is no text in it
            is replaced.
        kind: one of `LEFT_OUT`, `FLAGGED` and `FEW`: warnings of a kind become one line in the
            summary, with the totals of what follows. Empty: it is shown as it is.
        number: of the photos that it is about.
        of: of how many.
        counts: photos by reason or flag.
    """
    message = harmless(message)
    log.warning("warning: %s", message)
    about = {"kind": kind, "number": number, "of": of, "counts": counts or {}} if kind else {}
    emit("warning", message=message, **about)


def doing(what: str) -> None:
    """Say what a step begins with now that takes seconds: in the log, and to the display."""
    log.info("%s …", what)
    emit("progress", what=what, said="")


class _Harmless(logging.Formatter):
    """Messages name what strangers have named: files, addresses, answers of servers."""

    def format(self, record: logging.LogRecord) -> str:
        return for_terminal(harmless(super().format(record)))


def for_terminal(text: str) -> str:
    """The text for standard error: where that is a terminal, in lines that break no word."""
    if not sys.stderr.isatty():
        return text
    return folded(text, shutil.get_terminal_size((80, 24)).columns)


def configure_logging() -> None:
    """Send this package's messages to standard error, once."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Harmless("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False


def step(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function as a pipeline step: its start, end and failure become events.

    Under the KFP executor an `InputError` or `WorkError` ends the process with its exit status and
    one message instead of a traceback; called from Python it is raised.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            in_executor = os.environ.get("_KFP_RUNTIME") == "true"
            if in_executor:
                configure_logging()
                end_cleanly_on_signals()
            started = time.monotonic()
            emit("started", step=name)
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                if is_ending():
                    raise SystemExit(exit_status()) from None
                known = explain(error)
                status = known.exit_status if known else 1
                message = harmless(str(known) if known else f"{type(error).__name__}: {error}")
                emit("failed", step=name, message=message, exit_status=status)
                if known and in_executor:
                    fail(known, name)
                if known and known is not error:
                    raise known from error
                raise
            seconds = time.monotonic() - started
            emit("finished", step=name, seconds=round(seconds, 3))
            if in_executor:
                log.info("%s: done after %.1f s", name, seconds)
            return result

        return wrapper

    return decorate


def explain(error: BaseException) -> InputError | WorkError | None:
    """The error as one that a person can use, or None for a fault of ours."""
    if isinstance(error, InputError | WorkError):
        return error
    if is_disk_full(error):
        return WorkError(
            f"no space left on the disk: {error}: free some space where the step writes, in its "
            f"cache or in {tempfile.gettempdir()}, and run again"
        )
    if is_out_of_memory(error):
        return WorkError(
            "out of memory: give the step more (on a cluster by --size), or fewer or smaller "
            "photos (docs/operations.md says what each step needs)"
        )
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return InputError(
            f"{as_text(error.object)} holds bytes that are not UTF-8 text, and a library needs a "
            "name that is: rename that file or folder, or name a link to it (ln -s)"
        )
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _OF_THE_DISK):
        place = f": {error.filename}" if error.filename is not None else ""
        kind = InputError if error.errno in _OF_THE_USER else WorkError
        return kind(f"{error.strerror}{place}")
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """True for a lack of memory, whichever library reports it in whatever type."""
    texts = ("(-4:Insufficient memory)", "bad_alloc", "OOM when allocating")
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


def fail(error: InputError | WorkError, name: str) -> NoReturn:
    """Print the message and leave with the error's exit status."""
    text = for_terminal(f"{name}: error: {harmless(str(error))}")
    print(text, file=sys.stderr, flush=True)
    raise SystemExit(error.exit_status)


def run_command(
    name: str, parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace], object]
) -> NoReturn:
    """Run a step as a command: parse, work, and leave with 0, 1 or 2 (never a user's traceback)."""
    configure_logging()
    end_cleanly_on_signals()
    options = parser.parse_args()
    try:
        status = command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output (head, less) went away: no error of anybody's.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if is_ending():  # a library has made another error of it
            raise SystemExit(exit_status()) from None
        known = explain(error)
        if known is None:
            raise
        fail(known, name)
    raise SystemExit(status if isinstance(status, int) else 0)


class Progress:
    """Counts through long work: on a terminal, in a log every 30 s, and as events for a parent.

    Args:
        what: is done, such as "clean daisy".
        total: how many pieces of work there are; None where that is not known.
        verb: what has been done with those that are counted, such as "looked at".
        unit: what is counted, one of it.
        interval_s: seconds between two lines in a log.

    Example:
        >>> for photo in Progress("clean daisy", 3, verb="looked at").over(["a", "b", "c"]):
        ...     pass
        clean daisy: 3 of 3 photos looked at
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        *,
        verb: str,
        unit: str = "photo",
        interval_s: float = LOG_INTERVAL_S,
    ) -> None:
        self.what = what
        self.total = total
        self.verb = verb
        self.unit = unit
        self.done = 0
        self.interval_s = interval_s
        self._last_event = 0.0
        self._last_line = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def over(self, items: Iterable[T], summary: Callable[[], str] | None = None) -> Iterator[T]:
        """Yield each of `items`, counting one for each that was worked on.

        Args:
            items: the work.
            summary: asked when all is done how it ended; None for the count.
        """
        for item in items:
            yield item
            self.advance()
        self.finish(summary() if summary else None)

    def advance(self) -> None:
        """Count one more piece of work as done."""
        self.done += 1
        now = time.monotonic()
        if now - self._last_event >= DISPLAY_INTERVAL_S:
            self._last_event = now
            self._emit()
            if self._terminal:
                print(f"\r{self._line()}", end="\x1b[K", file=sys.stderr, flush=True)
        if not self._terminal and now - self._last_line >= self.interval_s:
            self._last_line = now
            log.info(self._line())

    def finish(self, summary: str | None = None) -> None:
        """Say how it ended: `summary`, or the count."""
        self._emit()
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        log.info(f"{self.what}: {summary}" if summary else self._line())

    def _emit(self) -> None:
        emit("progress", what=self.what, said=self._count())

    def _line(self) -> str:
        return f"{self.what}: {self._count()}"

    def _count(self) -> str:
        if self.total is None:
            return f"{counted(self.done, self.unit)} {self.verb}"
        return f"{self.done} of {counted(self.total, self.unit)} {self.verb}"
