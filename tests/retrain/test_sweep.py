"""The sweep: the pipeline's own recipe is a trial, and the network's scale changes none."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from retrain_items import clusters

from components.retrain import sweep
from components.retrain.options import PIPELINE
from components.retrain.sweep import Trial

QUICK = dataclasses.replace(PIPELINE, how_many_training_steps=100)


def trials(times: float) -> list[Trial]:
    """Of made-up bottlenecks times a constant; what a sweep reads of its material."""
    examples = clusters(20, seed=1, spread=3)
    material: Any = SimpleNamespace(
        learned_vectors=examples.vectors * np.float32(times),
        learned_labels=examples.labels,
        learned_groups=[str(row) for row in range(len(examples))],
        dataset=SimpleNamespace(labels=["a", "b", "c"]),
        learned_copies=[],
    )
    return sweep.run(material, QUICK)


def test_trials_are_twelve_with_the_recipe_itself_among_them() -> None:
    found = trials(1.0)
    assert len({trial.recipe for trial in found}) == 12
    assert QUICK in [trial.recipe for trial in found]
    losses = [trial.cross_entropy for trial in found]
    assert losses == sorted(losses)


def test_network_with_longer_bottlenecks_gets_the_same_trials() -> None:
    found = {trial.recipe: trial for trial in trials(1.0)}
    for trial in trials(40.0):
        same = found[trial.recipe]
        assert trial.cross_entropy == pytest.approx(same.cross_entropy, abs=2e-3)
