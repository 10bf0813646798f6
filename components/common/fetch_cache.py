"""Fetched bytes, kept by content: what makes a second try of a download cheap.

    fetched/objects/ab/ab12…    the bytes, named by their SHA-256
    fetched/urls/cd/cd34….json  which bytes a URL gave, named by the SHA-256 of the URL

Both are written beside their place and renamed, so a process that is killed leaves nothing that
could be taken for whole.
"""

import hashlib
import itertools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from components.common.files import naming_full_disk

STALE_S = 86400.0  # half-written files of processes that were killed go after a day
RECORD_MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Fetched:
    """One body as it was received.

    Attributes:
        url: what was asked for.
        final_url: where it came from in the end, after redirects.
        content_type: as declared, without parameters; empty if nothing was declared.
        sha256: of the bytes.
        size: in bytes.
        fetched_at: seconds since 1970.
        path: file with the bytes.
    """

    url: str
    final_url: str
    content_type: str
    sha256: str
    size: int
    fetched_at: float
    path: Path

    def read(self) -> bytes:
        """The bytes."""
        return self.path.read_bytes()


class FetchCache:
    """A folder of fetched bytes. Several processes may share one.

    Args:
        cache_dir: the cache's folder; `fetched/` is made in it.
    """

    def __init__(self, cache_dir: Path) -> None:
        self.directory = cache_dir / "fetched"
        self._root = str(self.directory)
        self._numbers = itertools.count()
        self._made: set[str] = set()
        self._drop_stale()

    def lookup(self, url: str, max_age_s: float | None = None) -> Fetched | None:
        """What a URL gave before, if it is still there, whole, and not too old."""
        try:
            with open(self._record(url), "rb") as record:
                text = record.read(RECORD_MAX_BYTES)
            content = json.loads(text)
            path = Path(self._object(str(content["sha256"])))
            found = Fetched(**{**content, "path": path})
            if found.url != url or hash_file(path) != found.sha256:
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if max_age_s is not None and time.time() - found.fetched_at > max_age_s:
            return None
        return found

    def new_file(self) -> str:
        """A place to write a body to, on the same disk as its final one."""
        self._make(self._root)
        return f"{self._root}/.partial-{os.getpid()}-{next(self._numbers)}"

    def keep(
        self, temporary: str, *, url: str, final_url: str, content_type: str, sha256: str, size: int
    ) -> Fetched:
        """Give a body that is whole its place, and remember its URL.

        Raises:
            WorkError: the disk is full.
        """
        place = self._object(sha256)
        self._make(os.path.dirname(place))
        os.replace(temporary, place)
        content = {
            "url": url,
            "final_url": final_url,
            "content_type": content_type,
            "sha256": sha256,
            "size": size,
            "fetched_at": time.time(),
        }
        found = Fetched(**content, path=Path(place))  # type: ignore[arg-type]
        self._remember(url, json.dumps(content))
        return found

    def store(self, url: str, data: bytes) -> Fetched:
        """Keep bytes that came by another way than HTTP."""
        temporary = self.new_file()
        sha256 = hashlib.sha256(data).hexdigest()
        with naming_full_disk("a fetched file", self.directory), open(temporary, "xb") as file:
            file.write(data)
        return self.keep(
            temporary, url=url, final_url=url, content_type="", sha256=sha256, size=len(data)
        )

    def _remember(self, url: str, content: str) -> None:
        record = self._record(url)
        self._make(os.path.dirname(record))
        written = self.new_file()
        with naming_full_disk("a fetched file", self.directory):
            with open(written, "x", encoding="utf-8") as file:
                file.write(content)
            os.replace(written, record)

    def _make(self, directory: str) -> None:
        if directory not in self._made:
            os.makedirs(directory, exist_ok=True)
            self._made.add(directory)

    def _object(self, sha256: str) -> str:
        if len(sha256) != 64 or not sha256.isalnum():
            raise ValueError(f"no SHA-256: {sha256!r}")
        return f"{self._root}/objects/{sha256[:2]}/{sha256}"

    def _record(self, url: str) -> str:
        name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._root}/urls/{name[:2]}/{name}.json"

    def _drop_stale(self) -> None:
        for path in self.directory.glob(".partial-*"):
            try:
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()
            except FileNotFoundError:  # its own process was faster
                continue


def hash_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
