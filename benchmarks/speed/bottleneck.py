"""Row `bottleneck`: photo files to feature vectors, beside Keras, and LiteRT on decoded tensors."""

import itertools
import os
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.speed import materials
from benchmarks.speed.frame import LIMIT, OURS, Row, Way, last_json, run
from benchmarks.speed.materials import SCRIPTS, Bench
from components.common.network import backbone, weights
from components.common.network.architecture import PIPELINE_ARCHITECTURE, parse_architecture

PHOTOS = 1000
PREDICT_TARGET, LIMIT_TARGET = 2.0, 0.9


def measure(bench: Bench) -> Iterator[Row]:
    """The row."""
    turns, place = bench.turns(), bench.place("bottleneck")
    count = bench.count(PHOTOS, 64)
    given = list(itertools.chain.from_iterable(bench.pixels().values()))
    for number, data in enumerate(materials.joined(given, count)):
        (place / f"{number:06d}.jpg").write_bytes(data)
    bench.network  # noqa: B018 - converts where that was not done yet
    backbone.load_backbone(PIPELINE_ARCHITECTURE, bench.cache)
    weights_file = weights.cache_file(parse_architecture(bench.architecture), bench.cache)
    first: dict[str, list[float]] = {}
    whole: dict[str, float] = {}

    def way(name: str, architecture: str = bench.architecture) -> float:
        script = SCRIPTS / "bottlenecks.py"
        given = (name, place, weights_file, architecture, bench.cache)
        ran = run(sys.executable, script, *given, variables={"PYTHONPATH": os.getcwd()})
        said = last_json(ran.output)
        if architecture == bench.architecture:
            first[name], whole[name] = said["first"], ran.seconds
        return float(said["seconds"])

    ways = [
        Way("ours", lambda: way("ours"), OURS),
        Way(
            f"ours, {PIPELINE_ARCHITECTURE}",
            lambda: way("ours", PIPELINE_ARCHITECTURE),
        ),
        Way("Keras predict", lambda: way("predict"), least=PREDICT_TARGET),
        Way("tf.function", lambda: way("graph")),
        Way("LiteRT alone, decoded tensors", lambda: way("litert"), LIMIT, LIMIT_TARGET),
    ]
    series = turns.measure(ways)
    alike = np.corrcoef(first["ours"], first["predict"])[0, 1]
    notes = (
        "without imports and loading; whole processes: "
        + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in whole.items()),
        f"correlation of our first vector with Keras's (another decoder and resizing): {alike:.4f}",
    )
    name = f"bottleneck · {count} photo files to vectors, {bench.architecture}"
    yield Row(name, count, "photos/s", series, notes=notes, load=turns.load())
