"""Row `clean`: checking and cleaning photos, beside Pillow and CleanVision, and the limit.

Whole processes. Ours reads a dataset and writes one, with hashes and flags; Pillow only says
whether a file loads; CleanVision computes its default issues on two processes and writes nothing.
"""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cleaning import PEER_SCRIPT
from benchmarks.speed import materials
from benchmarks.speed.frame import LIMIT, OURS, Ran, Row, Way, run
from benchmarks.speed.materials import LARGE, MEDIUM, PEERS, SCRIPTS, Bench
from components.common.dataset.dataset import Dataset

SIZES = ((MEDIUM, 2000), (LARGE, 400))
PILLOW_TARGET, CLEANVISION_TARGET, LIMIT_TARGET = 2.0, 3.0, 0.8
PYTHON = PEERS / "cleanvision" / "bin" / "python"


def clean(dataset: Path, out: Path) -> Ran:
    """Our step as a command."""
    places = ("--output", out / "clean", "--rejects", out / "rejects")
    return run(sys.executable, "-m", "components.clean", "--images", dataset, *places)


def measure(bench: Bench) -> Iterator[Row]:
    """A row for each size of photos."""
    for size, number in SIZES:
        turns, place = bench.turns(), bench.place("clean")
        count = bench.count(number, 20)
        given = list(itertools.chain.from_iterable(bench.pixels(20).values()))
        dataset = materials.dataset(place / "dataset", materials.cuts(given, count, size))
        folder = place / "folder"
        folder.mkdir()
        for row, (_, data) in enumerate(Dataset(dataset).stream()):
            (folder / f"{row:06d}.jpg").write_bytes(data)

        def check(how: str, folder: Path = folder) -> float:
            return run(sys.executable, SCRIPTS / "decoding.py", how, folder).seconds

        def cleanvision(folder: Path = folder) -> float:
            return run(PYTHON, PEER_SCRIPT, "cleanvision", folder).seconds

        ways = [
            Way("ours", lambda: clean(dataset, bench.place("out")).seconds, OURS),  # noqa: B023
            Way("Pillow verify + load", lambda: check("pillow"), least=PILLOW_TARGET),
            Way("entropy decoding alone", lambda: check("entropy"), LIMIT, LIMIT_TARGET),
        ]
        notes = []
        if PYTHON.exists():
            ways.append(Way("CleanVision", cleanvision, least=CLEANVISION_TARGET, rounds=2))
        else:
            notes.append("NOT MEASURED: CleanVision is not installed (make peers)")
        yield Row(
            f"clean · {count} photos of {size[0]} × {size[1]}, whole processes",
            count,
            "photos/s",
            turns.measure(ways),
            notes=tuple(notes),
            load=turns.load(),
        )
