"""Fetched bytes, kept by URL and proven by content: what makes a second try of a download cheap.

    fetched/urls/cd/cd34…       a line of JSON about the answer, then its bytes; named by the
                                SHA-256 of the URL
    fetched/objects/ab/ab12…    bytes that are too many for that (archives), named by their SHA-256

Each is written beside its place and renamed, and its hash is checked at each look-up, so a process
that is killed leaves nothing that could be taken for whole; what it leaves is removed by the next
that uses the cache. A photo is one file, not two: making
files is most of what a cache costs.
"""

import contextlib
import hashlib
import itertools
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from components.common.base import temporary
from components.common.base.files import hash_file, naming_full_disk
from components.common.untrusted.redact import without_secrets

HEADER_MAX_BYTES = 64 * 1024
BODY_MAX_BYTES = 256 * 1024**2
SHARED_MAX_BYTES = 64 * 1024**2
KEPT_BYTES = 256 * 1024


@dataclass(frozen=True)
class About:
    """The line of JSON: what is known of an answer.

    Attributes:
        url: what was asked for, without a password or signature (`without_secrets`).
        final_url: where it came from in the end, after redirects; likewise.
        content_type: as declared, without parameters; empty if nothing was declared.
        sha256: of the bytes.
        size: in bytes.
        fetched_at: seconds since 1970.
        apart: True where the bytes lie in a file of their own.
    """

    url: str
    final_url: str
    content_type: str
    sha256: str
    size: int
    fetched_at: float
    apart: bool = False


@dataclass(frozen=True)
class Fetched:
    """One body as it was received.

    Attributes:
        about: what is known of it.
        path: file that holds the bytes, from `offset` on.
        offset: 0 for a body that was fetched as a file.
        kept: the bytes, where they are few and were at hand just now.
    """

    about: About
    path: Path
    offset: int = 0
    kept: bytes | None = None

    def read(self) -> bytes:
        """The bytes."""
        if self.kept is not None:
            return self.kept
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read()


class Shared(Protocol):
    """A second place for what is kept of addresses, which other machines see too."""

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """What was kept under a name; None: nothing."""

    def write(self, name: str, content: bytes) -> None:
        """Keep something."""


class FetchCache:
    """A folder of fetched bytes. Several processes may share one.

    Args:
        cache_dir: the cache's folder; `fetched/` is made in it.
        shared: where what is not in the folder is looked for, and everything but files of their own
            is kept as well.
    """

    def __init__(self, cache_dir: Path, shared: Shared | None = None) -> None:
        self._shared = shared
        self.directory = cache_dir / "fetched"
        self._root = str(self.directory)
        self._token = secrets.token_hex(4)
        self._numbers = itertools.count()
        self._made: set[str] = set()
        temporary.drop_abandoned(self.directory, ".")

    def lookup(self, url: str, max_age_s: float | None = None) -> Fetched | None:
        """What a URL gave before, if it is still there, whole, and not too old."""
        there = self._lookup(url, max_age_s)
        if there or not self._shared:
            return there
        content = self._shared.read(_name(url), HEADER_MAX_BYTES + SHARED_MAX_BYTES)
        if content is None:
            return None
        self._write_record(url, content)
        return self._lookup(url, max_age_s)

    def _lookup(self, url: str, max_age_s: float | None) -> Fetched | None:
        record = self._record(url)
        try:
            with open(record, "rb") as file:
                header = file.readline(HEADER_MAX_BYTES)
                about = About(**json.loads(header))
                body = b"" if about.apart else file.read(min(about.size, BODY_MAX_BYTES) + 1)
            if about.url != without_secrets(url) or not isinstance(about.fetched_at, float):
                return None
            # From the future: the clock was wrong then, or is now.
            if max_age_s is not None and abs(time.time() - about.fetched_at) > max_age_s:
                return None
            if about.apart:
                path = Path(self._object(about.sha256))
                return Fetched(about, path) if hash_file(path) == about.sha256 else None
        except (OSError, ValueError, TypeError):
            return None
        if hashlib.sha256(body).hexdigest() != about.sha256:
            return None
        return Fetched(about, Path(record), len(header), _few(body))

    def store(
        self, url: str, data: bytes, *, final_url: str = "", content_type: str = ""
    ) -> Fetched:
        """Keep the bytes that a URL gave.

        Raises:
            WorkError: the disk is full.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        known = without_secrets(url), without_secrets(final_url or url)
        about = About(*known, content_type, sha256, len(data), time.time())
        header = _header(about)
        record = self._write_record(url, header + data)
        if self._shared and len(data) <= SHARED_MAX_BYTES:
            self._shared.write(_name(url), header + data)
        return Fetched(about, record, len(header), _few(data))

    def store_file(
        self, url: str, chunks: Iterable[bytes], *, final_url: str = "", content_type: str = ""
    ) -> Fetched:
        """Keep what may be larger than memory, as a file of its own.

        Raises:
            WorkError: the disk is full.
        """
        digest, size = hashlib.sha256(), 0
        with self._new_file() as (file, name):
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                with naming_full_disk("a fetched file", self.directory):
                    _write(file, chunk)
            place = self._object(digest.hexdigest())
            self._make(os.path.dirname(place))
            os.replace(name, place)
        sha256, now = digest.hexdigest(), time.time()
        known = without_secrets(url), without_secrets(final_url or url)
        about = About(*known, content_type, sha256, size, now, apart=True)
        self._write_record(url, _header(about))
        return Fetched(about, Path(place))

    def _write_record(self, url: str, content: bytes) -> Path:
        """Write one file so that it is whole or absent, in as few system calls as that takes."""
        place = self._record(url)
        self._make(os.path.dirname(place))
        with naming_full_disk("a fetched file", self.directory), self._new_file() as (file, name):
            _write(file, content)
            os.replace(name, place)
        return Path(place)

    @contextlib.contextmanager
    def _new_file(self) -> Iterator[tuple[FileIO, str]]:
        """A file to write to, on the same disk as its final place, locked while it is open."""
        self._make(self._root)
        while True:
            name = f"{self._root}/.{temporary.PARTIAL}-{self._token}-{next(self._numbers)}"
            file = open(name, "xb", buffering=0)  # noqa: SIM115 - handed on
            # Another process may have taken it for an abandoned one before it was locked.
            locked = temporary.try_lock(file.fileno())
            if locked is not False and os.fstat(file.fileno()).st_nlink:
                break
            file.close()
        try:
            with file:
                yield file, name
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise

    def _make(self, directory: str) -> None:
        if directory not in self._made:
            os.makedirs(directory, exist_ok=True)
            self._made.add(directory)

    def _object(self, sha256: Any) -> str:
        if not isinstance(sha256, str) or len(sha256) != 64 or not sha256.isalnum():
            raise ValueError(f"no SHA-256: {sha256!r}")
        return f"{self._root}/objects/{sha256[:2]}/{sha256}"

    def _record(self, url: str) -> str:
        return f"{self._root}/{_name(url)}"


def _name(url: str) -> str:
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return f"urls/{digest[:2]}/{digest}"


def _write(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _header(about: About) -> bytes:
    return json.dumps(asdict(about)).encode() + b"\n"


def _few(body: bytes) -> bytes | None:
    """The bytes, if they are few enough to stay in memory."""
    return body if len(body) <= KEPT_BYTES else None
