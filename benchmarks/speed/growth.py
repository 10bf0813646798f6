"""How time and memory grow with the number of photos: `make bench-growth IMAGES=folder`.

1,000, 10,000 and 100,000 photos of 500 x 375 through `clean`, `curate`'s selection and the shards,
up to 10,000 through `bottleneck`, each in a process of its own. A thousand photos are two real ones
beside one another; the others are these again, with a number written into the quantization table
of their highest frequencies: other bytes, hardly other pixels. Prints a table, and writes it as
JSON and as pictures. Exit status 1 where time grows much faster than the photos.
"""

import argparse
import itertools
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.speed import frame, materials
from benchmarks.speed.clean import clean
from benchmarks.speed.frame import Ran, last_json, run
from benchmarks.speed.materials import SCRIPTS, Bench
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.common.pages import chart, plot
from components.common.pages.chart import Axis, Chart, Line

SIZES = (1_000, 10_000, 100_000)
MOST_BOTTLENECKS = 10_000
DIFFERENT = 1_000
MOST_EXPONENT = 1.15  # 1 is linear
WORK = ("clean", "bottleneck", "curate", "shards")


@dataclass(frozen=True)
class Point:
    """One measurement: photos, seconds, and the process's largest resident memory in MB."""

    photos: int
    seconds: float
    peak_mb: int


def numbered(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes, for numbers below 4^8.

    Two bits each go into the eight last entries of its first quantization table (ITU T.81, annex B:
    marker, length, then precision and name, then 64 entries from low frequencies to high ones).
    """
    table = jpeg.index(b"\xff\xdb") + 5
    changed = bytearray(jpeg)
    for digit in range(8):
        place = table + 63 - digit
        changed[place] = min(changed[place], 250) + (number >> 2 * digit & 3)
    return bytes(changed)


def many(bench: Bench, count: int) -> Iterator[bytes]:
    """So many photos, one at a time."""
    given = list(itertools.chain.from_iterable(bench.pixels().values()))
    different = list(materials.joined(given, min(count, DIFFERENT)))
    for number in range(count):
        yield numbered(different[number % len(different)], number // len(different))


def measure(bench: Bench, chosen: tuple[str, ...]) -> Iterator[tuple[str, Point]]:
    """Points of every curve."""
    bench.network  # noqa: B018 - converts where that was not done yet
    for size in SIZES:
        count = bench.count(size, 100)
        place = bench.place("growth")
        for name, ran in _rounds(bench, count, place, chosen):
            yield name, Point(count, ran.seconds, ran.peak_mb)
        shutil.rmtree(place)


def _rounds(
    bench: Bench, count: int, place: Path, chosen: tuple[str, ...]
) -> Iterator[tuple[str, Ran]]:
    local = {"PYTHONPATH": os.getcwd()}
    dataset, cleaned = place / "dataset", place / "out"
    if {"clean", "bottleneck", "shards"} & set(chosen):
        materials.dataset(dataset, many(bench, count))
    if "shards" in chosen:
        yield (
            "shards, streamed",
            run(sys.executable, SCRIPTS / "stream.py", dataset, variables=local),
        )
    if "clean" in chosen:
        yield "clean", clean(dataset, cleaned)
        shutil.rmtree(cleaned)
    if "bottleneck" in chosen and count <= MOST_BOTTLENECKS:
        cache = place / "cache"
        cache.mkdir()
        for name in ("weights", "backbones"):
            (cache / name).symlink_to(bench.cache / name)
        places = ("--images", dataset, "--output", place / "vectors", "--cache_dir", cache)
        yield "bottleneck", run(sys.executable, "-m", "components.bottleneck", *places)
    if "curate" in chosen:
        script = (sys.executable, "-m", "benchmarks.speed.curate", bench.folder, str(count))
        ran = run(*script)
        yield "curate, selection", Ran(last_json(ran.output), ran.peak_mb, "")


def exponent(points: list[Point]) -> float:
    """Of the growth of time between the first and the last point; 1 is linear."""
    first, last = points[0], points[-1]
    if first.photos == last.photos:
        return 1.0
    return math.log(last.seconds / first.seconds) / math.log(last.photos / first.photos)


def powers_axis(label: str, values: Sequence[float]) -> Axis:
    """A logarithmic axis from one power of 10 to another around values above 0."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [(10.0**power, f"{10.0**power:,g}") for power in range(low, max(high, low + 1) + 1)]
    return Axis(label, ticks[0][0], ticks[-1][0], ticks, logarithmic=True)


def picture(curves: Mapping[str, Sequence[chart.Point]], up: str) -> str:
    """Growth on two logarithmic scales, as an SVG file.

    Args:
        curves: for each name, points (photos, value), all above 0.
        up: what the values are.
    """
    photos, values = zip(*itertools.chain(*curves.values()), strict=True)
    drawn = Chart(
        f"{up} by number of photos: {', '.join(curves)}",
        powers_axis("photos", photos),
        powers_axis(up, values),
        [Line(points, name) for name, points in curves.items()],
    )
    return plot.svg_file(drawn)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.growth", description=__doc__)
    parser.add_argument("images", type=Path, help="folder of class folders of real photos")
    parser.add_argument("--only", default=",".join(WORK), help=f"some of {','.join(WORK)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the photos, for a quick look")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    run_command("benchmarks.speed.growth", parser, _command)


def _command(options: argparse.Namespace) -> int:
    chosen = tuple(name for name in options.only.split(",") if name)
    if unknown := set(chosen) - set(WORK):
        raise InputError(f"no curves called {', '.join(unknown)}: expected {', '.join(WORK)}")
    curves: dict[str, list[Point]] = {}
    load = [os.getloadavg()[0]]
    print(f"{'':<20}{'photos':>10}{'seconds':>10}{'photos/s':>10}{'peak MB':>10}")
    with Bench(options.images, 1, options.share) as bench:
        for name, point in measure(bench, chosen):
            curves.setdefault(name, []).append(point)
            rate = point.photos / point.seconds
            print(
                f"{name:<20}{point.photos:>10,}{point.seconds:>10.1f}{rate:>10.0f}"
                f"{point.peak_mb:>10,}",
                flush=True,
            )
    load.append(os.getloadavg()[0])
    grown = {name: exponent(points) for name, points in curves.items()}
    for name, value in grown.items():
        print(f"{name}: seconds grow as photos ^ {value:.2f}")
    options.output.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": frame.machine(),
        "load": load,
        "curves": {name: [asdict(point) for point in points] for name, points in curves.items()},
        "exponents": grown,
    }
    (options.output / "growth.json").write_text(json.dumps(content, indent=2) + "\n")
    for field, up in (("seconds", "seconds"), ("peak_mb", "largest resident memory, MB")):
        lines = {
            name: [(point.photos, getattr(point, field)) for point in points]
            for name, points in curves.items()
        }
        (options.output / f"growth-{field}.svg").write_text(picture(lines, up))
    return int(any(value > MOST_EXPONENT for value in grown.values()))


if __name__ == "__main__":
    main()
