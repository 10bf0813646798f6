"""The pretrained network with its views of a photo (views.py), built of Keras's own layers alone.

So Keras reads a saved model without our code, and LiteRT and TensorFlow get plain operations.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.common.network import keras_form, weights
from components.common.network.architecture import Architecture
from components.common.network.views import input_size, of_square
from components.common.network.weights import Weights

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Seen:
    """Symbolic tensors of a network that looks at several views.

    Attributes:
        input: (N, S, S, 3), RGB, -1 to 1; S is `views.input_size`.
        features: (N, V * h, w, D), the last feature maps of the V views, below one another.
        bottleneck: (N, D), the mean of `features`, and so of the views' pooled features.
        imagenet: (N, 1000), ImageNet probabilities of the whole photo alone, since the limits of
            curate were measured on such.
    """

    input: "keras.KerasTensor"
    features: "keras.KerasTensor"
    bottleneck: "keras.KerasTensor"
    imagenet: "keras.KerasTensor"


def pretrained_network(
    architecture: Architecture, pretrained: Weights, views: int, *, bottleneck: str
) -> Seen:
    """The pretrained network with so many views, built of Keras's own layers alone.

    Args:
        architecture: of the network.
        pretrained: its weights.
        views: one of `VIEWS`.
        bottleneck: name of the layer that pools.
    """
    import keras

    seen = None if views == 1 else _views(architecture.size, views)
    model = architecture.build(input_tensor=seen)
    weights.apply_to_keras(pretrained, model)
    features, imagenet = keras_form.feature_map(model), model.output
    if views > 1:
        # Below one another: a photo has one map again, and its mean is the mean of the views.
        parts = keras.ops.split(features, views, axis=0)
        features = keras.layers.Concatenate(axis=1, name="views_below_one_another")(parts)
        imagenet = keras.ops.split(imagenet, views, axis=0)[0]
    pooled = keras.layers.GlobalAveragePooling2D(name=bottleneck)(features)
    # Not by get_source_inputs: through the branches of Inception that takes minutes.
    (given,) = model.inputs
    return Seen(given, features, pooled, imagenet)


def _views(size: int, views: int) -> "keras.KerasTensor":
    """The views of an input of N squares, shape (V * N, size, size, 3).

    First comes the first view of every square, then the second of every square, and so on.
    """
    import keras

    given = input_size(size, views)
    square = keras.Input((given, given, 3), name="square")
    # Not the layer Resizing: it would put the layers after it into training mode where nobody says
    # which mode a call is in.
    seen = [keras.ops.image.resize(square, (size, size), interpolation="bilinear")]
    for number, view in enumerate(of_square(size, views)[1:], start=2):
        below, right = given - view.top - view.side, given - view.left - view.side
        margins = ((view.top, below), (view.left, right))
        seen.append(keras.layers.Cropping2D(margins, name=f"view_{number}")(square))
    return keras.layers.Concatenate(axis=0, name="views")(seen)
