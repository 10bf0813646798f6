"""Memory and disk that each step needs: `make bench-needs IMAGES=folder`.

20, 200 and 700 photos of two classes, 500 x 375 pixels, through every step, each in a process of
its own; two real photos beside one another where more are needed than there are. Then `clean` on
single photos of many megapixels. Prints the largest resident memory (what the system counts as the
process's: with the libraries' own pages) and what was written.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.speed import materials
from benchmarks.speed.frame import Ran, run
from benchmarks.speed.materials import Bench
from components.common.base.step import run_command
from components.common.dataset.class_folders import list_classes
from components.common.photos import images

SIZES = (20, 200, 700)
MEGAPIXELS = (12, 48, 96)
MB = 1000**2
# The step, which tells its peak in kB at its end. What wait4 says is no less than the peak of this
# process, from which the step's was forked.
TOLD = r"""
import atexit, pathlib, re, runpy, sys
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1], flush=True))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def ran(step: str, *options: str | Path) -> Ran:
    """Run a step in a process of its own."""
    done = run(sys.executable, "-c", TOLD, f"components.{step}", *options)
    return replace(done, peak_mb=int(done.output.split()[-1]) // 1024)


def steps(photos: Path, work: Path, cache: Path) -> Iterator[tuple[str, Ran, Path]]:
    """Run each step; what it is called, how it ran, and the folder that it wrote."""

    def made(step: str, *options: str | Path, name: str = "") -> tuple[str, Ran, Path]:
        out = work / (name or step)
        out.mkdir(parents=True)
        texts = (str(option).replace("OUT", str(out)) for option in options)
        return step, ran(step, *texts), out

    labels = list_classes(photos)
    for label in labels:
        where = ("--source", "folder", "--image_dir", photos, "--cache_dir", cache)
        options: tuple[str | Path, ...] = ("--label", label, "--output", "OUT/images", *where)
        yield made("download", *options, name=f"download-{label}")
    for label in labels:
        options = ("--output", "OUT/images", "--rejects", "OUT/rejects")
        source = work / f"download-{label}" / "images"
        yield made("clean", "--images", source, *options, name=f"clean-{label}")
    cleaned = [work / f"clean-{label}" / "images" for label in labels]
    options = ("--output", "OUT/bottlenecks", "--cache_dir", cache)
    yield made("bottleneck", "--images", *cleaned, *options)
    vectors = work / "bottleneck" / "bottlenecks"
    names = ("training", "demo", "rejects", "ledger", "facts")
    outputs: list[str | Path] = [word for name in names for word in (f"--{name}", f"OUT/{name}")]
    yield made(
        "curate",
        "--images",
        *cleaned,
        "--bottlenecks",
        vectors,
        *outputs,
        "--page",
        "OUT/curation.html",
    )
    training, demo = (work / "curate" / name for name in ("training", "demo"))
    inputs: tuple[str | Path, ...] = (
        "--image_dir",
        training,
        "--bottleneck_dir",
        vectors,
        "--model_dir",
        cache,
    )
    yield made("retrain", *inputs, "--output_dir", "OUT/all")
    model = work / "retrain" / "all" / "model"
    inputs = ("--model_dir", model, "--demo", demo)
    outputs = ["--metrics", "OUT/metrics.json", "--report", "OUT/report.html"]
    yield made("evaluate", *inputs, "--training", training, *outputs)
    outputs = ["--predictions", "OUT/predictions.parquet", "--gallery", "OUT/gallery.html"]
    yield made("label_image", *inputs, *outputs)
    metrics = ("--metrics", work / "evaluate" / "metrics.json", "--min_accuracy", "0")
    yield made("publish", *inputs, *metrics, "--publish_dir", "OUT/published")
    yield made("summarize", "--state", "SUCCEEDED", "--output", "OUT/summary.md")
    (curves,) = (work / "retrain").rglob("curves.json")
    outputs = ["--output", "OUT/link.json", "--page", "OUT/curves.html"]
    yield made("tensorboard", "--logs", curves.parent, "--image", "example/image:1", *outputs)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def large(bench: Bench, megapixels: int) -> Ran:
    """`clean` on four photos of so many megapixels: as many as it has in hand at once."""
    place = bench.place("large")
    pixels = next(iter(bench.pixels(1).values()))[0]
    side = round((megapixels * 1e6) ** 0.5)
    enlarged = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
    jpegs = (images.encode(np.ascontiguousarray(enlarged), quality) for quality in range(80, 84))
    source = materials.dataset(place / "source", jpegs)
    outputs = ("--output", place / "images", "--rejects", place / "rejects")
    return ran("clean", "--images", source, *outputs)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.needs", description=__doc__)
    parser.add_argument("images", type=Path, help="folder of class folders of real photos")
    shown = ",".join(map(str, SIZES))
    parser.add_argument(
        "--photos", default=shown, help="how many, with commas (default: %(default)s)"
    )
    run_command("benchmarks.needs", parser, _command)


def _command(options: argparse.Namespace) -> None:
    print(f"{'step':<14}{'photos':>8}{'memory MB':>11}{'written MB':>12}{'seconds':>9}")
    with tempfile.TemporaryDirectory(prefix="mushroom-needs-") as scratch:
        two = Path(scratch) / "two"
        for label in list_classes(options.images)[:2]:
            shutil.copytree(options.images / label, two / label)
        with Bench(two) as bench:
            bench.network  # noqa: B018 - converts where that was not done yet
            for size in map(int, options.photos.split(",")):
                work = bench.place("needs")
                photos = materials.class_folder(bench, work / "photos", size // 2)
                cache = work / "cache"
                cache.mkdir()
                for name in ("weights", "backbones"):
                    (cache / name).symlink_to(bench.cache / name)
                for step, done, out in steps(photos, work / "steps", cache):
                    written = size_of(out) / MB
                    print(
                        f"{step:<14}{size:>8}{done.peak_mb:>11}{written:>12.1f}{done.seconds:>9.1f}",
                        flush=True,
                    )
                shutil.rmtree(work)
            for megapixels in MEGAPIXELS:
                peak = large(bench, megapixels).peak_mb
                print(f"clean of {megapixels} megapixels: {peak} MB", flush=True)


if __name__ == "__main__":
    main()
