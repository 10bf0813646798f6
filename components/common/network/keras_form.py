"""Networks of keras.applications, in the form in which they are used and retrained here.

They take x / 127.5 - 1 like every network here, whatever scaling Keras gave them, and hold only
layers that every form of a model can have: plain layers, without chance.
"""

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

HALF_RANGE = 127.5  # of pixels from 0 to 255


@dataclass(frozen=True)
class Pixels:
    """What a network takes for a pixel x of 0 to 255: (x - mean) / deviation.

    Attributes:
        mean: of each channel, RGB.
        deviation: of each channel.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


MINUS_1_TO_1 = Pixels((HALF_RANGE,) * 3, (HALF_RANGE,) * 3)  # as the photos come: x / 127.5 - 1
# Means and deviations of ImageNet's training photos, as (0.485, 0.456, 0.406) and (0.229, 0.224,
# 0.225) of the range have become customary.
IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def build(
    function: str,
    size: int,
    pixels: Pixels,
    *,
    weights: str | None,
    input_tensor: "keras.KerasTensor | None" = None,
    **options: Any,
) -> "keras.Model":
    """A network of keras.applications with its ImageNet classifier, layers as Keras has them.

    It takes float32 (N, size, size, 3), RGB, -1 to 1.

    Args:
        function: its name in keras.applications.
        size: pixels of the square input.
        pixels: what the network takes by itself.
        weights: "imagenet" for those that Keras downloads; None for random ones.
        input_tensor: (N, size, size, 3), what the network is put on; None for an input of its own.
        options: of the function.
    """
    import keras

    make = getattr(keras.applications, function)
    if "include_preprocessing" in inspect.signature(make).parameters:
        options["include_preprocessing"] = False
    if pixels == MINUS_1_TO_1:
        model: keras.Model = make(
            input_shape=(size, size, 3),
            input_tensor=input_tensor,
            weights=weights,
            include_top=True,
            **options,
        )
        return model
    inputs = keras.Input((size, size, 3), name="pixels") if input_tensor is None else input_tensor
    channels = list(zip(pixels.mean, pixels.deviation, strict=True))
    rescaling = keras.layers.Rescaling(
        [HALF_RANGE / deviation for _, deviation in channels],
        [(HALF_RANGE - mean) / deviation for mean, deviation in channels],
        name="pixels_as_trained",
    )
    network = make(input_tensor=rescaling(inputs), weights=weights, include_top=True, **options)
    # Some of these functions make a model that takes a list of one input.
    source = keras.utils.get_source_inputs(inputs)[0]
    return keras.Model(source, network.output, name=network.name)


def feature_map(network: "keras.Model") -> Any:
    """What a network pools before its classifier: a tensor of shape (N, height, width, D)."""
    import keras

    pooling = keras.layers.GlobalAveragePooling2D
    return next(layer.input for layer in reversed(network.layers) if isinstance(layer, pooling))


def own_form(network: "keras.Model") -> "keras.Model":
    """The same network, with the same weights, of layers that every form of a model can have.

    What Keras gives as it should be is returned as it is.
    """
    import keras

    replaced = {layer.name: other for layer in network.layers if (other := _replacement(layer))}
    if not replaced:
        return network

    def of_layer(layer: "keras.Layer") -> "keras.Layer":
        return replaced.get(layer.name) or layer.__class__.from_config(layer.get_config())

    form = keras.models.clone_model(network, clone_function=of_layer)
    for layer in network.layers:
        if layer.weights:
            arrays = layer.get_weights()
            if layer.name in replaced:
                arrays[0] = arrays[0].swapaxes(2, 3)
            form.get_layer(layer.name).set_weights(arrays)
    return form


def _replacement(layer: "keras.Layer") -> "keras.Layer | None":
    """The layer to take in place of one, None for most.

    Whole blocks that are dropped by chance would make a step of fine-tuning depend on more than the
    seed and its number. A convolution of as many groups as channels is a depthwise one; TensorFlow
    has it on the CPU only by a compiler that a frozen graph cannot bring along.
    """
    from keras import layers

    same = {"name": layer.name, "dtype": layer.dtype_policy}
    if isinstance(layer, layers.Dropout) and layer.noise_shape is not None:
        return layers.Activation("linear", **same)
    if isinstance(layer, layers.Conv2D) and 1 < layer.groups == layer.filters:
        return layers.DepthwiseConv2D(
            layer.kernel_size, layer.strides, layer.padding, use_bias=layer.use_bias, **same
        )
    return None
