"""What storage.py asks of each kind of object storage: an interface that google.py and s3.py have.

Another kind is a module with these functions, and an entry in storage.py's table `STORES`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import IO, Protocol


class Failure(Enum):
    """What an error of a client means."""

    REFUSED = auto()  # no such bucket or object, no permission, or a name that cannot be one
    NO_CREDENTIALS = auto()
    DAMAGED = auto()  # other bytes came than were stored
    UNREACHABLE = auto()  # no answer, or the answer of a store in trouble


class Store(Protocol):
    """One kind of object storage. Every function raises its client's own errors.

    The version of an object changes with its content. The SHA-256 of an object is the one that
    `upload` has stored with it, empty where something else stored the object.

    Attributes:
        CREDENTIALS: the environment variables that name credentials, for messages.
    """

    CREDENTIALS: str

    def folders(self, bucket: str, prefix: str) -> list[str]:
        """Prefixes directly below one."""

    def objects(self, bucket: str, prefix: str) -> Iterator[tuple[str, int, str, datetime]]:
        """Key, size in bytes, version and time of each object below a prefix, sorted by key."""

    def find(self, bucket: str, key: str, most: int) -> tuple[bytes, str] | None:
        """The first `most` bytes of an object and its version; None where there is none."""

    def read_range(self, bucket: str, key: str, start: int, size: int) -> bytes:
        """So many bytes of an object from an offset on, fewer where it ends before."""

    def stat(self, bucket: str, key: str) -> tuple[int, str, str] | None:
        """Size in bytes, version and SHA-256 of an object; None where there is none."""

    def write(self, bucket: str, key: str, data: bytes) -> None:
        """Store an object; what is there is replaced."""

    def write_if(self, bucket: str, key: str, data: bytes, version: str | None) -> bool:
        """Store an object where this version of it is (None: where none is); False elsewhere."""

    def upload(self, bucket: str, files: Mapping[str, tuple[Path, str]]) -> None:
        """Store files, each by its key and with its SHA-256, where no object is yet."""

    def download(self, bucket: str, key: str, file: IO[bytes]) -> None:
        """Write an object to a file; after a cut connection from where it was cut."""

    def copy(self, bucket: str, key: str, target: str) -> None:
        """Copy an object within its bucket, with its SHA-256, without fetching it."""

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; nothing happens where there is none."""

    def modified(self, bucket: str, key: str) -> datetime | None:
        """When an object was stored, in UTC; None where there is none."""

    def endpoint(self) -> str:
        """The address of the server."""

    def problem(self, error: Exception) -> Failure | None:
        """What an error of the client means; None for errors that are not the client's."""
