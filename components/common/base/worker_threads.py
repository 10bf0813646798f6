"""Threads that work for a generator: what they find comes in order, and a little ahead."""

import contextlib
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

FEWEST, MOST = 2, 8  # threads of a step: one waits for the disk now and then; each takes memory
# Time that a control group's processes may have of every so much, in microseconds: of version 2 in
# one file, "max" for any, and of version 1 in two, -1 for any.
_QUOTA_2 = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_1 = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def cores() -> int:
    """How many threads can run at once: those of the machine's cores that this process may use.

    A container's limit is heeded: it is told as time, and not as fewer cores.
    """
    allowed: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    count = len(allowed(0)) if allowed else os.cpu_count() or 1
    return max(1, math.ceil(min(count, _quota())))


def step_threads() -> int:
    """How many threads a step works with; what comes out does not depend on it."""
    return min(max(cores(), FEWEST), MOST)


def _quota() -> float:
    """The cores that the control group may use; infinite where there is no limit."""
    for files in ((_QUOTA_2,), _QUOTA_1):
        with contextlib.suppress(OSError, ValueError):
            quota, period = " ".join(file.read_text() for file in files).split()
            if quota not in ("max", "-1"):
                return int(quota) / int(period)
    return math.inf


@contextmanager
def worker_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that waits for its threads at its end, but not in one of them.

    A generator that an error leaves behind is closed by the garbage collector, in whatever thread
    that happens to run. In one of the pool's own, waiting for the pool would be waiting for itself.
    """
    own: set[int] = set()
    pool = ThreadPoolExecutor(count, initializer=lambda: own.add(threading.get_ident()))
    try:
        yield pool
    finally:
        pool.shutdown(wait=threading.get_ident() not in own, cancel_futures=True)


def map_in_threads(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    threads: int,
    ahead: int,
    weigh: Callable[[T], float] = lambda _: 0,
    most: float = math.inf,
) -> Generator[R, None, None]:
    """The result of `work` for each item, in the order of the items.

    Args:
        work: called in the threads; what it raises is raised here in its turn.
        items: taken in the caller's thread, as they are needed.
        threads: how many work at once.
        ahead: items whose result the caller has not had yet, at most; bounds memory.
        weigh: the weight of an item, such as its size in bytes.
        most: weight of such items together; one that is heavier goes alone.
    """
    waiting: deque[tuple[Future[R], float]] = deque()
    weight = 0.0
    with worker_threads(threads) as pool:
        for item in items:
            while waiting and weight + weigh(item) > most:
                weight -= waiting[0][1]
                yield waiting.popleft()[0].result()
            waiting.append((pool.submit(work, item), weigh(item)))
            weight += waiting[-1][1]
            if len(waiting) >= ahead:
                weight -= waiting[0][1]
                yield waiting.popleft()[0].result()
        while waiting:
            yield waiting.popleft()[0].result()


class OnePerThread(Generic[T]):
    """Gives each thread that asks an object of its own, such as a network.

    Args:
        make: makes one. It never runs in two threads at once: while LiteRT loads a network,
            standard error is held back for the whole process.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._own = threading.local()

    def __call__(self) -> T:
        """The object of the calling thread, made at its first call."""
        if not hasattr(self._own, "made"):
            with self._making:
                self._own.made = self._make()
        made: T = self._own.made
        return made
