"""A network of a few layers, which is fine-tuned in a second or two, and photos for it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import small_networks

from components.common.base.step import configure_logging
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING, VALIDATION
from components.common.network import weights
from components.common.network.architecture import Architecture, parse_architecture
from components.common.network.convert import quiet_tensorflow
from components.common.photos import images
from components.retrain import export, finetune
from components.retrain.export import KerasModels
from components.retrain.finetune import TunedLook
from components.retrain.head import Head
from components.retrain.options import Distortions, FineTuning

if TYPE_CHECKING:
    import keras

CLASSES, SIZE, CHANNELS = 3, 16, 6
LEARNING = 2  # layers beside the head, in SHORT
CLOSE = 1e-6  # of weights that have moved by up to 0.006 in SHORT
SHORT = FineTuning(
    fine_tune_steps=6,
    fine_tune_layers=LEARNING,
    fine_tune_learning_rate=1e-3,
    fine_tune_batch_size=8,
    checkpoint_interval=3,
)


@dataclass(frozen=True)
class Tiny(Architecture):
    """Three convolutions, each with BatchNorm and ReLU.

    Attributes:
        residual: the last two are a block, whose input is added to its output.
    """

    residual: bool = False

    def build(self, *, input_tensor: "keras.KerasTensor | None" = None) -> "keras.Model":
        """The network with an ImageNet classifier, as every architecture gives it."""
        import keras

        layers = keras.layers
        given = keras.Input((SIZE, SIZE, 3)) if input_tensor is None else input_tensor
        values = _convolution(given, 1, strides=2)
        entering = values
        for number in (2, 3):
            values = _convolution(values, number)
        if self.residual:
            values = layers.Add(name="add")([values, entering])
        pooled = layers.GlobalAveragePooling2D(name="pool")(values)
        scores = layers.Dense(1000, activation="softmax", name="predictions")(pooled)
        return keras.Model(keras.utils.get_source_inputs(given)[0], scores)


def _convolution(values: Any, number: int, strides: int = 1) -> Any:
    from keras import layers

    values = layers.Conv2D(CHANNELS, 3, strides, "same", name=f"conv_{number}")(values)
    values = layers.BatchNormalization(name=f"bn_{number}")(values)
    return layers.ReLU(name=f"relu_{number}")(values)


def builder(*, residual: bool = False, views: int = 1) -> Callable[[Head], KerasModels]:
    """What builds the network with random weights, the same every time, and a head."""
    quiet_tensorflow()
    family = parse_architecture("mobilenet_1.0_128").family
    tiny = Tiny("tiny", family, "", SIZE, residual)
    network = tiny.build()
    small_networks.enliven(network)
    pretrained = weights.from_keras(network)
    return lambda head: export.build(tiny, pretrained, head, views)


def head() -> Head:
    """A head that knows nothing."""
    kernel = np.random.default_rng(0).normal(0, 0.1, (CHANNELS, CLASSES)).astype(np.float32)
    return Head(kernel, np.zeros(CLASSES, np.float32))


def write_photos(place: Path, per_class: int = 2) -> Dataset:
    """A dataset of noise, so many of each class to learn from and one to look at."""
    generator = np.random.default_rng(0)
    with DatasetWriter(place) as writer:
        for number in range((per_class + 1) * CLASSES):
            pixels = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
            part = VALIDATION if number < CLASSES else TRAINING
            name = str(number)
            photo = Photo(str(number % CLASSES), sha256=name, source_sha256=name, split=part)
            writer.add(photo, images.encode(pixels, quality=90))
    return Dataset(place)


def tune(
    build: Callable[[Head], KerasModels],
    dataset: Dataset,
    place: Path,
    options: FineTuning = SHORT,
    distortions: Distortions = Distortions(),
    *,
    keeping: bool = True,
) -> tuple[list[np.ndarray], list[TunedLook]]:
    """Fine-tune the network; returns all its weights."""
    looks: list[TunedLook] = []
    models = finetune.fine_tune(
        *(build, head(), dataset, options),
        checkpoint_path=str(place),
        origin="",
        seed=0,
        distortions=distortions,
        report=looks.append,
        keeping=keeping,
    )
    return models.classifier.get_weights(), looks


def _use_two_devices() -> None:
    """Let two devices of this machine's processor stand for two GPUs."""
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(processor, halves)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    finetune._all_gpus = strategy.scope  # type: ignore[assignment]


def _tell_shares(output: Path) -> None:
    """Have each device write how many photos of each batch it gets, a line each."""
    import keras
    import tensorflow as tf

    step = keras.Model.train_step

    def told(self: Any, data: Any) -> Any:
        tf.print(tf.shape(data[0])[0], output_stream=f"file://{output}")
        return step(self, data)

    keras.Model.train_step = told


if __name__ == "__main__":
    # On two devices: the weights with and without kept activations, and each device's shares.
    configure_logging()
    folder = Path(sys.argv[1])
    quiet_tensorflow()
    _use_two_devices()
    build = builder(views=2)
    photos = Dataset(folder / "dataset")
    _tell_shares(folder / "shares")
    kept, _ = tune(build, photos, folder / "kept")
    whole, _ = tune(build, photos, folder / "whole", keeping=False)
    np.savez(folder / "kept.npz", *kept)  # type: ignore[arg-type]
    np.savez(folder / "whole.npz", *whole)  # type: ignore[arg-type]
