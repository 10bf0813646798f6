"""Row `pipeline`: 5 x 250 photos from a raw folder to a report, beside the tutorial's two ways."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed import materials
from benchmarks.speed.frame import LIMIT, OURS, Row, Way, last_json, run
from benchmarks.speed.materials import SCRIPTS, Bench
from components.common.network import backbone, weights
from components.common.network.architecture import PIPELINE_ARCHITECTURE, parse_architecture

PER_CLASS, DEMO = 250, 50
STEPS, DEFAULT_STEPS = 500, 4000  # of the tutorial, and of retrain.py without options
KERAS_TARGET, ORIGINAL_TARGET = 3.0, 5.0


def cache_without_results(bench: Bench, place: Path) -> Path:
    """A cache with weights and conversions, and no bottlenecks."""
    bench.network  # noqa: B018 - converts where that was not done yet
    backbone.load_backbone(PIPELINE_ARCHITECTURE, bench.cache)
    place.mkdir()
    for name in ("weights", "backbones"):
        (place / name).symlink_to(bench.cache / name)
    return place


def ours(folder: Path, cache: Path, runs: Path, architecture: str, *options: str) -> float:
    """The pipeline as `make run` starts it, with this network; its seconds.

    Nothing is cached, and nothing is published that the model would be compared with.
    """
    for former in (cache / "bottlenecks", runs):
        shutil.rmtree(former, ignore_errors=True)
    places = ("--image_dir", folder, "--cache_dir", cache, "--runs_dir", runs)
    network = ("--architecture", architecture)
    return run(sys.executable, "pipeline.py", "run", *places, *network, *options).seconds


def split(folder: Path, place: Path, demo: int) -> tuple[Path, Path]:
    """Links to the photos as the scripts want them: for training, and for the demo."""
    for file in sorted(folder.rglob("*.jpg")):
        part = "demo" if int(file.stem) < demo else "training"
        (place / part / file.parent.name).mkdir(parents=True, exist_ok=True)
        (place / part / file.parent.name / file.name).symlink_to(file)
    return place / "training", place / "demo"


def measure(bench: Bench) -> Iterator[Row]:
    """The row."""
    place, turns = bench.place("pipeline"), bench.turns()
    per_class = bench.count(PER_CLASS, 20)
    folder = materials.class_folder(bench, place / "photos", per_class)
    photos = sum(1 for _ in folder.rglob("*.jpg"))
    cache = cache_without_results(bench, place / "cache")
    training, demo = split(folder, place / "split", bench.count(DEMO, 4))
    weights_file = weights.cache_file(parse_architecture(bench.architecture), bench.cache)
    graph = place / "bottleneck.pb"
    local = {"PYTHONPATH": os.getcwd()}
    run(
        sys.executable,
        SCRIPTS / "bottleneck_graph.py",
        *(weights_file, bench.architecture, graph),
        variables=local,
    )
    said: dict[str, dict[str, Any]] = {}

    def keras_script() -> float:
        given = (training, demo, weights_file, bench.architecture)
        ran = run(sys.executable, SCRIPTS / "keras_tutorial.py", *given, variables=local)
        said["keras"] = last_json(ran.output)
        return ran.seconds

    def original() -> float:
        text_files = bench.place("text")
        given = (training, demo, graph, str(STEPS), text_files)
        ran = run(sys.executable, SCRIPTS / "original.py", *given)
        said["original"] = last_json(ran.output)
        shutil.rmtree(text_files)
        return ran.seconds

    def vectors_only() -> float:
        given = ("ours", folder, weights_file, bench.architecture, bench.cache)
        script = SCRIPTS / "bottlenecks.py"
        return run(sys.executable, script, *given, variables=local).seconds

    ways = [
        Way(
            f"ours: make run, {bench.architecture}",
            lambda: ours(folder, cache, place / "runs", bench.architecture),
            OURS,
        ),
        Way(
            f"ours: make run, {PIPELINE_ARCHITECTURE}",
            lambda: ours(folder, cache, place / "runs", PIPELINE_ARCHITECTURE),
            rounds=2,
        ),
        Way("Keras guide's script, 20 epochs", keras_script, least=KERAS_TARGET, rounds=2),
        Way(f"the original's way, {STEPS} steps", original, least=ORIGINAL_TARGET, rounds=2),
        Way("files to vectors alone, nothing else", vectors_only, LIMIT),
    ]
    series = turns.measure(ways)
    real = min(len(bench.files), photos)
    fastest = min(series[-1].seconds)
    notes = [
        f"{real} real photos, {photos - real} of two real ones beside one another; ours also "
        "cleans, looks for copies, measures, explains and writes every form of the model",
        *(f"{name}: {_parts(one['seconds'])}" for name, one in said.items()),
        f"a run that did nothing but the vectors would be {min(series[-2].seconds) / fastest:.1f} "
        "times as fast as the original's way",
        f"with retrain.py's own {DEFAULT_STEPS:,} steps the original's training would take "
        f"{said['original']['seconds']['training'] * DEFAULT_STEPS / STEPS:.0f} s",
    ]
    yield Row(
        f"pipeline · {photos} photos, raw folder to report, results not cached",
        photos,
        "photos/s",
        series,
        notes=tuple(notes),
        load=turns.load(),
    )


def _parts(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
