"""The trained model in its several forms, built with Keras from the backbone and the head."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.common import model, weights
from components.common.architecture import Architecture
from components.common.convert import save_endpoints, to_litert
from components.common.weights import Weights
from components.retrain.head import Head

if TYPE_CHECKING:
    import keras

INSPECT = "inspect"
ENCODED = "serve_bytes"
ENCODED_INPUT = "image_bytes"  # TensorFlow Serving decodes base64 for names that end so
FROZEN_INPUT = "input"


@dataclass(frozen=True)
class KerasModels:
    """Two views of the same layers: the classifier, and one that shows its inside as well."""

    classifier: "keras.Model"
    inspectable: "keras.Model"

    def set_head(self, head: Head) -> None:
        """Give the last layer other weights."""
        self.classifier.get_layer(model.SCORES).set_weights([head.weights, head.biases])


def build(architecture: Architecture, pretrained: Weights, head: Head) -> KerasModels:
    """Join backbone and head.

    The classifier takes float32 (N, size, size, 3), RGB, -1 to 1, and gives probabilities, float32
    (N, classes). The inspectable model gives bottleneck and feature map besides.
    """
    import keras

    network = architecture.build()
    weights.apply_to_keras(pretrained, network)
    features = network.get_layer(architecture.family.feature_layer).output
    bottleneck = keras.layers.GlobalAveragePooling2D(name=model.BOTTLENECK)(features)
    layer = keras.layers.Dense(
        len(head.biases), activation="softmax", name=model.SCORES, dtype="float32"
    )
    scores = layer(bottleneck)
    layer.set_weights([head.weights, head.biases])
    name = architecture.name.replace(".", "_")
    return KerasModels(
        keras.Model(network.input, scores, name=f"{name}_retrained"),
        keras.Model(
            network.input,
            {model.SCORES: scores, model.BOTTLENECK: bottleneck, model.FEATURES: features},
            name=f"{name}_inspectable",
        ),
    )


def write(
    models: KerasModels, size: int, directory: Path, *, final_tensor_name: str = model.SCORES
) -> None:
    """Write `model.keras`, `saved_model/`, `model.tflite` and `retrained_graph.pb`.

    The SavedModel has three signatures: `serve` (also the default) takes tensors, `serve_bytes`
    encoded photos, and `inspect` is what LiteRT is made from, so that the graph is traced once.

    Args:
        models: what to write.
        size: pixels of the square input.
        directory: where to.
        final_tensor_name: name of the frozen graph's output.
    """
    import keras
    import tensorflow as tf

    models.classifier.save(directory / model.KERAS)
    named = keras.Model(models.classifier.input, {model.SCORES: models.classifier.output})
    save_endpoints(
        {"serve": named, INSPECT: models.inspectable},
        size,
        directory / model.SAVED_MODEL,
        {ENCODED: (_on_encoded(named, size), tf.TensorSpec((None,), tf.string, ENCODED_INPUT))},
    )
    (directory / model.LITERT).write_bytes(to_litert(directory / model.SAVED_MODEL, INSPECT))
    frozen = frozen_graph(models.classifier, size, final_tensor_name)
    (directory / model.FROZEN).write_bytes(frozen)


def frozen_graph(classifier: "keras.Model", size: int, final_tensor_name: str) -> bytes:
    """A GraphDef with its weights as constants, as retrain.py wrote it.

    Its input is called `input`, float32 (N, size, size, 3), RGB, -1 to 1.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    specification = tf.TensorSpec((None, size, size, 3), tf.float32, name=FROZEN_INPUT)

    @tf.function(input_signature=[specification])  # type: ignore[untyped-decorator, unused-ignore]
    def run(batch: "tf.Tensor") -> "tf.Tensor":
        return tf.identity(classifier(batch, training=False), name=final_tensor_name)

    graph = convert_variables_to_constants_v2(run.get_concrete_function()).graph.as_graph_def()
    trimmed = tf.compat.v1.graph_util.extract_sub_graph(graph, [final_tensor_name])
    # Deterministic: protobuf writes maps in another order in every process.
    serialized: bytes = trimmed.SerializeToString(deterministic=True)
    return serialized


def to_int8(saved_model: Path, samples: Iterable[NDArray[np.float32]]) -> bytes:
    """The model as LiteRT with int8 weights and activations; inputs and outputs stay float32.

    Args:
        saved_model: what `write` wrote.
        samples: batches of the model's input, float32 (1, size, size, 3), that show the range of
            its activations.
    """
    return to_litert(saved_model, INSPECT, samples)


def _on_encoded(named: "keras.Model", size: int) -> Callable[..., object]:
    """The classifier on encoded photos, decoded by TensorFlow.

    It knows nothing of EXIF: a photo that only its EXIF turns upright is seen as it lies.
    """
    import tensorflow as tf

    def decode(data: "tf.Tensor") -> "tf.Tensor":
        photo = tf.io.decode_image(data, channels=3, expand_animations=False)
        photo.set_shape((None, None, 3))
        shape = tf.shape(photo)[:2]
        # As our decoder: at 1/1, 1/2, 1/4 or 1/8, the smallest that is large enough, then linear.
        room = tf.reduce_min(shape) // size
        factor = tf.bitwise.left_shift(
            1, sum(tf.cast(room >= scale, tf.int32) for scale in (2, 4, 8))
        )
        reduced = tf.image.resize(photo, (shape + factor - 1) // factor, method="area")
        return tf.image.resize(reduced, (size, size)) / 127.5 - 1

    def run(image_bytes: "tf.Tensor") -> object:
        shape = tf.TensorSpec((size, size, 3), tf.float32)
        return named(tf.map_fn(decode, image_bytes, fn_output_signature=shape), training=False)

    return run
