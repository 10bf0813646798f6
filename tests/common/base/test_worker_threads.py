"""Pools of generators that are closed here or by the garbage collector."""

import sys
import threading

from conftest import run_captured

from components.common.base.worker_threads import worker_threads


def test_end_waits_for_the_threads_and_what_was_not_begun_is_left() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), []

    def work(number: int) -> None:
        begun.set()
        may_end.wait(10)
        done.append(number)

    with worker_threads(1, "worker-of-test") as pool:
        for number in range(3):
            pool.submit(work, number)
        assert begun.wait(10)
        threading.Timer(0.05, may_end.set).start()
    assert done == [0]
    assert not [one for one in threading.enumerate() if one.name.startswith("worker-of-test")]


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
