"""The trained model in its several forms, built with Keras from the backbone and the head."""

import functools
import graphlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.model import layout
from components.common.network import convert
from components.common.network.architecture import Architecture
from components.common.network.convert import INPUT, Frozen, freeze, to_litert
from components.common.network.view_layers import pretrained_network
from components.common.network.weights import Weights
from components.retrain.head import Head

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from tensorflow.types.experimental import ConcreteFunction

SERVE = "serve"
INSPECT = "inspect"
ENCODED = "serve_bytes"
ENCODED_INPUT = "image_bytes"  # TensorFlow Serving decodes base64 for names that end so


@dataclass(frozen=True)
class KerasModels:
    """Two models of the same layers: the classifier, and one that shows its inside as well.

    Attributes:
        classifier: gives probabilities.
        inspectable: gives bottleneck and feature map besides.
        views: that they take of a photo.
    """

    classifier: "keras.Model"
    inspectable: "keras.Model"
    views: int = 1

    def set_head(self, head: Head) -> None:
        """Give the last layer other weights."""
        self.classifier.get_layer(layout.SCORES).set_weights([head.weights, head.biases])


def build(
    architecture: Architecture, pretrained: Weights, head: Head, views: int = 1
) -> KerasModels:
    """Join backbone and head.

    The classifier takes float32 (N, size, size, 3), RGB, -1 to 1, and gives probabilities, float32
    (N, classes). The inspectable model gives bottleneck and feature map besides; of several views,
    their maps below one another.

    Args:
        architecture: of the backbone.
        pretrained: its weights.
        head: the last layer.
        views: of a photo, one of `VIEWS`.
    """
    import keras

    seen = pretrained_network(architecture, pretrained, views, bottleneck=layout.BOTTLENECK)
    layer = keras.layers.Dense(
        len(head.biases), activation="softmax", name=layout.SCORES, dtype="float32"
    )
    scores = layer(seen.bottleneck)
    layer.set_weights([head.weights, head.biases])
    name = architecture.name.replace(".", "_")
    return KerasModels(
        keras.Model(seen.input, scores, name=f"{name}_retrained"),
        keras.Model(
            seen.input,
            {
                layout.SCORES: scores,
                layout.BOTTLENECK: seen.bottleneck,
                layout.FEATURES: seen.features,
            },
            name=f"{name}_inspectable",
        ),
        views,
    )


def write(
    models: KerasModels,
    size: int,
    directory: Path,
    *,
    final_tensor_name: str = layout.SCORES,
    on_litert: Callable[[], None] = lambda: None,
) -> None:
    """Write `model.keras`, `saved_model/`, `model.tflite` and `retrained_graph.pb`.

    All but the first are made of one graph: tracing a Keras model takes longer than writing it.

    Args:
        models: what to write.
        size: pixels of the square input.
        directory: where to.
        final_tensor_name: name of the frozen graph's output.
        on_litert: called once `model.tflite` is there, of which more can be made in the meantime.
    """
    traced = trace(models, size, final_tensor_name)
    frozen = freeze(traced)
    (directory / layout.LITERT).write_bytes(to_litert(frozen, INSPECT, directory))
    on_litert()
    _save_keras(models.classifier, directory / layout.KERAS)
    _save(models, traced, size, directory / layout.SAVED_MODEL)
    (directory / layout.FROZEN).write_bytes(frozen_graph(frozen, final_tensor_name))


def _save_keras(model: "keras.Model", path: Path) -> None:
    """As `model.save` does, but for the clock: Keras dates what it zips, and fails before 1980."""
    import keras

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unzipped = Path(folder, "unzipped")
        keras.saving.save_model(model, unzipped, zipped=False)
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(filter(Path.is_file, unzipped.rglob("*"))):
                name = zipfile.ZipInfo(file.relative_to(unzipped).as_posix())  # dated 1980
                with archive.open(name, "w", force_zip64=True) as entry, open(file, "rb") as read:
                    shutil.copyfileobj(read, entry)


def trace(models: KerasModels, size: int, final_tensor_name: str) -> "ConcreteFunction":
    """The inspectable model's graph, with the operation that the frozen graph ends in."""
    return convert.trace(models.inspectable, size, {layout.SCORES: final_tensor_name})


def frozen_graph(frozen: Frozen, final_tensor_name: str) -> bytes:
    """A GraphDef with its weights as constants, as retrain.py wrote it.

    Its input is called `input`, float32 (N, size, size, 3), RGB, -1 to 1.
    """
    import tensorflow as tf

    graph = frozen.function.graph.as_graph_def()
    trimmed = tf.compat.v1.graph_util.extract_sub_graph(graph, [final_tensor_name])
    # Deterministic: protobuf writes maps in another order in every process.
    serialized: bytes = in_one_order(trimmed).SerializeToString(deterministic=True)
    return serialized


def in_one_order(graph: "tf.compat.v1.GraphDef") -> "tf.compat.v1.GraphDef":
    """The same nodes, each after its inputs, in an order that only their names decide.

    TensorFlow puts its variables' nodes into one order in most processes and another in some.
    """
    nodes = {node.name: node for node in graph.node}
    order = graphlib.TopologicalSorter(
        {
            name: [taken.lstrip("^").partition(":")[0] for taken in nodes[name].input]
            for name in sorted(nodes)
        }
    )
    ordered = type(graph)(versions=graph.versions, library=graph.library)
    ordered.node.extend(nodes[name] for name in order.static_order())
    return ordered


def _save(models: KerasModels, traced: "ConcreteFunction", size: int, directory: Path) -> None:
    """Write the SavedModel.

    It has three signatures: `serve` (also the default) takes tensors, `serve_bytes` encoded photos,
    and `inspect` gives bottleneck and feature map besides. All run the same graph.
    """
    import tensorflow as tf

    def serve(batch: "tf.Tensor") -> "dict[str, tf.Tensor]":
        return {layout.SCORES: traced(batch)[layout.SCORES]}

    def serve_bytes(encoded: "tf.Tensor") -> "dict[str, tf.Tensor]":
        shape = tf.TensorSpec((size, size, 3), tf.float32)
        decode = functools.partial(_decode, size=size)
        return serve(tf.map_fn(decode, encoded, fn_output_signature=shape))

    tensors = tf.TensorSpec((None, size, size, 3), tf.float32, name=INPUT)
    encoded = tf.TensorSpec((None,), tf.string, name=ENCODED_INPUT)
    endpoints = {
        name: tf.function(run, [taken], autograph=False)
        for name, run, taken in (
            (SERVE, serve, tensors),
            (INSPECT, traced, tensors),
            (ENCODED, serve_bytes, encoded),
        )
    }
    module = tf.Module()
    module.tracked = [variable.value for variable in models.inspectable.variables]
    for name, endpoint in endpoints.items():
        setattr(module, name, endpoint)
    default = {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: endpoints[SERVE]}
    tf.saved_model.save(module, str(directory), default | endpoints)


def _decode(data: "tf.Tensor", size: int) -> "tf.Tensor":
    """An encoded photo as a model's input, decoded by TensorFlow.

    It knows nothing of EXIF: a photo that only its EXIF turns upright is seen as it lies.
    """
    import tensorflow as tf

    photo = tf.io.decode_image(data, channels=3, expand_animations=False)
    photo.set_shape((None, None, 3))
    shape = tf.shape(photo)[:2]
    # As our decoder: at 1/1, 1/2, 1/4 or 1/8, the smallest that is large enough, then linear.
    room = tf.reduce_min(shape) // size
    factor = tf.bitwise.left_shift(1, sum(tf.cast(room >= scale, tf.int32) for scale in (2, 4, 8)))
    reduced = tf.image.resize(photo, (shape + factor - 1) // factor, method="area")
    return tf.image.resize(reduced, (size, size)) / 127.5 - 1
