"""The threads that look at photos: how many at once, how many may wait, and for how long."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from programs.serve.pool import Busy, Pool


@contextmanager
def busy_pool(*, workers: int, waiting: int) -> Iterator[tuple[Pool[object], threading.Event]]:
    """A pool, and an event that work waits for; it is set at the end."""
    free = threading.Event()
    pool: Pool[object] = Pool(object, workers=workers, waiting=waiting)
    pool.start()
    try:
        yield pool, free
    finally:
        free.set()


def in_a_loop(test: "asyncio.Coroutine[None, None, None]") -> None:  # type: ignore[name-defined]
    """Run it in a thread: a browser test of the same session may have a loop in this one."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(test)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


def test_work_beyond_the_queue_is_refused_and_the_rest_is_done() -> None:
    async def ask_four_times() -> None:
        with busy_pool(workers=1, waiting=2) as (pool, free):
            begun = threading.Event()

            def work(_: object) -> str:
                begun.set()
                assert free.wait(30)
                return "done"

            first = asyncio.create_task(pool.run(work, timeout_s=30))
            while not begun.is_set():
                await asyncio.sleep(0.01)
            waiting = [asyncio.create_task(pool.run(work, timeout_s=30)) for _ in range(2)]
            await asyncio.sleep(0)
            assert pool.full
            with pytest.raises(Busy):
                await pool.run(work, timeout_s=30)
            free.set()
            assert await asyncio.gather(first, *waiting) == ["done"] * 3
            assert not pool.full

    in_a_loop(ask_four_times())


def test_work_that_waits_too_long_is_never_begun() -> None:
    async def ask_twice() -> None:
        with busy_pool(workers=1, waiting=2) as (pool, free):
            begun: list[int] = []

            def work(number: int) -> int:
                begun.append(number)
                assert free.wait(30)
                return number

            first = asyncio.create_task(pool.run(lambda _: work(1), timeout_s=30))
            while not begun:
                await asyncio.sleep(0.01)
            with pytest.raises(TimeoutError):
                await pool.run(lambda _: work(2), timeout_s=0.05)
            free.set()
            assert await first == 1
            assert await pool.run(lambda _: work(3), timeout_s=30) == 3
            assert begun == [1, 3]

    in_a_loop(ask_twice())


def test_failure_of_work_is_raised_where_it_is_waited_for() -> None:
    def fail(_: object) -> None:
        raise KeyError("no")

    async def ask() -> None:
        with busy_pool(workers=1, waiting=1) as (pool, _):
            with pytest.raises(KeyError):
                await pool.run(fail, timeout_s=30)
            assert await pool.run(lambda _: 1, timeout_s=30) == 1

    in_a_loop(ask())


def test_each_thread_has_a_tool_of_its_own_and_no_two_work_with_one() -> None:
    async def ask() -> None:
        with busy_pool(workers=3, waiting=9) as (pool, _):
            together = threading.Barrier(3)

            def work(tool: object) -> int:
                together.wait(30)
                return id(tool)

            found = await asyncio.gather(*(pool.run(work, timeout_s=30) for _ in range(3)))
            assert len(set(found)) == 3

    in_a_loop(ask())


def test_pool_whose_tools_cannot_be_made_is_never_ready_and_says_why() -> None:
    def make() -> object:
        raise ValueError("no model")

    pool = Pool(make, workers=2, waiting=1)
    pool.start()
    for thread in pool._threads:
        thread.join(30)
    assert not pool.ready
    assert str(pool.failure) == "no model"


def test_closed_pool_does_the_work_that_waits_and_ends_its_threads() -> None:
    async def ask() -> None:
        with busy_pool(workers=2, waiting=2) as (pool, free):
            begun = threading.Semaphore(0)

            def work(_: object) -> str:
                begun.release()
                assert free.wait(30)
                return "done"

            asked = [asyncio.create_task(pool.run(work, timeout_s=30)) for _ in range(2)]
            for _ in asked:
                while not begun.acquire(blocking=False):
                    await asyncio.sleep(0.01)
            asked += [asyncio.create_task(pool.run(work, timeout_s=30)) for _ in range(2)]
            await asyncio.sleep(0)
            assert pool.full
            pool.close()
            free.set()
            assert await asyncio.gather(*asked) == ["done"] * 4
            for thread in pool._threads:
                thread.join(30)
                assert not thread.is_alive()

    in_a_loop(ask())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_threads_of_an_idle_pool_end_when_it_is_closed(workers: int) -> None:
    before = set(threading.enumerate())
    pool: Pool[object] = Pool(object, workers=workers, waiting=1)
    pool.start()
    threads = set(threading.enumerate()) - before
    assert len(threads) == workers
    while not pool.ready:
        time.sleep(0.01)
    pool.close()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
