"""Row `fine_tune`: fine-tuning with kept activations, beside the whole network in every step.

Both train the same layers on the same draws of the folder's photos, without distortions, from the
frozen layers' first run to the tuned model: a speed counts at equal weights. In one process.
"""

import statistics
import time
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.speed.frame import OURS, Check, Row, Way, timed
from benchmarks.speed.materials import Bench
from components.common.dataset.dataset import Dataset
from components.common.network import backbone, weights_sources
from components.common.network.architecture import (
    DEFAULT_ARCHITECTURE,
    PIPELINE_ARCHITECTURE,
    parse_architecture,
)
from components.common.network.convert import quiet_tensorflow
from components.retrain import export
from components.retrain.finetune import fine_tune
from components.retrain.from_folder import write_dataset
from components.retrain.head import Head
from components.retrain.options import Distortions, FineTuning

STEPS = 200
TARGET = 1.3
WEIGHT_MARGIN = 1e-6
WHOLE = "the whole network in every step"


def measure(bench: Bench) -> Iterator[Row]:
    """A row for each network."""
    quiet_tensorflow()
    for architecture in (DEFAULT_ARCHITECTURE, PIPELINE_ARCHITECTURE):
        yield _row(bench, architecture)


def _row(bench: Bench, name: str) -> Row:
    turns, place = bench.turns(), bench.place("fine_tune")
    network = backbone.load_backbone(name, bench.cache)
    write_dataset(
        *(bench.folder, place / "dataset", network, place / "vectors"),
        validation_percentage=10,
        testing_percentage=10,
    )
    dataset = Dataset(place / "dataset")
    pretrained = weights_sources.obtain(parse_architecture(name), bench.cache)
    length = network(np.zeros((1, *[network.key.input_size] * 2, 3), np.float32))[0].shape[1]
    classes = len(dataset.labels)
    head = Head(
        np.random.default_rng(0).normal(0, 0.01, (length, classes)).astype(np.float32),
        np.zeros(classes, np.float32),
    )
    options = FineTuning(fine_tune_steps=bench.count(STEPS, 2))
    tuned: dict[str, list[np.ndarray]] = {}
    processor: dict[str, list[float]] = {}

    def train(way: str, *, keeping: bool) -> None:
        started = time.process_time()
        models = fine_tune(
            *(partial(export.build, parse_architecture(name), pretrained), head, dataset, options),
            checkpoint_path=str(bench.place("checkpoints")),
            origin=pretrained.sha256,
            seed=0,
            distortions=Distortions(),
            report=lambda _: None,
            keeping=keeping,
        )
        tuned[way] = models.classifier.get_weights()
        processor.setdefault(way, []).append(time.process_time() - started)

    series = turns.measure(
        [
            Way("ours", lambda: timed(partial(train, "ours", keeping=True)), OURS),
            Way(WHOLE, lambda: timed(partial(train, WHOLE, keeping=False)), least=TARGET),
        ]
    )
    apart = max(
        float(np.abs(one - other).max())
        for one, other in zip(tuned["ours"], tuned[WHOLE], strict=True)
    )
    seconds = (f"{way} {statistics.median(found):.0f}" for way, found in processor.items())
    return Row(
        f"fine-tuning · {options.fine_tune_steps} steps of {options.fine_tune_batch_size}, "
        f"{len(dataset.photos)} photos, {name}",
        series=series,
        checks=(Check("weights apart by", apart, WEIGHT_MARGIN),),
        notes=(f"processor seconds: {', '.join(seconds)}",),
        load=turns.load(),
    )
