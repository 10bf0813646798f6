"""Fine-tune once and store the weights: what the tests start, kill and start again."""

import sys
from pathlib import Path

import numpy as np

from components.common.base.files import default_cache_dir
from components.common.base.step import configure_logging
from components.common.dataset.dataset import Dataset
from components.common.network import weights_sources
from components.common.network.architecture import parse_architecture
from components.common.network.convert import quiet_tensorflow
from components.retrain.export import KerasModels, build
from components.retrain.finetune import TunedLook, fine_tune
from components.retrain.head import Head
from components.retrain.options import Distortions, FineTuning

ARCHITECTURE = parse_architecture("mobilenet_1.0_128")


def tune(
    dataset: Dataset,
    place: str,
    options: FineTuning,
    *,
    seed: int = 0,
    distortions: Distortions = Distortions(),
    views: int = 1,
) -> tuple[KerasModels, list[TunedLook]]:
    """Fine-tune the tests' small network on a dataset."""
    quiet_tensorflow()
    pretrained = weights_sources.obtain(ARCHITECTURE, default_cache_dir())
    generator = np.random.default_rng(0)
    classes = len(dataset.labels)
    head = Head(
        generator.normal(0, 0.01, (1024, classes)).astype(np.float32),
        np.zeros(classes, np.float32),
    )
    looks: list[TunedLook] = []
    models = fine_tune(
        lambda head: build(ARCHITECTURE, pretrained, head, views),
        head,
        dataset,
        options,
        checkpoint_path=place,
        origin=pretrained.sha256,
        seed=seed,
        distortions=distortions,
        report=looks.append,
    )
    return models, looks


if __name__ == "__main__":
    configure_logging()
    dataset_dir, place, steps, output = sys.argv[1:]
    quiet_tensorflow()
    tuned, _ = tune(
        Dataset(dataset_dir),
        place,
        FineTuning(
            fine_tune_steps=int(steps),
            fine_tune_batch_size=8,
            fine_tune_learning_rate=1e-4,
            checkpoint_interval=1,
        ),
    )
    arrays = {str(number): array for number, array in enumerate(tuned.classifier.get_weights())}
    np.savez(Path(output), **arrays)
