"""A few threads, each with a model of its own, and a short queue before them."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from components.common.base.worker_threads import OnePerThread

M = TypeVar("M")
R = TypeVar("R")


class Busy(Exception):
    """So many wait already that this one would wait too long."""


class Pool(Generic[M]):
    """Runs work on threads of its own, so that the event loop stays free to answer.

    The threads are daemons: none keeps the process from ending, whatever a photo costs it.

    Args:
        make: makes what a thread works with, such as a model; called once a thread, one at a time.
        workers: number of threads.
        waiting: pieces of work that may wait.
    """

    def __init__(self, make: Callable[[], M], *, workers: int, waiting: int) -> None:
        self._tool = OnePerThread(make)
        self._jobs: queue.Queue[tuple[Future[Any], Callable[[M], Any]] | None]
        self._jobs = queue.Queue(waiting)
        self._closed = False
        self.failure: Exception | None = None
        self._equipped: list[threading.Thread] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        """Start the threads, if they are not yet; they are ready a little later."""
        for thread in self._threads:
            if thread.ident is None:
                thread.start()

    def close(self) -> None:
        """Let the threads end once the work that waits is done; nobody may bring more."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        """Let one thread look whether the pool is closed; where the queue is full, one does."""
        with contextlib.suppress(queue.Full):
            self._jobs.put_nowait(None)

    @property
    def ready(self) -> bool:
        """Whether every thread has what it works with."""
        return len(self._equipped) == len(self._threads)

    @property
    def full(self) -> bool:
        """Whether work would be refused now."""
        return self._jobs.full()

    async def run(self, work: Callable[[M], R], *, timeout_s: float) -> R:
        """What `work` returns, once a thread has done it.

        What has not begun within the time is dropped; what has begun, nobody waits for any more.

        Raises:
            Busy: the queue is full.
            TimeoutError: it takes longer than `timeout_s`, waiting included.
        """
        future: Future[R] = Future()
        try:
            self._jobs.put_nowait((future, work))
        except queue.Full:
            raise Busy from None
        async with asyncio.timeout(timeout_s):
            return await asyncio.wrap_future(future)

    def _work(self) -> None:
        try:
            tool = self._tool()
        except Exception as error:  # told to whoever looks at `failure`
            self.failure = error
            return
        self._equipped.append(threading.current_thread())
        while not (self._closed and self._jobs.empty()):
            job = self._jobs.get()
            if job is not None:
                future, work = job
                if future.set_running_or_notify_cancel():
                    _settle(future, work, tool)
                # Names would keep the photo in memory until the next one comes.
                del future, work
            del job
        self._wake()  # the next thread, which waits for work that will not come


def _settle(future: "Future[R]", work: Callable[[M], R], tool: M) -> None:
    try:
        future.set_result(work(tool))
    except Exception as error:  # raised where it is waited for
        future.set_exception(error)
