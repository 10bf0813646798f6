"""Several views of a photo, all made of the one square that the network is given.

The first view is the whole square; each other one is cut out of it and enlarged to the network's
size. The network looks at all of them, and its pooled features are averaged (as in ten-crop
testing, Krizhevsky et al. 2012, section 4.1; here the head is trained on the averages, too). The
views are part of the network: whatever runs it feeds it as if there were one view.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.common.base.options import option
from components.common.network import weights
from components.common.network.architecture import Architecture
from components.common.network.weights import Weights

if TYPE_CHECKING:
    import keras

VIEWS = (1, 2, 5)
DEFAULT_VIEWS = 1
# Of the square's side; chosen on photos of flowers, docs/training.md has the figures. With another
# one, networks and models that were made before show their views elsewhere: change CONVERSION in
# backbone.py, and keep this one for the activation maps of older models.
SHARE = 0.75
# Where in the room that a cut leaves it lies, from the top and from the left; 0.5 is the middle.
_CENTRE = ((0.5, 0.5),)
_CORNERS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
_PLACES = {1: (), 2: _CENTRE, 5: _CORNERS}
views_option = functools.partial(
    option,
    DEFAULT_VIEWS,
    "views of a photo whose features are averaged: 1 is the whole photo, 2 adds its centre, 5 the "
    "four corners; each takes as long as the first",
    choices=VIEWS,
)


@dataclass(frozen=True)
class View:
    """A square part of the network's square input, in its pixels."""

    top: int
    left: int
    side: int


def network_name(architecture: str, views: int) -> str:
    """An architecture as pages name it: with its views, where there is more than one."""
    return architecture if views == 1 else f"{architecture} with {views} views"


@dataclass(frozen=True)
class Seen:
    """Symbolic tensors of a network that looks at several views.

    Attributes:
        input: (N, size, size, 3), RGB, -1 to 1.
        features: (N, V * h, w, D), the last feature maps of the V views, below one another.
        bottleneck: (N, D), the mean of `features`, and so of the views' pooled features.
        imagenet: (N, 1000), ImageNet probabilities of the whole photo alone: the limits of curate
            were measured on these.
    """

    input: "keras.KerasTensor"
    features: "keras.KerasTensor"
    bottleneck: "keras.KerasTensor"
    imagenet: "keras.KerasTensor"


def of_square(views: int, size: int) -> list[View]:
    """Where the views lie in a square of `size` pixels; the first is all of it.

    Args:
        views: one of `VIEWS`.
        size: pixels of the network's input.
    """
    side = round(SHARE * size)
    side -= (size - side) % 2  # the centre is cut off alike on all sides
    room = size - side
    cut = [View(round(room * top), round(room * left), side) for top, left in _PLACES[views]]
    return [View(0, 0, size), *cut]


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

    given = _batch_of_views(architecture.size, views) if views > 1 else None
    model = architecture.build(input_tensor=given)
    weights.apply_to_keras(pretrained, model)
    features, imagenet = model.get_layer(architecture.family.feature_layer).output, model.output
    if views > 1:
        # Below one another: a photo has one map again, and its mean is the mean of the views.
        parts = keras.ops.split(features, views, axis=0)
        features = keras.layers.Concatenate(axis=1, name="views_below_one_another")(parts)
        imagenet = keras.ops.split(imagenet, views, axis=0)[0]
    pooled = keras.layers.GlobalAveragePooling2D(name=bottleneck)(features)
    return Seen(model.input, features, pooled, imagenet)


def _batch_of_views(size: int, views: int) -> "keras.KerasTensor":
    """The views of N inputs, shape (V * N, size, size, 3): the first of all, the second of all."""
    import keras

    whole = keras.Input((size, size, 3), name="photo")
    seen = [whole]
    for number, view in enumerate(of_square(views, size)[1:], start=2):
        below, right = size - view.top - view.side, size - view.left - view.side
        margins = ((view.top, below), (view.left, right))
        cut = keras.layers.Cropping2D(margins, name=f"view_{number}_cut")(whole)
        enlarge = keras.layers.Resizing(size, size, interpolation="bilinear", name=f"view_{number}")
        seen.append(enlarge(cut))
    return keras.layers.Concatenate(axis=0, name="views")(seen)


def on_photo(stacked: NDArray[np.float32], views: int, size: int) -> NDArray[np.float32]:
    """Maps of the views put back into their places, averaged over the views.

    A cell of a cut shows a smaller part of the photo and counts as much as any other: the mean over
    the photo stays the mean over all cells.

    Args:
        stacked: float32, shape (V * h, w), a map of each view below one another.
        views: V.
        size: pixels of the network's input.

    Returns:
        float32, shape (h, w), over the whole photo.
    """
    maps = stacked.reshape(views, -1, stacked.shape[1])
    if views == 1:
        return maps[0]
    height, width = maps.shape[1:]
    placed = [
        _overlaps(view.top / size, view.side / size, height)
        @ part
        @ _overlaps(view.left / size, view.side / size, width).T
        for view, part in zip(of_square(views, size), maps, strict=True)
    ]
    mean: NDArray[np.float32] = np.mean(placed, axis=0, dtype=np.float32)
    return mean


def _overlaps(start: float, length: float, cells: int) -> NDArray[np.float32]:
    """How a row of cells spread over a part of 0 to 1 falls on as many cells over all of it.

    Returns:
        float32, shape (cells, cells): which share of each cell of the part, a column, lies in each
        cell of the whole, a row. Columns add up to 1.
    """
    whole = np.arange(cells + 1) / cells
    part = start + length * whole
    ends = np.minimum(whole[1:, None], part[None, 1:])
    starts = np.maximum(whole[:-1, None], part[None, :-1])
    shares: NDArray[np.float32] = np.clip(ends - starts, 0, None).astype(np.float32)
    return shares * np.float32(cells / length)
