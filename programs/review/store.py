"""The file that a page saves: replaced as a whole, and never what another window saved.

It holds decisions beside a run, or answers beside photos that were chosen to be labelled.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from components.common.base.errors import InputError
from components.common.base.files import write_file
from components.common.dataset import decisions

FILE_NAME = "decisions.json"
NO_FILE = '""'  # the revision of a file that is not there yet


class Content(Protocol):
    """What such a file holds."""

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""


class Changed(Exception):
    """The file is another than the one that the decisions were made on."""


class Store:
    """Reads and writes the file, one thread at a time.

    Args:
        path: of the file.
        parse: reads its content, and is told its name; raises `InputError` where it is none.

    Raises:
        InputError: there is such a file, and it is none of its kind, or a link.
    """

    def __init__(
        self, path: Path, parse: Callable[[bytes, str], Content] = decisions.parse
    ) -> None:
        self.path = path
        self._parse = parse
        self._lock = threading.Lock()
        if path.is_symlink():
            raise InputError(f"{path} is a link: put the file itself there, or remove the link")
        data, _ = self.read()
        if data is not None:
            parse(data, str(path))

    def read(self) -> tuple[bytes | None, str]:
        """The content, None without a file, and its revision.

        Raises:
            InputError: it is larger than decisions may be.
        """
        if not self.path.is_file():
            return None, NO_FILE
        with self.path.open("rb") as file:
            data = file.read(decisions.MAX_BYTES + 1)
        if len(data) > decisions.MAX_BYTES:
            raise InputError(f"{self.path} is larger than {decisions.MAX_BYTES} bytes")
        return data, _revision(data)

    def write(self, data: bytes, revision: str) -> str:
        """Check and store decisions.

        Args:
            data: as the review page sends them, at most `decisions.MAX_BYTES`.
            revision: of the file that they were made on.

        Returns:
            The revision of the new file.

        Raises:
            Changed: the file is another by now.
            InputError: these are no decisions.
            DiskFull: the disk is full.
        """
        content = self._parse(data, "what was sent").to_json()
        text = json.dumps(content, indent=1) + "\n"
        with self._lock:
            if self.read()[1] != revision:
                raise Changed
            write_file(self.path, text, what="the decisions")
        return _revision(text.encode())

    def close(self) -> None:
        """Let what is being written come to its end; nothing is written from then on."""
        self._lock.acquire()


def _revision(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'
