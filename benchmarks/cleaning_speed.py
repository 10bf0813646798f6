"""How fast is `clean` beside CleanVision, and does its memory grow? `make bench-cleaning-speed`.

Both look at the same 1,000 photos of 1600 x 1200 in whole processes that take turns. Ours reads a
dataset and writes one, perceptual hashes and flags included; CleanVision reads a folder, computes
its default issues on two processes and writes nothing. Then ours alone on more, smaller photos.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.cleaning import PEER_SCRIPT, PEERS
from components.common import images
from components.common.class_folders import class_files, list_classes
from components.common.dataset import DatasetWriter
from components.common.photo import Photo
from components.common.step import run_command
from components.download.sources import sample

WIDTH, HEIGHT = 1600, 1200
PHOTOS = 1000
ROUNDS = 3
SIZES = (1_000, 5_000, 20_000)  # photos of 500 x 375, for the memory


def pictures(folder: Path | None) -> list[np.ndarray]:
    """Photos to cut from: a folder's, else rendered ones."""
    if folder is None:
        found = [one.data for one in sample.render_class("fly agaric", 20) if one.fault is None]
    else:
        found = [
            images.to_clean_jpeg(file.read_bytes()).data
            for label in list_classes(folder)
            for file in class_files(folder, label)[:20]
        ]
    return [images.decode(jpeg) for jpeg in found]


def cuts(given: list[np.ndarray], count: int, size: tuple[int, int]) -> Iterator[bytes]:
    """Different photos of one size: parts of the given ones, enlarged."""
    draw = np.random.default_rng(0)
    for number in range(count):
        pixels = given[number % len(given)]
        height, width = pixels.shape[:2]
        top, left = int(draw.integers(0, height // 4)), int(draw.integers(0, width // 4))
        part = pixels[top : top + height * 3 // 4, left : left + width * 3 // 4]
        yield images.encode(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), 90)  # type: ignore[arg-type]


def run(*command: str | Path) -> tuple[float, int]:
    """Run a command; its wall-clock seconds, and its largest resident memory in MB."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(errors.decode(errors="replace")[-2000:])
    return time.monotonic() - started, usage.ru_maxrss // 1024


def clean(dataset: Path, out: Path) -> tuple[float, int]:
    """Our step as a command."""
    out.mkdir()
    places = ("--output", out / "clean", "--rejects", out / "rejects")
    return run(sys.executable, "-m", "components.clean", "--images", dataset, *places)


def compare(given: list[np.ndarray], work: Path) -> None:
    """Photos per second of both, in turn."""
    folder = work / "folder"
    folder.mkdir()
    with DatasetWriter(work / "dataset") as writer:
        for number, jpeg in enumerate(cuts(given, PHOTOS, (WIDTH, HEIGHT))):
            (folder / f"{number}.jpg").write_bytes(jpeg)
            writer.add(Photo("fly agaric"), jpeg)
    python = PEERS / "cleanvision" / "bin" / "python"
    ours, theirs = [], []
    for turn in range(ROUNDS):
        ours.append(PHOTOS / clean(work / "dataset", work / f"out-{turn}")[0])
        if python.exists():
            theirs.append(PHOTOS / run(python, PEER_SCRIPT, "cleanvision", folder)[0])
    print(f"{PHOTOS} photos of {WIDTH} x {HEIGHT}, whole processes, median (least to most)")
    for name, rates in (("ours", ours), ("CleanVision", theirs)):
        if rates:
            middle = statistics.median(rates)
            print(f"  {name:<12} {middle:6.0f} photos/s ({min(rates):.0f} to {max(rates):.0f})")
    if theirs:
        print(f"  {statistics.median(ours) / statistics.median(theirs):.1f} times as fast")


def grow(given: list[np.ndarray], work: Path) -> None:
    """Memory of our step for more and more photos."""
    print("largest resident memory of ours, photos of 500 x 375")
    for size in SIZES:
        with DatasetWriter(work / f"{size}") as writer:
            for jpeg in cuts(given, size, (500, 375)):
                writer.add(Photo("fly agaric"), jpeg)
        seconds, memory = clean(work / f"{size}", work / f"out-{size}")
        print(f"  {size:>6} photos {memory:>6} MB {size / seconds:6.0f} photos/s", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cleaning_speed")
    parser.add_argument("images", type=Path, nargs="?", help="folder of class folders")
    run_command("cleaning_speed", parser, _command)


def _command(options: argparse.Namespace) -> None:
    given = pictures(options.images)
    with tempfile.TemporaryDirectory() as work:
        compare(given, Path(work))
        grow(given, Path(work))


if __name__ == "__main__":
    main()
