"""Killed at any moment, a step leaves its outputs whole or absent, and the next try completes them.

The moments are drawn (`faults.faults.seed`). The files that TensorFlow and Keras
date (`faults.steps.DATED`) are compared by their presence, the live logs not at all.
"""

import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.faults import cases, seed
from faults.steps import (
    EVENTS,
    STEPS,
    Workshop,
    command,
    contents,
    environment,
    events,
    finish,
    made_by,
    rests,
)

pytestmark = pytest.mark.long

KILLS = cases(3, 20)  # with each of the two signals
POLL_S = 0.002
LONGEST_S = 30.0  # Kubernetes sends SIGKILL so long after SIGTERM
ENDED = 128 + signal.SIGTERM


@dataclass
class Bench:
    """One step, to be started and killed again and again."""

    step: str
    words: list[str]
    out: Path
    temporary: Path

    def kill(self, number: signal.Signals, after_s: float, *, at_work: bool) -> None:
        """Start the step, send it a signal, and see how it ends.

        Args:
            number: the signal.
            after_s: seconds after the start, or after it is at work.
            at_work: wait until it is.
        """
        (self.temporary / EVENTS).unlink(missing_ok=True)
        process = subprocess.Popen(
            self.words,
            cwd=self.out,
            env=environment(self.temporary),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while at_work and process.poll() is None and not events(self.temporary):
            time.sleep(POLL_S)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        stderr = process.communicate(timeout=LONGEST_S)[1]
        if number == signal.SIGTERM and process.returncode != 0:
            told = {event["event"] for event in events(self.temporary)}
            if "started" not in told or "finished" in told:  # of the interpreter, then of nothing
                assert process.returncode in (ENDED, -signal.SIGTERM), stderr
            else:
                assert process.returncode == ENDED, stderr
            if process.returncode == ENDED:
                assert stderr.splitlines().count("stopped by SIGTERM") == 1, stderr
                assert "Traceback" not in stderr


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_moment_outputs_are_whole_or_absent(
    shop: Workshop, tmp_path: Path, step: str
) -> None:
    draw = random.Random(f"{seed()} {step}")
    calm = contents(made_by(shop, step))
    cache, out, temporary = shop.new_cache(tmp_path / "cache"), tmp_path / "out", tmp_path / "tmp"
    bench = Bench(step, command(shop, step, cache), out, temporary)
    out.mkdir()
    signals = [number for _ in range(KILLS) for number in (signal.SIGKILL, signal.SIGTERM)]
    whole, work = shop.seconds[made_by(shop, step).name]
    for count, number in enumerate(signals[2:]):  # there is no earlier output
        before = set(rests(out))
        at_work = count // 2 % 3 > 0 or KILLS < 4
        bench.kill(number, draw.uniform(0, work if at_work else whole), at_work=at_work)
        seen = contents(out)
        assert seen.items() <= calm.items()  # the copies of retrain are files of their own
        if number == signal.SIGTERM:
            assert set(rests(out)) <= before
    finish(bench.words, out, temporary)
    assert contents(out) == calm
    assert rests(out) + rests(cache) == []
    for number in signals[:2]:  # there is one
        bench.kill(number, draw.uniform(0, whole), at_work=False)
        assert contents(out) == calm
    finish(bench.words, out, temporary)
    assert contents(out) == calm
    assert rests(out) + rests(cache) == []
