"""log.txt of a run: what the steps said, without what kfp says of itself around it."""

import os
import re
from pathlib import Path
from typing import TextIO

FULL = "log-full.txt"  # everything that was written, as it was
MAX_LINE = 1024 * 1024  # bytes; a longer line becomes several
LAST_LINES, LAST_BYTES = 8, 16 * 1024  # of what a failed task said, for the summary

# Colours and other commands of terminals, and control characters but the tab.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
_STRING = r'"(?:[^"\\]|\\.)*"'
# Lines of kfp, each by itself: tasks that run at once write between one another's.
_KFP = re.compile(
    r"-+|(?:Found|Pulling) image '[^']*'|Image pull complete"
    r"|[\d:.]+ - INFO - (?:Streamed logs:|Task '[^']*' outputs:)"
    r"|\[KFP Executor [^]]* INFO\]: "
    r"(?:Looking for component|Loading KFP component|Got executor_input|Wrote executor output).*"
    # An artifact among the outputs of a task.
    r"|[\w-]+: \w+\( name='.*',|uri='.*',|metadata=\{.*\} \)"
    # The input of a task, as JSON: a key, a value, a bracket.
    rf"|(?:{_STRING}: )?(?:{_STRING}|-?\d[\d.eE+-]*|true|false|null|\[\]|\{{\}}|[\[{{\]}}]),?"
)


class LogWriter:
    """Follows the full log as it grows, and writes the lines of it that a person wants.

    Args:
        full: the file that kfp and the steps write into.
        readable: the file to write.
    """

    def __init__(self, full: Path, readable: Path) -> None:
        self._full = full
        self._readable = readable
        self._position = 0
        self._rest = b""
        readable.write_bytes(b"")

    def advance(self, *, last: bool = False) -> None:
        """Take what has come since the last time; a line without its end waits, but the `last`."""
        with open(self._full, "rb") as full, open(self._readable, "a", encoding="utf-8") as file:
            full.seek(self._position)
            while data := full.read(MAX_LINE):
                self._position += len(data)
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    _write(line, file)
                if len(self._rest) > MAX_LINE:
                    _write(self._rest, file)
                    self._rest = b""
            if last:
                _write(self._rest, file)
                self._rest = b""


def last_words(full: Path, start: int) -> list[str]:
    """The last lines that a person wants of what was written from a position of the full log on."""
    with open(full, "rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - LAST_BYTES))
        lines = map(_readable, file.read(LAST_BYTES).split(b"\n"))
    return [line.lstrip() for line in lines if line][-LAST_LINES:]


def _write(line: bytes, file: TextIO) -> None:
    if text := _readable(line):
        file.write(f"{text}\n")


def _readable(line: bytes) -> str:
    """The line without colours and the like; empty for one that only kfp wants."""
    text = _CONTROL.sub("", line.decode(errors="replace")).rstrip()
    return "" if _KFP.fullmatch(text.lstrip()) else text
