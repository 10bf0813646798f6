"""Activations of the frozen layers: where a network divides, and that the result is the same."""

import logging
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from retrain import tiny_network
from retrain.tiny_network import CLOSE, LEARNING, SHORT, builder, tune, write_photos

from components.common.dataset.dataset import Dataset
from components.common.network.convert import quiet_tensorflow
from components.retrain import finetune, frozen_layers, kept_activations
from components.retrain.kept_activations import ActivationBatches, keep
from components.retrain.options import Distortions
from components.retrain.photo_batches import PhotoBatches

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.long

COUNT = 9  # photos of the dataset, all of which SHORT draws
WEIGHTS = [
    f"{layer}_{number} {array}"
    for number in (1, 2, 3)
    for layer, count in (("conv", 2), ("bn", 4))
    for array in range(count)
] + ["head 0", "head 1"]
LEARNED = [name for name in WEIGHTS if name.startswith(("conv_2", "conv_3", "head"))]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_photos(tmp_path_factory.mktemp("photos") / "dataset")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "components"):
        yield caplog


def cut_of(outputs: Any, *learning: str) -> str | None:
    """The layer after which a network is divided whose layers of these names learn."""
    import keras

    network = keras.Model(keras.utils.get_source_inputs(outputs)[0], outputs)
    for layer in network.layers:
        layer.trainable = layer.name in learning
    cut = frozen_layers.find_cut(network)
    return next((layer.name for layer in network.layers if layer.output is cut), None)


def dense(values: Any, name: str) -> Any:
    from keras import layers

    return layers.Dense(4, name=name)(values)


def test_network_is_divided_at_the_last_tensor_that_every_way_crosses() -> None:
    quiet_tensorflow()
    import keras
    from keras import Input, layers, ops

    first = dense(Input((4,)), "a")
    plain = dense(layers.ReLU(name="relu")(first), "b")
    assert cut_of(plain, "b") == "relu"
    assert cut_of(plain, "a", "b") is None
    block = layers.Add(name="sum")([dense(dense(first, "c"), "d"), first])
    assert cut_of(dense(block, "e"), "d", "e") == "a"  # not c, around which the block leads
    assert cut_of(dense(block, "e"), "e") == "sum"
    branches = ops.concatenate([dense(first, "f"), ops.relu(dense(first, "g")) * first])
    assert cut_of(dense(branches, "h"), "g", "h") == "a"
    around_all = layers.Add()([plain, *keras.utils.get_source_inputs(plain)])
    assert cut_of(around_all, "b") is None
    at_random = dense(dense(layers.Dropout(0.5, name="drop")(first), "i"), "j")
    assert cut_of(at_random, "j") == "a"  # what Dropout leaves is another thing every time


@pytest.mark.parametrize(
    ("network", "distortions", "count"),
    [
        ({"residual": True}, Distortions(), COUNT),
        ({"views": 2}, Distortions(flip_left_right=True), 2 * COUNT - 3),
    ],
)
def test_kept_activations_give_the_weights_of_the_whole_network(
    network: dict[str, Any],
    distortions: Distortions,
    count: int,
    dataset: Dataset,
    tmp_path: Path,
    said: pytest.LogCaptureFixture,
) -> None:
    build = builder(**network)
    kept, kept_looks = tune(build, dataset, tmp_path, distortions=distortions)
    assert f"frozen layers: {count} photos, 0 MB of activations in memory" in said.text
    said.clear()
    whole, looks = tune(build, dataset, tmp_path, distortions=distortions, keeping=False)
    # In the last bits they may differ, so neither goes on from the other's checkpoint.
    assert "belongs to another training" in said.text
    for one, other in zip(kept, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(
        [(*look.train, *(look.validation or ())) for look in kept_looks],
        [(*look.train, *(look.validation or ())) for look in looks],
        atol=1e-5,
    )
    before = build(tiny_network.head()).classifier.get_weights()
    moved = [np.abs(one - other).max() for one, other in zip(kept, before, strict=True)]
    assert [move > 0.001 for move in moved] == [name in LEARNED for name in WEIGHTS]


def batches_of(
    dataset: Dataset, distortions: Distortions = Distortions(), layers: int = LEARNING
) -> "tuple[keras.Model, ActivationBatches] | None":
    models = builder(residual=True)(tiny_network.head())
    finetune.unfreeze(models.classifier, layers)
    size = models.classifier.input_shape[1]
    photos = PhotoBatches(dataset, size, SHORT.fine_tune_batch_size, distortions, 0)
    return keep(models, photos, SHORT.fine_tune_steps)


def rows_of(batches: ActivationBatches) -> np.ndarray:
    batches.prepare()
    return np.concatenate([batch for batch, _ in batches.batches(0, SHORT.fine_tune_steps)])


def test_many_activations_are_in_a_file_that_nobody_else_sees(
    dataset: Dataset,
    tmp_path: Path,
    said: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = batches_of(dataset)
    assert found
    in_memory = rows_of(found[1])
    monkeypatch.setattr(kept_activations, "MEMORY_BYTES", found[1].size_bytes - 1)
    found = batches_of(dataset)
    assert found
    np.testing.assert_array_equal(rows_of(found[1]), in_memory)
    assert f"MB of activations in a file in {tmp_path}" in said.text
    assert isinstance(found[1]._kept, np.memmap)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bound", ["DISK_BYTES", "DISK_SHARE"])
def test_more_activations_than_the_disk_may_hold_are_not_kept(
    bound: str,
    dataset: Dataset,
    said: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_activations, "MEMORY_BYTES", 0)
    monkeypatch.setattr(kept_activations, bound, 0)
    assert batches_of(dataset) is None
    assert "runs the whole network in every step: activations of 9 photos would take" in said.text


def test_where_the_disk_is_full_the_whole_network_runs(
    dataset: Dataset,
    tmp_path: Path,
    said: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = builder()
    expected, _ = tune(build, dataset, tmp_path / "whole", keeping=False)
    monkeypatch.setattr(kept_activations, "MEMORY_BYTES", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(open, "/dev/full", "w+b"))
    weights, looks = tune(build, dataset, tmp_path / "full")
    assert "runs the whole network in every step" in said.text
    assert f"{tempfile.gettempdir()} is full" in said.text
    assert [look.step for look in looks] == [3, 6]
    assert all(map(np.array_equal, weights, expected))


@pytest.mark.parametrize(
    ("distortions", "layers", "reason"),
    [
        (Distortions(random_crop=1), LEARNING, "photos are cropped, enlarged or brightened"),
        (Distortions(random_scale=1), LEARNING, "photos are cropped, enlarged or brightened"),
        (Distortions(random_brightness=1), LEARNING, "photos are cropped, enlarged or brightened"),
        (Distortions(), LEARNING + 1, "its first layer learns, too"),
    ],
)
def test_what_is_never_the_same_is_not_kept(
    distortions: Distortions,
    layers: int,
    reason: str,
    dataset: Dataset,
    said: pytest.LogCaptureFixture,
) -> None:
    assert batches_of(dataset, distortions, layers) is None
    assert reason in said.text


def test_activations_are_kept_in_the_precision_that_they_are_computed_in(dataset: Dataset) -> None:
    with finetune._precision("mixed_float16"):
        found = batches_of(dataset)
    assert found
    rows = rows_of(found[1])
    assert rows.dtype == np.float16
    assert found[1].batch_shapes == (((8, 8, 8, 6), "float16"), ((8,), "int64"))
    assert rows.shape[1:] == (8, 8, 6)


def test_killed_training_goes_on_with_kept_activations(dataset: Dataset, tmp_path: Path) -> None:
    build = builder(residual=True)
    at_once, _ = tune(build, dataset, tmp_path / "at once")

    killed = mock.patch.object(finetune, "_log", side_effect=InterruptedError)
    with killed, pytest.raises(InterruptedError):  # after the first checkpoint
        tune(build, dataset, tmp_path / "killed")
    continued, looks = tune(build, dataset, tmp_path / "killed")
    assert [look.step for look in looks] == [6]
    assert all(map(np.array_equal, continued, at_once))


def test_a_training_that_is_done_runs_no_layer(
    dataset: Dataset, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    build = builder()
    done, _ = tune(build, dataset, tmp_path)
    said.clear()
    again, looks = tune(build, dataset, tmp_path)
    assert not looks
    assert "frozen layers" not in said.text
    assert all(map(np.array_equal, again, done))
