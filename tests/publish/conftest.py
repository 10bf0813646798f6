"""A worse model: trained on the photos of the whole run, with their labels shuffled."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import MadeOnce, Run

from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.vocabulary import TRAINING
from components.retrain.options import Extras, Recipe, RetrainOptions
from components.retrain.retrain import retrain


@pytest.fixture(scope="session")
def shuffled_model(sample_run: Run, backbone_cache: Path, made_once: MadeOnce) -> Path:
    def fill(folder: Path) -> None:
        dataset = Dataset(sample_run.directory / "training")
        learned = [photo.label for photo in dataset.photos if photo.split == TRAINING]
        labels = iter(np.random.default_rng(1).permutation(learned).tolist())
        with DatasetWriter(folder / "training") as writer:
            for photo, data in dataset.stream():
                label = next(labels) if photo.split == TRAINING else photo.label
                writer.add(dataclasses.replace(photo, label=label), data)
        retrain(
            folder / "training",
            next((sample_run.directory / "artifacts").rglob("bottlenecks")),
            folder / "model",
            folder / "logs",
            recipe=Recipe(how_many_training_steps=300),
            extras=Extras(int8=False),
            options=RetrainOptions(cache_dir=str(backbone_cache)),
        )

    return made_once("shuffled", fill) / "model"
