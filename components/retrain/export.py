"""The trained model in its several forms, built with Keras from the backbone and the head."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.common import model, weights, weights_sources
from components.common.backbone import FEATURE_LAYER, Architecture
from components.common.convert import save_endpoints, to_litert
from components.common.weights import Weights
from components.retrain.head import Head

if TYPE_CHECKING:
    import keras

INSPECT = "inspect"


@dataclass(frozen=True)
class KerasModels:
    """Two views of the same layers: the classifier, and one that shows its inside as well."""

    classifier: "keras.Model"
    inspectable: "keras.Model"


def build(architecture: Architecture, pretrained: Weights, head: Head) -> KerasModels:
    """Join backbone and head.

    The classifier takes float32 (N, size, size, 3), RGB, -1 to 1, and gives probabilities, float32
    (N, classes). The inspectable model gives bottleneck and feature map besides.
    """
    import keras

    mobilenet = weights_sources.build_mobilenet(architecture)
    weights.apply_to_keras(pretrained, mobilenet)
    features = mobilenet.get_layer(FEATURE_LAYER).output
    bottleneck = keras.layers.GlobalAveragePooling2D(name=model.BOTTLENECK)(features)
    layer = keras.layers.Dense(len(head.biases), activation="softmax", name=model.SCORES)
    scores = layer(bottleneck)
    layer.set_weights([head.weights, head.biases])
    name = architecture.name.replace(".", "_")
    return KerasModels(
        keras.Model(mobilenet.input, scores, name=f"{name}_retrained"),
        keras.Model(
            mobilenet.input,
            {model.SCORES: scores, model.BOTTLENECK: bottleneck, model.FEATURES: features},
            name=f"{name}_inspectable",
        ),
    )


def write(models: KerasModels, architecture: Architecture, directory: Path) -> None:
    """Write `model.keras`, `saved_model/` and `model.tflite` into a directory.

    The SavedModel has the signatures `serve` (also the default) and `inspect`; the second is what
    LiteRT is made from, so that the graph is traced and written once.
    """
    import keras

    models.classifier.save(directory / model.KERAS)
    named = keras.Model(models.classifier.input, {model.SCORES: models.classifier.output})
    endpoints = {"serve": named, INSPECT: models.inspectable}
    save_endpoints(endpoints, architecture.size, directory / model.SAVED_MODEL)
    (directory / model.LITERT).write_bytes(to_litert(directory / model.SAVED_MODEL, INSPECT))
