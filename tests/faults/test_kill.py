"""Killed at any moment, a step leaves its outputs whole or absent, and the next try completes them.

The moments are drawn; the seed is printed when a test fails. The files that TensorFlow and Keras
date (`faults.steps.DATED`) are compared by their presence, the live logs not at all.
"""

import json
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.faults import cases
from faults.steps import STEPS, Workshop, command, contents, environment, finish, made_by, rests

KILLS = cases(3, 20)  # with each of the two signals
LONGEST_S = 30.0  # Kubernetes sends SIGKILL so long after SIGTERM
ENDED = 128 + signal.SIGTERM


@dataclass
class Bench:
    """One step, to be started and killed again and again."""

    step: str
    words: list[str]
    out: Path
    temporary: Path

    def kill(self, number: signal.Signals, after_s: float) -> None:
        """Start the step, send it a signal, and see how it ends."""
        events = self.temporary / "events.jsonl"
        events.unlink(missing_ok=True)
        process = subprocess.Popen(
            self.words,
            cwd=self.out,
            env=environment(self.temporary),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        stderr = process.communicate(timeout=LONGEST_S)[1]
        if number == signal.SIGTERM and process.returncode != 0:
            told = _events(events)
            if "started" not in told or "finished" in told:  # of the interpreter, then of nothing
                assert process.returncode in (ENDED, -signal.SIGTERM), stderr
            else:
                assert process.returncode == ENDED, stderr
            if process.returncode == ENDED:
                assert stderr.splitlines().count("stopped by SIGTERM") == 1, stderr
                assert "Traceback" not in stderr


def _events(path: Path) -> set[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {json.loads(line)["event"] for line in lines}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_moment_outputs_are_whole_or_absent(
    shop: Workshop, tmp_path: Path, step: str
) -> None:
    seed = int(time.time())
    print("seed", seed)  # shown if the test fails
    draw = random.Random(f"{seed} {step}")
    calm = contents(made_by(shop, step))
    cache, out, temporary = shop.new_cache(tmp_path / "cache"), tmp_path / "out", tmp_path / "tmp"
    bench = Bench(step, command(shop, step, cache), out, temporary)
    out.mkdir()
    signals = [number for _ in range(KILLS) for number in (signal.SIGKILL, signal.SIGTERM)]
    seconds = shop.seconds[made_by(shop, step).name]
    for number in signals[2:]:  # there is no earlier output
        before = set(rests(out))
        bench.kill(number, draw.uniform(0, 1) * seconds)
        seen = contents(out)
        assert seen.items() <= calm.items()  # the copies of retrain are files of their own
        if number == signal.SIGTERM:
            assert set(rests(out)) <= before
    finish(bench.words, out, temporary)
    assert contents(out) == calm
    assert rests(out) + rests(cache) == []
    for number in signals[:2]:  # there is one
        bench.kill(number, draw.uniform(0, 1) * seconds)
        assert contents(out) == calm
    finish(bench.words, out, temporary)
    assert contents(out) == calm
    assert rests(out) + rests(cache) == []
