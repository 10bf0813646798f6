"""Row `overhead`: what running as a pipeline costs, beside the same steps called in one process.

The difference, divided by the number of tasks, is what a task costs beside its work: starting an
interpreter, importing libraries anew, the executor, the runner, the display.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator

from benchmarks.speed import materials
from benchmarks.speed.frame import OURS, Check, Row, Way, last_json, run
from benchmarks.speed.materials import SCRIPTS, Bench
from benchmarks.speed.pipeline import cache_without_results, ours

PER_CLASS = 40
TASKS = 9  # of a run on this machine, whatever the number of classes
MOST_S = 1.0


def measure(bench: Bench) -> Iterator[Row]:
    """The row."""
    place, turns = bench.place("overhead"), bench.turns()
    folder = materials.class_folder(bench, place / "photos", bench.count(PER_CLASS, 20))
    classes = sum(1 for _ in folder.iterdir())
    cache = cache_without_results(bench, place / "cache")
    steps: list[tuple[str, float]] = []

    def in_one_process() -> float:
        shutil.rmtree(cache / "bottlenecks", ignore_errors=True)
        script = SCRIPTS / "one_process.py"
        request = next(iter(sorted((place / "runs").glob("2*/request.json"))))
        # A place to publish in that is as empty as that of the pipeline's own run.
        content = json.loads(request.read_text())
        content["arguments"]["publish_dir"] = str(bench.place("published"))
        given = bench.place("request") / "request.json"
        given.write_text(json.dumps(content))
        variables = {"PYTHONPATH": os.getcwd()}
        ran = run(sys.executable, script, given, bench.place("steps"), variables=variables)
        said = last_json(ran.output)
        steps[:] = said["steps"]
        return float(said["seconds"])

    def as_pipeline() -> float:
        published = bench.place("published")
        return ours(
            folder, cache, place / "runs", bench.architecture, "--publish_dir", str(published)
        )

    as_pipeline()  # writes the request, and warms up
    ways = [
        Way("ours: make run", as_pipeline, OURS),
        Way("the steps in one process", in_one_process),
    ]
    series = turns.measure(ways)
    each = sorted(
        (whole - alone) / TASKS
        for whole, alone in zip(series[0].seconds, series[1].seconds, strict=True)
    )[len(series[0].seconds) // 2]
    slowest = sorted(steps, key=lambda one: -one[1])[:4]
    yield Row(
        f"overhead · {TASKS} tasks, {classes} × {bench.count(PER_CLASS, 20)} photos",
        series=series,
        checks=(Check("a task, beside its work", each, MOST_S, "s"),),
        notes=("in one process: " + ", ".join(f"{name} {took:.1f} s" for name, took in slowest),),
        load=turns.load(),
    )
