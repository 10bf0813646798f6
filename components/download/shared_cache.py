"""Fetched photos in object storage, for runs on machines that forget: beside the cache's folder.

What the cache keeps of an address is one file that proves itself (components/common/web/
fetch_cache.py); here it is one object of the same name below a prefix. A store that does not answer
costs the run nothing but photos that are fetched again.
"""

import threading

from components.common.base.errors import InputError, WorkError
from components.common.base.step import warn
from components.common.store import storage


class SharedCache:
    """Reads and writes what the cache keeps; threads may share one.

    Args:
        prefix: gs:// or s3:// place.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.rstrip("/")
        self._lock = threading.Lock()
        self._is_away = False

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """What was kept under a name, None where nothing was, or nothing can be read."""
        if self._is_away:
            return None
        try:
            return storage.find_place(f"{self._prefix}/{name}", max_bytes=max_bytes)
        except (InputError, WorkError) as error:
            self._give_up(error)
            return None

    def write(self, name: str, content: bytes) -> None:
        """Keep something, if the store answers."""
        if self._is_away:
            return
        try:
            storage.write_place(f"{self._prefix}/{name}", content, what="a fetched photo")
        except (InputError, WorkError) as error:
            self._give_up(error)

    def _give_up(self, error: InputError | WorkError) -> None:
        with self._lock:
            if not self._is_away:
                self._is_away = True
                warn(f"fetched photos are not kept for other runs: {error}")
