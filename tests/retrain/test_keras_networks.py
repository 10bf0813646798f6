"""Networks of keras.applications as models: every form, activation maps and fine-tuning.

With few blocks and random weights (tests/small_networks.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import small_networks
from small_networks import NAMES, with_small_photos

from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING
from components.common.network import backbone, convert, keras_form, weights
from components.common.network.architecture import Architecture
from components.common.network.weights import Weights
from components.common.photos import images
from components.label_image import graph
from components.label_image.preprocessing import Preprocessing
from components.retrain import export, quantize
from components.retrain.export import KerasModels
from components.retrain.finetune import fine_tune
from components.retrain.head import Head
from components.retrain.options import Distortions, FineTuning

pytestmark = pytest.mark.long

CLASSES = 3


@pytest.fixture(scope="module", params=NAMES)
def architecture(request: pytest.FixtureRequest) -> Iterator[Architecture]:
    """One network of each design."""
    convert.quiet_tensorflow()
    with small_networks.few_blocks():
        yield with_small_photos(request.param)


@dataclass(frozen=True)
class Material:
    """What models of a network are made of."""

    architecture: Architecture
    pretrained: Weights
    head: Head

    def build(self, head: Head) -> KerasModels:
        """The models with a head."""
        return export.build(self.architecture, self.pretrained, head)


@pytest.fixture(scope="module")
def material(architecture: Architecture) -> Material:
    """Random weights, and a head for three classes."""
    network = architecture.build()
    small_networks.enliven(network)
    length = keras_form.feature_map(network).shape[-1]
    kernel = np.random.default_rng(0).normal(0, 0.1, (length, CLASSES)).astype(np.float32)
    head = Head(kernel, np.zeros(CLASSES, np.float32))
    return Material(architecture, weights.from_keras(network), head)


def test_every_form_gives_the_same_answers(
    architecture: Architecture,
    material: Material,
    tmp_path: Path,
) -> None:
    import keras
    import tensorflow as tf

    head, side = material.head, architecture.size
    export.write(material.build(head), side, tmp_path)
    batch = np.random.default_rng(1).uniform(-1, 1, (4, side, side, 3)).astype(np.float32)
    batch[1:3] = batch[1:3] / 2 - [[[[0.5]]], [[[-0.5]]]]
    seen = backbone.make_interpreter(tmp_path / "model.tflite")(input=batch)
    expected = seen["final_result"]
    assert np.ptp(expected, axis=0).max() > 0.01
    saved = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(saved(batch)), expected, atol=1e-4)
    loaded = tf.saved_model.load(str(tmp_path / "saved_model")).signatures["serve"]
    served = loaded(input=tf.constant(batch))["final_result"]
    np.testing.assert_allclose(served.numpy(), expected, atol=1e-4)
    (tmp_path / graph.LABELS_FILE).write_text("a\nb\nc\n")
    frozen = graph.Graph(
        *(tmp_path / "retrained_graph.pb", None, Preprocessing(side, side)),
        input_layer="input",
        output_layer="final_result",
    )
    for photo, answer in zip(batch, expected, strict=True):
        np.testing.assert_allclose(frozen(photo[None]).probabilities, answer, atol=1e-4)
    _check_activation_map(seen, head)
    int8 = quantize.to_int8((tmp_path / "model.tflite").read_bytes(), batch[:, None])
    assert len(int8) < 0.4 * (tmp_path / "model.tflite").stat().st_size
    (tmp_path / "int8.tflite").write_bytes(int8)
    coarse = backbone.make_interpreter(tmp_path / "int8.tflite")(input=batch)
    assert np.corrcoef(coarse["bottleneck"].ravel(), seen["bottleneck"].ravel())[0, 1] > 0.9


def _check_activation_map(seen: dict[str, np.ndarray], head: Head) -> None:
    """The score of a class is the mean of its map, which has a place for each part of a photo."""
    maps = seen["features"] @ head.weights
    assert maps.shape[1:3] == (2, 2)
    powers = np.exp(maps.mean(axis=(1, 2)))
    scores = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, seen["final_result"], atol=1e-4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two pictures of each class to learn from."""
    place = tmp_path_factory.mktemp("photos") / "dataset"
    generator = np.random.default_rng(0)
    with DatasetWriter(place) as writer:
        for number in range(2 * CLASSES):
            pixels = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
            name = str(number)
            photo = Photo(str(number % CLASSES), sha256=name, source_sha256=name, split=TRAINING)
            writer.add(photo, images.encode(pixels, quality=90))
    return Dataset(place)


# Those of MobileNetV3 are all kinds of layers that EfficientNetV2 has.
@pytest.mark.parametrize("architecture", NAMES[1:], indirect=True)
def test_fine_tuning_changes_the_top_alone_and_no_batch_norm(
    material: Material, dataset: Dataset, tmp_path: Path
) -> None:
    import keras

    options = FineTuning(
        fine_tune_steps=1, fine_tune_layers=3, fine_tune_batch_size=4, checkpoint_interval=5
    )
    tuned = fine_tune(
        *(material.build, material.head, dataset, options),
        checkpoint_path=str(tmp_path),
        origin="",
        seed=0,
        distortions=Distortions(),
        report=lambda _: None,
    )
    before = material.pretrained.layers
    changed = [
        layer
        for layer in tuned.classifier.layers
        if layer.name in before
        and not all(map(np.array_equal, layer.get_weights(), before[layer.name]))
    ]
    assert len(changed) == 3
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in changed)
