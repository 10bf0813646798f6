"""Logs that appear in object storage while training goes on.

A pipeline's output reaches the store only when its task has ended; TensorBoard should show the
curves before that.
"""

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

from components.common.base.errors import InputError, WorkError
from components.common.base.step import warn
from components.common.store import storage

INTERVAL_S = 10.0
# An object cannot grow: each copy is of the whole file. So that a long training does not send its
# logs over and over, a file is copied the more seldom the larger it is, at this rate on average,
# and one above the limit only when training has ended.
BYTES_PER_S = 1024**2
MAX_LIVE_BYTES = 256 * 1024**2


class LiveLogs(AbstractContextManager["LiveLogs"]):
    """Copies the files of a folder to gs:// or s3:// (or minio://) when they have grown.

    A store that cannot be written to ends the copying with a warning, never the training: the task
    hands its logs over in the end anyway.

    Args:
        directory: the logs.
        place: gs://… or s3://…; anything else is not copied to.
        interval_s: seconds between two copies.
    """

    def __init__(self, directory: Path, place: str, *, interval_s: float = INTERVAL_S) -> None:
        self._directory = directory
        self._place = place.rstrip("/")
        self._interval_s = interval_s
        self._sizes: dict[Path, int] = {}
        self._due: dict[Path, float] = {}  # when a file may be copied again
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "LiveLogs":
        if storage.is_uri(self._place):
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread:
            self._over.set()
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._interval_s):
                self._copy()
            self._copy(last=True)
        except (InputError, WorkError) as error:
            warn(f"the logs are not copied to {self._place} while training goes on: {error}")

    def _copy(self, *, last: bool = False) -> None:
        for path in sorted(self._directory.rglob("*")):
            if not path.is_file() or self._sizes.get(path) == path.stat().st_size:
                continue
            size, now = path.stat().st_size, time.monotonic()
            if not last and (size > MAX_LIVE_BYTES or now < self._due.get(path, 0.0)):
                continue
            data = path.read_bytes()
            name = path.relative_to(self._directory).as_posix()
            storage.write_place(f"{self._place}/{name}", data, what="the TensorBoard logs")
            self._sizes[path] = len(data)
            self._due[path] = now + len(data) / BYTES_PER_S
