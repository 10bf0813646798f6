"""Networks of keras.applications made small, with random weights that let a picture through."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from components.common.network.architecture import Architecture, parse_architecture

if TYPE_CHECKING:
    import keras


# The smallest of each design that came with components/common/network/keras_form.py.
NAMES = ("mobilenet_v3_small_0.75_224", "efficientnet_v2_b0", "convnext_tiny")


@contextmanager
def few_blocks() -> Iterator[None]:
    """EfficientNetV2 and ConvNeXt Tiny are built by Keras's own code with fewer blocks."""
    from keras.src.applications import convnext, efficientnet_v2

    tiny = convnext.MODEL_CONFIGS["tiny"]
    # Two in the last stage, so that a block has a sum and may be dropped by chance.
    fewer = {
        name: [{**stage, "num_repeat": 2 if stage is stages[-1] else 1} for stage in stages]
        for name, stages in efficientnet_v2.DEFAULT_BLOCKS_ARGS.items()
    }
    smaller = {**tiny, "depths": [1, 1, 1, 1], "projection_dims": [16, 32, 64, 128]}
    with (
        mock.patch.dict(efficientnet_v2.DEFAULT_BLOCKS_ARGS, fewer),
        mock.patch.dict(convnext.MODEL_CONFIGS, {"tiny": smaller}),
    ):
        yield


def with_small_photos(name: str) -> Architecture:
    """The network of that name for photos of 64 pixels."""
    return dataclasses.replace(parse_architecture(name), size=64)


def of_keras(architecture: Architecture) -> "keras.Model":
    """What keras.applications makes by default, scaling and all, with lively weights."""
    import keras

    model = getattr(keras.applications, architecture.family.keras)(
        input_shape=(architecture.size, architecture.size, 3),
        weights=None,
        **({"alpha": float(architecture.width)} if architecture.width else {}),
    )
    enliven(model)
    return model


def enliven(network: "keras.Model") -> None:
    """Give a network weights with which its answers depend on the picture, the same every time.

    Those that Keras draws make all features nearly 0 in a deep network, or a layer that scales by
    almost nothing: an error in them would not be seen.
    """
    generator = np.random.default_rng(0)
    for layer in network.layers:
        arrays = []
        for variable in layer.weights:
            shape, name = tuple(variable.shape), variable.name
            if len(shape) > 1:
                inputs = np.prod(shape[:-2] if shape[-1] == 1 else shape[:-1])
                arrays.append(generator.normal(0, np.sqrt(2 / inputs), shape))
            elif name in ("beta", "bias", "moving_mean"):
                arrays.append(generator.normal(0, 0.1, shape))
            else:  # gamma, moving_variance, and the factors of ConvNeXt's branches
                arrays.append(generator.uniform(0.5, 1.5, shape))
        layer.set_weights(arrays)
