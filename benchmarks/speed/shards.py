"""Row `shards`: writing photos into a dataset and streaming them, beside other ways to keep them.

Ours hashes every photo by SHA-256 as it writes, and checks the hash as it reads; TFRecord checks
its CRC-32C; loose files and webdataset check nothing. What is read lies in the page cache.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed import materials
from benchmarks.speed.frame import OURS, Row, Way, last_json, run
from benchmarks.speed.materials import PEERS, SCRIPTS, Bench

PER_CLASS = 600
TARGET = 1.0
WEBDATASET = PEERS / "webdataset" / "bin" / "python"


def shards(way: str, action: str, source: Path, place: Path) -> dict[str, float]:
    """Run one way in its own environment; what it says."""
    python = WEBDATASET if way == "webdataset" else sys.executable
    variables = {"PYTHONPATH": os.getcwd()}
    ran = run(python, SCRIPTS / "shards.py", way, action, source, place, variables=variables)
    said: dict[str, float] = last_json(ran.output)
    return said


def measure(bench: Bench) -> Iterator[Row]:
    """A row for writing, one for reading."""
    place = bench.place("shards")
    source = materials.class_folder(bench, place / "photos", bench.count(PER_CLASS, 20))
    photos = sum(1 for _ in source.rglob("*.jpg"))
    names = {
        "ours": "ours",
        "files": "loose files",
        "hashed": "loose files, hashed as ours",
        "tfrecord": "TFRecord",
    }
    notes = ["ours: SHA-256 of every photo; TFRecord: CRC-32C; the others check nothing"]
    if WEBDATASET.exists():
        names["webdataset"] = "webdataset"
    else:
        notes.append("NOT MEASURED: webdataset is not installed (make peers)")

    def write(way: str) -> float:
        shutil.rmtree(place / way, ignore_errors=True)
        os.sync()  # what another way has left to the disk is not to be waited for in this one
        said = shards(way, "write", source, place / way)
        return said["seconds"]

    def read(way: str) -> float:
        said = shards(way, "read", source, place / way)
        if said["photos"] != photos:
            raise RuntimeError(f"{way} gave {said['photos']} of {photos} photos")
        return said["seconds"]

    for title, work in (("written", write), ("streamed", read)):
        turns = bench.turns()
        ways = [
            Way(
                name,
                lambda way=way, work=work: work(way),  # type: ignore[misc]
                OURS if way == "ours" else "peer",
                None if way in ("ours", "hashed") else TARGET,
            )
            for way, name in names.items()
        ]
        series = turns.measure(ways)
        name = f"shards · {photos} photos {title}"
        yield Row(name, photos, "photos/s", series, notes=tuple(notes), load=turns.load())
