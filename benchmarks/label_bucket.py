"""Does labelling a bucket survive kills, stay small, and how fast is it? `… label_bucket MODEL`.

Photos that are cut out of real ones and encoded anew go to a SeaweedFS on 127.0.0.1 and to a
folder. Then, each in processes of its own:

- the bucket is labelled, killed twice (SIGKILL) and resumed: each photo must be answered once;
- the bucket and the folder are labelled without a kill: photos a second, and memory over time.

Store and command share the machine's cores. Exit status 1 where a photo was lost or answered twice,
or where memory grew by more than a tenth after the first fifth of the photos.
"""

import argparse
import contextlib
import csv
import importlib
import io
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serve_load import resident_mb
from benchmarks.speed.materials import Bench, cuts
from components.common.base.errors import WorkError
from components.common.base.step import run_command
from components.common.base.worker_threads import map_in_threads
from components.label_image.job import Answers

ROOT = Path(__file__).parents[1]
POLL_S = 0.25
SETTLED = 0.2  # share of the photos after which buffers and memory pools are full
MAX_GROWTH = 0.1
KILLS = (1 / 3, 2 / 3)  # shares of the parts after which it is killed
PUT_THREADS = 8


@dataclass(frozen=True)
class Watched:
    """A process that has ended.

    Attributes:
        seconds: that it took.
        memory: (share of the parts that were there, MB) over time.
    """

    seconds: float
    memory: list[tuple[float, float]]

    def at(self, share: float) -> float:
        """Memory in MB when so many of the parts were there."""
        return next((size for done, size in self.memory if done >= share), self.memory[-1][1])

    @property
    def growth(self) -> float:
        """By how much memory grew once it had settled, as a share."""
        after = [size for done, size in self.memory if done >= SETTLED]
        return after[-1] / after[0] - 1 if after else 0.0


def store_of_tests(folder: Path) -> Any:
    """The S3 server that the tests use."""
    sys.path.insert(0, str(ROOT / "tests"))
    return importlib.import_module("object_stores").seaweedfs(folder)


def label(
    options: argparse.Namespace, place: str, output: str, kill_at: float | None = None
) -> Watched:
    """Label a place, and kill the process when a share of the parts is there.

    Raises:
        WorkError: it ended before, or failed.
    """
    command = [sys.executable, "-m", "components.label_image", "--model_dir", options.model_dir]
    command += [place, "--output", output, "--photos_per_part", str(options.per_part)]
    answers, parts = Answers(output), -(-options.photos // options.per_part)
    memory = []
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=said, stderr=said) as process,
    ):
        while process.poll() is None:
            time.sleep(POLL_S)
            share = sum(name.startswith("part-") for name in answers.names()) / parts
            with contextlib.suppress(OSError, AssertionError):  # it has just ended
                memory.append((share, resident_mb(process.pid)))
            if kill_at is not None and share >= kill_at:
                process.kill()
        seconds = time.monotonic() - started
        if process.returncode != (0 if kill_at is None else -9):
            said.seek(0)
            raise WorkError(f"it ended with {process.returncode}: {said.read().decode()[-2000:]}")
    return Watched(seconds, memory)


def answered(output: str) -> list[str]:
    """The names of the photos in all parts, as often as they are there."""
    answers = Answers(output)
    names = sorted(name for name in answers.names() if name.startswith("part-"))
    texts = (answers.read(name, max_bytes=2**30).decode() for name in names)
    return [row["file"] for text in texts for row in csv.DictReader(io.StringIO(text))]


def fill(options: argparse.Namespace, folder: Path, store: Any) -> int:
    """Make the photos, in the folder and in the store; their bytes."""

    def keep(numbered: tuple[int, bytes]) -> int:
        number, data = numbered
        name = f"{number % 10}/{number:06}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        store.put(f"photos/{name}", data)
        return len(data)

    with Bench(options.images) as bench:
        pixels = [one for some in bench.pixels().values() for one in some]
        made = enumerate(cuts(pixels, options.photos))
        return sum(map_in_threads(keep, made, threads=PUT_THREADS, ahead=2 * PUT_THREADS))


def tell(name: str, photos: int, one: Watched) -> None:
    """Print how fast a process was, and its memory over time."""
    print(f"{name}    {photos / one.seconds:.0f} photos/s, {one.seconds:.1f} s with the start")
    shares = ", ".join(f"{share:.0%} {one.at(share):.0f} MB" for share in (0.2, 0.5, 0.8, 0.99))
    print(f"  memory  at {shares}; growth {100 * one.growth:+.1f} %", flush=True)


def measure(options: argparse.Namespace) -> int:
    """Run it, print what came out, and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="mushroom-bench-") as scratch:
        work = Path(scratch)
        (work / "store").mkdir()
        with store_of_tests(work / "store") as store:
            size = fill(options, work / "photos", store)
            print(f"photos    {options.photos} of 500 x 375, {size / 1e6:.0f} MB")
            bucket, output = f"{store.prefix}/photos", f"{store.prefix}/answers"
            kept = []
            for share in KILLS:
                label(options, bucket, output, share)
                kept.append(len(answered(output)))
            label(options, bucket, output)
            found = answered(output)
            lost, twice = options.photos - len(set(found)), len(found) - len(set(found))
            told = json.loads(Answers(output).read("summary.json"))
            print(f"kills     after {' and '.join(map(str, kept))} answers, then to the end")
            print(f"answers   {len(found)}: {lost} lost, {twice} twice, {told['failed']} failed")
            whole = label(options, bucket, f"{output}-whole")
            tell("bucket", options.photos, whole)
            local = label(options, str(work / "photos"), str(work / "answers"))
            tell("folder", options.photos, local)
    grew = max(whole.growth, local.growth) > MAX_GROWTH
    if grew:
        print(f"failed: memory grew by more than {100 * MAX_GROWTH:.0f} %")
    return int(bool(lost or twice) or grew)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_bucket", description=__doc__)
    parser.add_argument("model_dir", help="the model")
    parser.add_argument("--images", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--photos", type=int, default=5000, help="that are made of them")
    parser.add_argument("--per_part", type=int, default=250, help="photos of a part")
    run_command("label_bucket", parser, measure)


if __name__ == "__main__":
    main()
