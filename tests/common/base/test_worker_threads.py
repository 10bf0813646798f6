"""Pools of generators that are closed here or by the garbage collector."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import run_captured

from components.common.base import worker_threads as module
from components.common.base.worker_threads import OnePerThread, map_in_threads, worker_threads


def test_end_waits_for_the_threads_and_what_was_not_begun_is_left() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), []
    threads = []

    def work(number: int) -> None:
        threads.append(threading.current_thread())
        begun.set()
        may_end.wait(10)
        done.append(number)

    with worker_threads(1) as pool:
        for number in range(3):
            pool.submit(work, number)
        assert begun.wait(10)
        threading.Timer(0.05, may_end.set).start()
    assert done == [0]
    assert not threads[0].is_alive()


# The generator's last reference goes in one of its own threads, as a collector may let it go.
CLOSED_WITHIN = """
from components.common.base.worker_threads import worker_threads

def generator():
    with worker_threads(2) as pool:
        while True:
            yield pool

found = generator()
held = [found]
pool = next(found)
del found
pool.submit(held.clear).result(10)
print("ended")
"""


def test_generator_may_be_closed_in_one_of_its_own_threads() -> None:
    done = run_captured(sys.executable, "-c", CLOSED_WITHIN, timeout_s=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_results_come_in_the_order_of_the_items_and_no_more_ahead_than_asked_for() -> None:
    taken: list[int] = []
    release = threading.Event()

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        if number == 0:
            release.wait(10)  # the others are done sooner
        return number * number

    results = map_in_threads(work, items(), threads=3, ahead=5)
    threading.Timer(0.05, release.set).start()
    assert next(results) == 0
    assert taken == list(range(5))
    assert list(results) == [number * number for number in range(1, 20)]


def test_waiting_results_have_a_weight_together_and_one_too_heavy_goes_alone() -> None:
    weights = [3, 3, 3, 9, 1, 1, 1]
    lock, waiting, seen = threading.Lock(), [0], []

    def work(weight: int) -> int:
        with lock:
            waiting[0] += weight
            seen.append((weight, waiting[0]))
        return weight

    results = map_in_threads(work, weights, threads=2, ahead=5, weigh=float, most=7)
    for expected, weight in zip(weights, results, strict=True):
        assert weight == expected
        with lock:
            waiting[0] -= weight
    assert len(seen) == len(weights)
    assert all(together <= 7 or (weight, together) == (9, 9) for weight, together in seen)


def test_what_work_raises_is_raised_in_its_turn() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("no 3")
        return number

    results = map_in_threads(work, range(10), threads=2, ahead=8)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no 3"):
        next(results)


def test_each_thread_has_its_own_and_they_are_made_one_at_a_time() -> None:
    making, most = [0], [0]

    def make() -> object:
        making[0] += 1
        most[0] = max(most[0], making[0])
        time.sleep(0.01)
        making[0] -= 1
        return object()

    own = OnePerThread(make)
    both = threading.Barrier(2)

    def twice(_: int) -> tuple[object, object]:
        both.wait(10)
        return own(), own()

    (first, again), (second, _) = map_in_threads(twice, range(2), threads=2, ahead=2)
    assert first is again
    assert first is not second
    assert most == [1]


@pytest.mark.parametrize(
    ("files", "allowed", "cores"),
    [
        ({}, 4, 4),
        ({"cpu.max": "max 100000"}, 4, 4),
        ({"cpu.max": "150000 100000"}, 4, 2),
        ({"cpu.max": "50000 100000"}, 4, 1),
        ({"cpu.max": "6400000 100000"}, 4, 4),
        ({"cfs_quota_us": "-1", "cfs_period_us": "100000"}, 4, 4),
        ({"cfs_quota_us": "300000", "cfs_period_us": "100000"}, 4, 3),
        ({"cpu.max": "what"}, 4, 4),
    ],
)
def test_cores_are_those_that_a_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], allowed: int, cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(module, "_QUOTA_2", tmp_path / "cpu.max")
    version_1 = (tmp_path / "cfs_quota_us", tmp_path / "cfs_period_us")
    monkeypatch.setattr(module, "_QUOTA_1", version_1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    assert module.cores() == cores


@pytest.mark.parametrize(("cores", "threads"), [(1, 2), (2, 2), (6, 6), (96, 8)])
def test_step_works_with_as_many_threads_as_help_within_bounds(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(module, "cores", lambda: cores)
    assert module.step_threads() == threads
