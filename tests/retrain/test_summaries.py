"""What is in TensorBoard's event files."""

from collections import Counter
from pathlib import Path

import numpy as np
from retrain_items import clusters
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from components.common.network.convert import load_tensorflow
from components.retrain.head import Look, train
from components.retrain.options import Recipe

CLASSES = ("a", "b", "c")


def test_look_is_one_event_with_numbers_and_histograms(tmp_path: Path) -> None:
    load_tensorflow()
    from components.retrain.summaries import TensorBoardSummaries

    recipe = Recipe(how_many_training_steps=5, eval_step_interval=2)
    validation = clusters(4, seed=1)
    looks: list[Look] = []
    with TensorBoardSummaries(tmp_path, CLASSES, recipe, validation) as summaries:

        def report(look: Look) -> None:
            looks.append(look)
            summaries.add(look)

        head = train(clusters(10, seed=0), validation, len(CLASSES), recipe, report)
    for run in ("train", "validation"):
        [file] = (tmp_path / run).iterdir()
        events = [event for event in EventFileLoader(str(file)).Load() if event.summary.value]
        assert Counter(event.step for event in events) == dict.fromkeys((0, 2, 4), 1)
    [file] = (tmp_path / "train").iterdir()
    *_, last = EventFileLoader(str(file)).Load()
    seen = {value.tag: tensor_util.make_ndarray(value.tensor) for value in last.summary.value}
    assert seen["accuracy_1"] == np.float32(looks[-1].train_accuracy)
    weights = seen["final_training_ops/weights/summaries/histogram"]
    counts, edges = np.histogram(head.weights.astype(np.float64), bins=30)
    np.testing.assert_array_equal(weights[:, 2], counts)
    np.testing.assert_allclose(weights[:, 0], edges[:-1])
    np.testing.assert_allclose(weights[:, 1], edges[1:])
