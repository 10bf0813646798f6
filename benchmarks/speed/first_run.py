"""Row `first`: the first `make run` on a fresh machine: where each second goes.

A clone without an environment, with empty caches of ours and of uv; what is in the working tree and
not committed is not in it. Fetches packages and weights from wherever this machine's are from.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.frame import Check, Row, Series, run
from benchmarks.speed.materials import Bench

MOST_S = 120.0  # README.md: about a minute, longer on a slow connection
# What tells the lines of the Makefile's recipes apart.
LINES = {
    "-m venv": "make the virtual environment",
    "-m pip install": "install uv by pip",
    "uv pip sync": "fetch and install packages",
    "-m compileall": "compile bytecode",
    "pipeline.py run": "pipeline.py run",
}
IMPORTS = ("numpy", "cv2", "pyarrow.parquet", "kfp", "sklearn", "tensorflow", "keras")


def measure(bench: Bench) -> Iterator[Row]:
    """The row: one run, for it takes minutes."""
    turns, place = bench.turns(), bench.place("first")
    clone, caches, lines = place / "clone", place / "caches", place / "lines.tsv"
    subprocess.run(["git", "clone", "--quiet", Path.cwd(), clone], check=True)
    shell = Path(__file__).with_name("timed_shell.sh").resolve()
    variables = {
        "MUSHROOM_TIMED_SHELL": str(lines),
        "XDG_CACHE_HOME": str(caches),
        "UV_CACHE_DIR": str(caches / "uv"),
    }
    whole = run("make", f"SHELL={shell}", "run", folder=clone, variables=variables)
    series = [Series("make run, the whole", "ours", (whole.seconds,))]
    for started, ended, line in (one.split("\t") for one in lines.read_text().splitlines()):
        for text, name in LINES.items():
            if text in line:
                series.append(Series(f"  {name}", "ours", (float(ended) - float(started),)))
                break
    events = sorted((clone / "runs").glob("2*/events.jsonl"))[-1]
    steps: dict[str, float] = {}
    for event in map(json.loads, events.read_text().splitlines()):
        if event["event"] == "finished":
            steps[event["step"]] = steps.get(event["step"], 0.0) + event["seconds"]
    python = clone / ".venv" / "bin" / "python"
    imports = {name: run(python, "-c", f"import {name}").seconds for name in IMPORTS}
    bare = run(python, "-c", "").seconds
    yield Row(
        "first · make run on a fresh machine, sample pictures",
        series=tuple(series),
        checks=(Check("the whole", whole.seconds, MOST_S, "s"),),
        notes=(
            "steps: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in steps.items()),
            f"imports: python {bare:.2f} s, "
            + ", ".join(f"{name} {seconds - bare:.2f} s" for name, seconds in imports.items()),
            f"{sys.version_info.major}.{sys.version_info.minor}; one run",
        ),
        load=turns.load(),
    )
