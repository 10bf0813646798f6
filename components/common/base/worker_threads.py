"""Threads for generators, which may be closed in any thread."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def worker_threads(count: int, name: str = "") -> Iterator[ThreadPoolExecutor]:
    """A pool that waits for its threads at its end, but not in one of them.

    A generator that an error leaves behind is closed by the garbage collector, in whatever thread
    that happens to run. In one of the pool's own, waiting for the pool would be waiting for itself.

    Args:
        count: of threads.
        name: that theirs begin with.
    """
    own: set[int] = set()
    pool = ThreadPoolExecutor(count, name, initializer=lambda: own.add(threading.get_ident()))
    try:
        yield pool
    finally:
        pool.shutdown(wait=threading.get_ident() not in own, cancel_futures=True)
