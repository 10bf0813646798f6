"""Speed beside what a user would pick instead: `make bench IMAGES=folder`.

Prints one table, and writes it as JSON and as a picture. Exit status 1 where a target is missed. A
peer that is not installed is named, and its target is left open (`make peers`).
"""

import argparse
import importlib
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.speed import frame
from benchmarks.speed.bars import Bar, bars_file
from benchmarks.speed.frame import Row, Series
from benchmarks.speed.materials import Bench
from components.common.base.errors import InputError
from components.common.base.step import run_command

# In the order in which they run; the modules of this folder of the same names.
ROWS = (
    *("pipeline", "overhead", "clean", "bottleneck", "curate", "head", "fine_tune"),
    *("label", "shards", "first_run"),
)
Measure = Callable[[Bench], Iterator[Row]]


def measures(names: Sequence[str]) -> dict[str, Measure]:
    """The function that measures each row.

    Raises:
        InputError: there is no such row.
    """
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        raise InputError(f"no rows called {', '.join(unknown)}: expected some of {', '.join(ROWS)}")
    return {
        name: importlib.import_module(f"benchmarks.speed.{name}").measure
        for name in ROWS
        if name in names
    }


def measure(bench: Bench, chosen: Mapping[str, Measure], output: Path) -> int:
    """Print the rows as they come, and write them; 1 where a target is missed."""
    machine = frame.machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(frame.header(), flush=True)
    found: list[Row] = []
    for one in chosen.values():
        for row in one(bench):
            found.append(row)
            print("\n".join(frame.table(row)), flush=True)
            # After each row, so that what was measured outlives a failure of a later one.
            write(found, machine, output)
    missed = [name for row in found for name in row.missed]
    print(f"\n{output}/bench.json and bench.svg")
    print("targets missed: " + "; ".join(missed) if missed else "every target is met")
    return int(bool(missed))


def write(rows: Sequence[Row], machine: Mapping[str, object], output: Path) -> None:
    """Write bench.json and bench.svg."""
    output.mkdir(parents=True, exist_ok=True)
    content = {
        "measured": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine,
        "rows": frame.as_json(rows),
        "missed": [name for row in rows for name in row.missed],
    }
    (output / "bench.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    (output / "bench.svg").write_text(picture(rows))


def picture(rows: Sequence[Row]) -> str:
    """A bar for each way, its length the speed beside the fastest of its row, as an SVG file."""
    groups = []
    for row in rows:
        speeds = [1 / statistics.median(series.seconds) for series in row.series]
        bars = [
            Bar(series.name, speed / max(speeds), _remark(series), series.role)
            for series, speed in zip(row.series, speeds, strict=True)
        ]
        if len(bars) > 1:
            groups.append((row.work, bars))
    return bars_file("Speed of each way beside the fastest for the same work", groups)


def _remark(series: Series) -> str:
    if series.ratio is None:
        return ""
    missed = " — target missed" if series.met is False else ""
    return f"ours {series.ratio:.2f} ×{missed}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("images", type=Path, help="folder of class folders of real photos")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is run")
    parser.add_argument("--model", type=Path, help="a trained model, for labelling")
    parser.add_argument("--share", type=float, default=1.0, help="of the work, for a quick look")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    run_command("benchmarks.speed", parser, _command)


def _command(options: argparse.Namespace) -> int:
    chosen = measures([name for name in options.only.split(",") if name])
    if options.rounds < 1 or not 0 < options.share <= 1:
        raise InputError("expected --rounds of 1 or more and --share above 0 and at most 1")
    if not options.images.is_dir():
        raise InputError(f"there is no folder {options.images}")
    with Bench(options.images, options.rounds, options.share, options.model) as bench:
        bench.files  # noqa: B018 - a folder without classes ends the run here
        return measure(bench, chosen, options.output)


if __name__ == "__main__":
    main()
