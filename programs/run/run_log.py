"""log.txt of a run: what the steps said, without what kfp says of itself around it."""

import re
from pathlib import Path
from typing import TextIO

FULL = "log-full.txt"  # everything that was written, as it was
MAX_LINE = 1024 * 1024  # bytes; a longer line becomes several

# Colours and other commands of terminals, and control characters but the tab.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
_STRING = r'"(?:[^"\\]|\\.)*"'
# Lines of kfp, each by itself: tasks that run at once write between one another's.
_KFP = re.compile(
    r"-+"
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


def _write(line: bytes, file: TextIO) -> None:
    text = _CONTROL.sub("", line.decode(errors="replace")).rstrip()
    if text and not _KFP.fullmatch(text.lstrip()):
        file.write(f"{text}\n")
