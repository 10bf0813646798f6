"""What the hosts that we fetch from ask of a client: requests at once, a second, a day; bytes.

Inside one process a `Gate` for each host spaces requests. What counts by the hour and the day is
kept in a file of the cache, because one class after another is fetched by processes of their own.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.common.base.temporary import wait_for_lock

GB = 10**9
HOUR_S, DAY_S = 3600, 86400


@dataclass(frozen=True)
class HostLimits:
    """The most that one host is asked for. 0 means no limit of its own.

    Attributes:
        concurrency: requests at once.
        interval_s: between the starts of two requests.
        requests_per_day: requests a day.
        bytes_per_hour, bytes_per_day: of bodies.
    """

    concurrency: int = 0
    interval_s: float = 0.0
    requests_per_day: int = 0
    bytes_per_hour: int = 0
    bytes_per_day: int = 0


HOST_LIMITS = {
    # iNaturalist, "API Recommended Practices": at most 60 requests a minute, below 10,000 a day.
    "api.inaturalist.org": HostLimits(concurrency=1, interval_s=1.0, requests_per_day=9_500),
    # The same page: media at most 5 GB an hour and 24 GB a day.
    "inaturalist-open-data.s3.amazonaws.com": HostLimits(
        bytes_per_hour=5 * GB, bytes_per_day=24 * GB
    ),
    # GBIF, "Rate limits": no parallel requests.
    "api.gbif.org": HostLimits(concurrency=1),
    # MediaWiki, "API:Etiquette": one request after another.
    "commons.wikimedia.org": HostLimits(concurrency=1),
    # Wikimedia's robot policy: at most two media downloads at once.
    "upload.wikimedia.org": HostLimits(concurrency=2),
}


class DailyLimitReached(Exception):
    """The host must not be asked for more today."""


class Gate:
    """Where every request to one host waits for its turn.

    Args:
        limits: the host's.
        usage: what earlier requests used, or None where nothing is counted.
    """

    def __init__(self, limits: HostLimits, usage: "Usage | None" = None) -> None:
        self.limits = limits
        self._usage = usage
        self._slots = threading.Semaphore(limits.concurrency) if limits.concurrency else None
        self._lock = threading.Lock()
        self._next_start = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may start; the block is the request.

        Raises:
            DailyLimitReached: not before tomorrow.
        """
        with self._slots or contextlib.nullcontext():
            if self._usage:
                self._usage.begin(self.limits)
            with self._lock:
                start = max(time.monotonic(), self._next_start)
                self._next_start = start + self.limits.interval_s
            time.sleep(max(0.0, start - time.monotonic()))
            yield

    def pause(self, seconds: float) -> None:
        """Let nothing start for a while: the host asked for a rest."""
        with self._lock:
            self._next_start = max(self._next_start, time.monotonic() + seconds)

    def count(self, size_bytes: int) -> None:
        """Add a body to what was used."""
        if self._usage:
            self._usage.add(size_bytes)


class Usage:
    """Requests and bytes of one host in this hour and this day (UTC), shared between processes.

    Args:
        path: the file that counts; made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def begin(self, limits: HostLimits) -> None:
        """Count one request; wait where the hour's bytes are used up.

        Raises:
            DailyLimitReached: the day's requests or bytes are used up.
        """
        while True:
            with self._open() as counts:
                for count, most, what in (
                    (counts["requests"], limits.requests_per_day, "requests"),
                    (counts["day_bytes"], limits.bytes_per_day, "bytes"),
                ):
                    if most and count >= most:
                        raise DailyLimitReached(f"{count} {what} today; at most {most} are allowed")
                if not limits.bytes_per_hour or counts["hour_bytes"] < limits.bytes_per_hour:
                    counts["requests"] += 1
                    return
            time.sleep(min(60.0, HOUR_S - time.time() % HOUR_S + 1))

    def add(self, size_bytes: int) -> None:
        """Count the bytes of a body."""
        with self._open() as counts:
            counts["hour_bytes"] += size_bytes
            counts["day_bytes"] += size_bytes

    @contextmanager
    def _open(self) -> Iterator[dict[str, int]]:
        """The counts of now; what the block changes is kept.

        One process at a time; on a disk without file locks, processes at once may count too little.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, open(self._path, "a+", encoding="utf-8", errors="replace") as file:
            wait_for_lock(file.fileno())
            file.seek(0)
            counts = _current(file.read(4096))
            before = dict(counts)
            yield counts
            if counts != before:
                file.seek(0)
                file.truncate()
                file.write(json.dumps(counts))


def _current(text: str) -> dict[str, int]:
    """The stored counts, with those of an earlier hour or day set to 0."""
    now = int(time.time())
    counts = {
        "hour": now // HOUR_S,
        "day": now // DAY_S,
        "requests": 0,
        "hour_bytes": 0,
        "day_bytes": 0,
    }
    try:
        stored = {name: int(json.loads(text)[name]) for name in counts}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return counts  # none yet, or damaged
    if stored["day"] == counts["day"]:
        counts |= {"requests": stored["requests"], "day_bytes": stored["day_bytes"]}
        if stored["hour"] == counts["hour"]:
            counts["hour_bytes"] = stored["hour_bytes"]
    return counts
