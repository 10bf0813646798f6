"""How long a run of many photos takes on a cluster: `make bench-scale IMAGES=folder`.

A simulation of the pipeline's tasks, of what each fetches and stores, and of the nodes that they
run on. What a task takes by itself is measured here: whole runs of few photos give for each step
the seconds that do not depend on their number, and those of each photo. Then the simulation is
checked: it must tell how long runs of more photos take on this machine, which are made as well.
Prints both, and then the times on N nodes of a million photos.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.speed import frame
from benchmarks.speed.materials import Bench, joined
from components.common.base.step import EVENTS_VARIABLE, run_command
from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.photo import Photo

FITTED, CHECKED = (500, 2_000), (1_000, 10_000, 100_000)
CLASSES, PARTS = 5, 4
IN_PARTS = ("clean", "bottleneck")
AFTER = ("curate", "retrain", "tensorboard", "evaluate", "label_image", "publish")
NODES = (1, 4, 16, 64)
# Of a cluster: 1 Gbit/s for each node, and what a pod of KFP 2.17 costs before it works.
BYTES_PER_S, POD_S, LOOP_S = 120e6, 20.0, 20.0
PHOTO_BYTES, ROW_BYTES, VECTOR_BYTES = 58_000, 300, 7_200  # of each photo, as packed and as found

_RUN = """
import json, sys
import pipeline
from kfp import local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
pipeline.build(photos="dataset", parts=int(sys.argv[2]))(**json.loads(sys.argv[3]))
"""


@dataclass(frozen=True)
class Line:
    """Seconds of a step: `start` + `each` for every photo."""

    start: float
    each: float

    def of(self, photos: float) -> float:
        """Its seconds."""
        return self.start + self.each * photos


@dataclass(frozen=True)
class Cluster:
    """What the tasks run on.

    Attributes:
        nodes: machines like the one that the steps were measured on; each has one pod at a time.
        bytes_per_s: that a node sends or receives.
        pod_s: seconds before a pod works.
        loop_s: seconds of a loop, besides its pods.
    """

    nodes: int = 1
    bytes_per_s: float = BYTES_PER_S
    pod_s: float = POD_S
    loop_s: float = LOOP_S


HERE = Cluster(bytes_per_s=float("inf"), pod_s=0, loop_s=0)


def simulate(
    steps: Mapping[str, Line], photos: int, parts: int, cluster: Cluster, selected: int
) -> dict[str, float]:
    """Seconds of a run: until the last part is done, and of each step after that.

    Args:
        steps: what each takes.
        photos: of the run.
        parts: that are cleaned, and their bottlenecks computed, by pods of their own.
        cluster: what on.
        selected: photos that are trained or measured on.
    """
    share = photos / parts
    moved = {  # bytes in and out
        "clean": 2 * share * PHOTO_BYTES,
        "bottleneck": share * (PHOTO_BYTES + VECTOR_BYTES),
        "curate": photos * (ROW_BYTES + VECTOR_BYTES) + selected * 2 * PHOTO_BYTES,
        **dict.fromkeys(("retrain", "evaluate", "label_image"), selected * PHOTO_BYTES),
    }

    def pod(step: str, count: float) -> float:
        transfer = moved.get(step, 0.0) / cluster.bytes_per_s
        return cluster.pod_s + steps[step].of(count) + transfer

    free = [0.0] * cluster.nodes  # when each node has nothing to do
    waiting = [(0.0, part, 0) for part in range(parts)]  # since when, which part, which step of it
    ended = 0.0
    while waiting:
        ready, part, number = heapq.heappop(waiting)
        done = max(ready, heapq.heappop(free)) + pod(IN_PARTS[number], share)
        heapq.heappush(free, done)
        ended = max(ended, done)
        if number + 1 < len(IN_PARTS):
            heapq.heappush(waiting, (done, part, number + 1))
    seconds = {"parts": ended + (cluster.loop_s if parts > 1 else 0)}
    seconds |= {step: pod(step, photos if step == "curate" else selected) for step in AFTER}
    if cluster.nodes > 1:  # these two do not wait for one another
        shorter = min("evaluate", "label_image", key=seconds.__getitem__)
        seconds[shorter] = 0.0
    return seconds


def fitted(
    few: Mapping[str, float], many: Mapping[str, float], counts: Sequence[Mapping[str, int]]
) -> dict[str, Line]:
    """The line of each step through two measurements.

    Args:
        few: seconds by step of the run of fewer photos.
        many: seconds by step of that of more.
        counts: photos that each step works on, of the two runs.
    """
    lines = {}
    for step, seconds in few.items():
        wide = counts[1][step] - counts[0][step]
        each = max(0.0, (many[step] - seconds) / wide) if wide else 0.0
        lines[step] = Line(max(0.0, seconds - each * counts[0][step]), each)
    return lines


def selected_of(photos: int) -> int:
    """Photos that are trained or measured on: at most 250 of a class."""
    return min(photos, CLASSES * 250)


def counts_of(photos: int) -> dict[str, int]:
    """Photos that each step works on."""
    few = dict.fromkeys(AFTER, selected_of(photos))
    return {**few, **dict.fromkeys((*IN_PARTS, "curate"), photos)}


def packed(bench: Bench, place: Path, photos: int) -> Path:
    """A dataset of different photos in classes, as `submit` packs a folder."""
    given = list(bench.pixels(40).values())
    made = [joined(pixels, photos) for pixels in given[:CLASSES]]
    with DatasetWriter(place) as writer:
        for number in range(photos):
            label = number % len(made)
            writer.add(Photo(f"class {label}"), next(made[label]))
    return place


def run(bench: Bench, photos: int, parts: int) -> tuple[float, dict[str, float]]:
    """A run of so many photos on this machine: its seconds, and those of each step."""
    with tempfile.TemporaryDirectory(dir=bench.work) as scratch:
        root = Path(scratch)
        dataset = packed(bench, root / "dataset", photos)
        cache = root / "cache"
        cache.mkdir()
        bench.network  # noqa: B018 - converts where that was not done yet
        for name in ("weights", "backbones"):
            (cache / name).symlink_to(bench.cache / name)
        (root / "artifacts").mkdir()
        (root / "artifacts" / "log.txt").touch()
        told = {
            "dataset_uri": str(dataset),
            "architecture": bench.architecture,
            "step_bottleneck": {"cache_dir": str(cache)},
            "step_retrain": {"cache_dir": str(cache)},
            "step_publish": {"publish_dir": str(root / "published")},
        }
        words = [sys.executable, "-c", _RUN, str(root / "artifacts"), str(parts), json.dumps(told)]
        events = root / "events.jsonl"
        started = time.perf_counter()
        with open(root / "artifacts" / "log.txt", "a") as log:
            subprocess.run(
                words,
                check=True,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, EVENTS_VARIABLE: str(events)},
            )
        seconds = time.perf_counter() - started
        ended = [json.loads(line) for line in events.read_text().splitlines()]
    steps: dict[str, float] = {}
    for event in ended:
        if event["event"] == "finished":
            steps[event["step"]] = steps.get(event["step"], 0.0) + event["seconds"]
    # What kfp.local and the processes' starts take belongs to the steps, in equal shares.
    rest = (seconds - sum(steps.values())) / len(steps) if parts == 1 else 0.0
    return seconds, {step: value + rest for step, value in steps.items()}


def checked(bench: Bench) -> Iterator[tuple[int, float, float]]:
    """Photos, seconds as simulated, and as measured, of runs of more and more photos."""
    few, many = (run(bench, bench.count(photos, 100), 1)[1] for photos in FITTED)
    counts = [counts_of(bench.count(photos, 100)) for photos in FITTED]
    yield from _compare(bench, fitted(few, many, counts))


def _compare(bench: Bench, steps: Mapping[str, Line]) -> Iterator[tuple[int, float, float]]:
    for name, line in steps.items():
        print(f"  {name:<12} {line.start:6.2f} s + {1000 * line.each:6.2f} ms a photo")
    for photos in CHECKED:
        count = bench.count(photos, 100)
        told = simulate(steps, count, PARTS, HERE, selected_of(count))
        measured, _ = run(bench, count, PARTS)
        yield count, sum(told.values()), measured
    print(f"\n{'nodes':>8}{'photos':>12}{'parts':>10}{'curate':>10}{'rest':>8}{'hours':>8}")
    for nodes in NODES:
        for photos in (100_000, 1_000_000):
            parts = max(nodes, photos // 25_000)
            told = simulate(steps, photos, parts, Cluster(nodes), selected_of(photos))
            rest = sum(told[step] for step in AFTER[1:])
            print(
                f"{nodes:>8}{photos:>12,}{told['parts']:>9.0f}s{told['curate']:>9.0f}s{rest:>7.0f}s"
                f"{sum(told.values()) / 3600:>8.2f}"
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("images", type=Path, help="folder of class folders of real photos")
    parser.add_argument("--share", type=float, default=1.0, help="of the photos, for a quick look")
    run_command("benchmarks.scale", parser, _command)


def _command(options: argparse.Namespace) -> None:
    print(frame.machine(), "load", os.getloadavg()[0])
    with Bench(options.images, 1, options.share) as bench:
        errors = []
        for photos, told, measured in checked(bench):
            errors.append(told / measured - 1)
            print(
                f"{photos:>9,} photos: simulated {told:7.1f} s, measured {measured:7.1f} s "
                f"({errors[-1]:+.0%})",
                flush=True,
            )
    print(f"largest error {max(np.abs(errors)):.0%}; load {os.getloadavg()[0]}")


if __name__ == "__main__":
    main()
