"""Does `curate` select among a million photos on one machine? `make bench-million IMAGES=folder`.

Photos are made up (`benchmarks.made_up`): bottlenecks on the disk, rows of the manifest, and for
every tenth photo a copy that was resized, turned, cut or tilted. Then, in a process of its own, the
bottlenecks are loaded, the photos selected and the facts written: all of `curate` but reading and
writing photos. Prints minutes, processor time, memory, the share of the planted copies that was
found, and pairs that are none; up to 100,000 photos also with a search among all pairs. A million
takes 20 GB of disk meanwhile.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_up import ORIGINAL, Plan, Real, write
from benchmarks.speed import frame
from benchmarks.speed.growth import Point, exponent
from benchmarks.speed.materials import Bench
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.common.dataset import label_check, nearest
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import Decisions
from components.common.network import bottlenecks
from components.curate import facts, selection, subject
from components.curate.facts import CURATE, Entry
from components.curate.options import Division

SIZES = "1000,10000,100000,1000000"
ALL_PAIRS_UP_TO = 100_000
EXPONENT_FROM = 10_000  # photos; of fewer, most of the time does not depend on their number
MOST_EXPONENT = 1.3  # 1 is linear, 2 all pairs
MOST_MB = 16_000
ALL_PAIRS = ", all pairs compared"
LOOK_EVERY_S = 0.2


class Clock:
    """How long parts of the work took, in seconds and processor seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Times the block."""
        before = time.monotonic(), processor_s()
        yield
        self.seconds[name] = time.monotonic() - before[0], processor_s() - before[1]

    @contextmanager
    def calls(self, owner: Any, function: str, name: str) -> Iterator[list[Any]]:
        """Times a function of a module while the block runs; keeps what it returns."""
        real, returned = getattr(owner, function), []

        def timed(*args: Any, **options: Any) -> Any:
            with self(name):
                returned.append(real(*args, **options))
            return returned[-1]

        setattr(owner, function, timed)
        try:
            yield returned
        finally:
            setattr(owner, function, real)


def processor_s() -> float:
    """Processor time of this process until now, of all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mb(field: str) -> int:
    """A field of /proc/self/status in MB.

    `VmHWM` is the most memory that this process ever had, `RssAnon` what it has now without pages
    of files, which the system may take back.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{field}:"))


@contextmanager
def most_anonymous() -> Iterator[list[int]]:
    """The most memory without pages of files while the block runs, in MB, in its only entry."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            most[0] = max(most[0], resident_mb("RssAnon"))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def measure(folder: Path, plan: Plan) -> dict[str, Any]:
    """Select among the photos of a folder, in this process."""
    clock = Clock()
    with (
        clock.calls(selection, "near_copies", "near copies") as near,
        clock.calls(subject, "judge", "subject"),
        clock.calls(label_check, "judge_labels", "labels"),
        most_anonymous() as anonymous,
        clock("all"),
    ):
        with clock("load"):
            vectors = bottlenecks.load(folder / "bottlenecks")
        with clock("rows of the manifest"):
            photos = plan.photos()
        with clock("selection"):
            selected = selection.select(photos, vectors, Division(), {}, Decisions())
        with clock("facts"):
            write_facts(folder, selected)
    left, right = np.array(near[0]).reshape(-1, 2).T
    is_right = plan.roots[left] == plan.roots[right]
    found = np.zeros(len(plan.roots), bool)
    found[left[is_right]] = found[right[is_right]] = True
    return {
        "stages": clock.seconds,
        "peak_mb": resident_mb("VmHWM"),
        "anonymous_mb": anonymous[0],
        "found": {
            kind: float(found[plan.kinds == kind].mean())
            for kind in dict.fromkeys(plan.kinds.tolist())
            if kind != ORIGINAL
        },
        "pairs": len(left),
        "wrong": int((~is_right).sum()),
    }


def write_facts(folder: Path, selected: selection.Selection) -> None:
    """What `curate` writes of them."""
    entries = [Entry(judged, CURATE, "", key[0]) for key, judged in selected.photos.items()]
    content = facts.summary(entries, selected, ClassFacts(), [])
    facts.write(folder / "facts", entries, content)


def lines(count: int, way: str, figures: dict[str, Any]) -> Iterator[str]:
    """Of one measurement."""
    seconds, used = figures["stages"]["all"]
    yield (
        f"{count:>9,} photos{way}: {seconds / 60:.1f} min, {used:,.0f} s of processor time, "
        f"{figures['peak_mb']:,} MB, {figures['anonymous_mb']:,} MB of them no pages of files"
    )
    parts = figures["stages"].items()
    yield "    " + ", ".join(f"{name} {wall:,.1f} s ({used:,.1f})" for name, (wall, used) in parts)
    yield "    found: " + ", ".join(
        f"{kind} {share:.4f}" for kind, share in figures["found"].items()
    )
    yield f"    {figures['pairs']:,} pairs, {figures['wrong']:,} of them of different photos"


def ways(count: int) -> dict[str, list[str]]:
    """How so many photos are selected, with the options for that."""
    if nearest.ALL_PAIRS_UP_TO < count <= ALL_PAIRS_UP_TO:
        return {"": [], ALL_PAIRS: ["--all_pairs"]}
    return {"": []}


def measured(count: int, real: Real, work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make so many photos, and select among them in each way."""
    with tempfile.TemporaryDirectory(dir=work) as made:
        plan = Plan.of(count, real)
        plan.save(Path(made))
        before = time.monotonic()
        write(Path(made) / "bottlenecks", plan, real)
        print(f"{count:>9,} photos: made in {time.monotonic() - before:,.0f} s", flush=True)
        for way, options in ways(count).items():
            command = (sys.executable, "-m", "benchmarks.million", "--measure", made, *options)
            ran = frame.run(*command, variables={"PYTHONPATH": os.getcwd()})
            yield way, frame.last_json(ran.output)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("images", nargs="*", type=Path, help="folders of class folders of photos")
    parser.add_argument("--photos", default=SIZES, help="how many (default: %(default)s)")
    parser.add_argument("--work", type=Path, help="where the photos are made (default: temporary)")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--measure", type=Path, help="photos that were made, to select among")
    parser.add_argument("--all_pairs", action="store_true", help="of them, all are compared")
    run_command("benchmarks.million", parser, _command)


def _command(options: argparse.Namespace) -> int:
    if options.measure:
        if options.all_pairs:
            nearest.ALL_PAIRS_UP_TO = sys.maxsize
        print("\n" + json.dumps(measure(options.measure, Plan.load(options.measure))))
        return 0
    files = [pair for folder in options.images for pair in Bench(folder).files]
    if not files:
        raise InputError("name folders of class folders of real photos")
    real = Real.of(Bench(options.images[0]).network, files)
    points, figures = [], []
    for count in map(int, options.photos.split(",")):
        for way, found in measured(count, real, options.work):
            print("\n".join(lines(count, way, found)), flush=True)
            figures.append({"photos": count, "way": way, **found})
            if not way and count >= EXPONENT_FROM:
                points.append(Point(count, found["stages"]["all"][1], found["peak_mb"]))
    grown = exponent(points) if len(points) > 1 else None
    if grown is not None:
        print(f"processor time grows as photos ^ {grown:.2f}, from {EXPONENT_FROM:,} photos on")
    options.output.mkdir(parents=True, exist_ok=True)
    content = {"machine": frame.machine(), "exponent": grown, "figures": figures}
    (options.output / "million.json").write_text(json.dumps(content, indent=2) + "\n")
    too_fast = grown is not None and grown > MOST_EXPONENT
    return int(too_fast or any(one["peak_mb"] > MOST_MB for one in figures))


if __name__ == "__main__":
    main()
