"""EfficientNet-Lite: the network, and its weights in PyTorch's names.

Tan & Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6 in place of swish, as
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite has it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

STEM_CHANNELS, HEAD_CHANNELS, CLASSES = 32, 1280, 1000  # whatever the scaling
EPSILON = 1e-3  # of BatchNorm
ROUNDED_TO = 8  # channels
LEAST_ROUNDED = 0.9  # of the channels, that rounding must leave


@dataclass(frozen=True)
class Scaling:
    """How much larger than Lite0 a network is: factors of channels and of repeated blocks."""

    width: float
    depth: float

    def channels(self, count: int) -> int:
        """Scaled channels, a multiple of 8 and not less than 90 % of what was asked for."""
        wanted = count * self.width
        rounded = max(ROUNDED_TO, int(wanted + ROUNDED_TO / 2) // ROUNDED_TO * ROUNDED_TO)
        return rounded + ROUNDED_TO if rounded < LEAST_ROUNDED * wanted else rounded


@dataclass(frozen=True)
class _Stage:
    """Blocks in a row; the first of them has the stride."""

    blocks: int
    kernel: int  # pixels of the side
    stride: int
    expansion: int  # channels inside a block to those that it takes
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build(
    name: str, scaling: Scaling, size: int, input_tensor: "keras.KerasTensor | None" = None
) -> "keras.Model":
    """The network with its ImageNet classifier and random weights.

    It takes float32 (N, size, size, 3), RGB, -1 to 1, and gives probabilities, float32 (N, 1000).

    Args:
        name: of the model.
        scaling: of its channels and blocks.
        size: pixels of the square input.
        input_tensor: what the network is put on; its input is the new model's. None for an input of
            its own.
    """
    import keras

    layers = keras.layers
    inputs = keras.Input((size, size, 3), name="pixels") if input_tensor is None else input_tensor
    stem = layers.Conv2D(
        STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False, name="stem_conv"
    )
    values = _normalised(stem(inputs), "stem")
    number = 0
    for place, stage in enumerate(_STAGES):
        # The first and the last stage are not repeated more often in larger networks.
        scaled = 0 < place < len(_STAGES) - 1
        blocks = math.ceil(stage.blocks * scaling.depth) if scaled else stage.blocks
        for repeat in range(blocks):
            channels = scaling.channels(stage.channels)
            values = _block(
                values, f"block_{number}", stage, channels, 1 if repeat else stage.stride
            )
            number += 1
    head = layers.Conv2D(HEAD_CHANNELS, 1, use_bias=False, name="head_conv")
    features = _normalised(head(values), "head")
    pooled = layers.GlobalAveragePooling2D(name="pool")(features)
    scores = layers.Dense(CLASSES, activation="softmax", name="predictions")(pooled)
    return keras.Model(keras.utils.get_source_inputs(inputs)[0], scores, name=name)


def _normalised(values: Any, name: str, *, relu: bool = True) -> Any:
    from keras import layers

    values = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(values)
    return layers.ReLU(6.0, name=f"{name}_relu")(values) if relu else values


def _block(inputs: Any, name: str, stage: _Stage, channels: int, stride: int) -> Any:
    """An inverted residual block (Sandler et al. 2018, arXiv:1801.04381)."""
    from keras import layers

    taken, values = inputs.shape[-1], inputs
    if stage.expansion > 1:
        expand = layers.Conv2D(
            taken * stage.expansion, 1, use_bias=False, name=f"{name}_expand_conv"
        )
        values = _normalised(expand(values), f"{name}_expand")
    depthwise = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )
    values = _normalised(depthwise(values), f"{name}_depthwise")
    project = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")
    values = _normalised(project(values), f"{name}_project", relu=False)
    if stride == 1 and taken == channels:
        values = layers.Add(name=f"{name}_add")([values, inputs])
    return values


# PyTorch's names of a layer and of its place in a block, and ours.
_LAYERS = {
    "_conv_stem": "stem_conv",
    "_bn0": "stem_bn",
    "_conv_head": "head_conv",
    "_bn1": "head_bn",
    "_fc": "predictions",
}
_IN_BLOCK = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_bn",
    "_depthwise_conv": "depthwise_conv",
    "_bn1": "depthwise_bn",
    "_project_conv": "project_conv",
    "_bn2": "project_bn",
}
_BLOCK = re.compile(r"_blocks\.(0|[1-9][0-9]{0,2})\.(\w{1,40})")
# Parts of a layer in Keras's order.
_PARTS = ("weight", "bias", "running_mean", "running_var")
MOST_BYTES = 128 * 1024**2  # of all tensors: five times as many as Lite2 has
_COUNTER = "num_batches_tracked"  # of no use where nothing is trained


def from_torch(tensors: Mapping[str, NDArray[Any]]) -> dict[str, list[NDArray[np.float32]]]:
    """The arrays of each layer in the order of Keras's `get_weights`.

    Args:
        tensors: of the state dictionary of the package efficientnet-lite-pytorch, by name.

    Raises:
        ValueError: a tensor is of no layer, or has another number of axes than its layer's.
    """
    parts: dict[str, dict[str, NDArray[np.float32]]] = {}
    copied = 0
    for name, tensor in tensors.items():
        torch_layer, _, part = name.rpartition(".")
        if part == _COUNTER:
            continue
        layer = _layer(torch_layer)
        if layer is None or part not in _PARTS or tensor.dtype != np.float32:
            raise ValueError(f"its tensor {name!r:.80} is none of EfficientNet-Lite's")
        # Tensors may lie on one another in the file; here each takes memory of its own.
        copied += tensor.nbytes
        if copied > MOST_BYTES:
            raise ValueError(f"its tensors have more than {MOST_BYTES} bytes in all")
        if part == "weight":
            tensor = tensor.transpose(_axes(layer, tensor.ndim))
        parts.setdefault(layer, {})[part] = np.ascontiguousarray(tensor)
    return {
        layer: [arrays[part] for part in _PARTS if part in arrays]
        for layer, arrays in parts.items()
    }


def _layer(torch_name: str) -> str | None:
    match = _BLOCK.fullmatch(torch_name)
    if not match:
        return _LAYERS.get(torch_name)
    layer = _IN_BLOCK.get(match[2])
    return f"block_{int(match[1])}_{layer}" if layer else None


def _axes(layer: str, number: int) -> tuple[int, ...]:
    """Which axes of PyTorch's weights stand where in Keras's.

    A convolution's are (out, in, height, width) and (height, width, in, out), a depthwise one's
    (channels, 1, height, width) and (height, width, channels, 1).
    """
    axes: tuple[int, ...] = (0,)  # of BatchNorm
    if layer.endswith("_conv"):
        axes = (2, 3, 0, 1) if layer.endswith("depthwise_conv") else (2, 3, 1, 0)
    elif layer == "predictions":
        axes = (1, 0)
    if len(axes) != number:
        raise ValueError(
            f"the weights of its layer {layer} have {number} axes: expected {len(axes)}"
        )
    return axes
