"""Several views of a photo, all made of one square that the network is given.

Each view has the size that the network was made for. The first one is the whole square, reduced;
the others are cut out of it as it is. The network looks at all of them, and its pooled features are
averaged (as in ten-crop testing, Krizhevsky et al. 2012, section 4.1; here the head is trained on
the averages, too). The views are layers of the network (view_layers.py): whatever runs it feeds it
one square of the size that its description names, as if there were one view.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.options import option

VIEWS = (1, 2, 5)
DEFAULT_VIEWS = 1
# Side of a cut beside that of the square; docs/training.md has the figures that it was chosen by.
# With another one, models that were made before would show their maps in the wrong places.
SHARE = 0.625
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
    """A square part of the square that a network is given, in its pixels."""

    top: int
    left: int
    side: int


def input_size(size: int, views: int) -> int:
    """Pixels of the square that a network is given.

    Args:
        size: pixels of the square that the network was made for, and of each view.
        views: one of `VIEWS`.
    """
    if views == 1:
        return size
    given = round(size / SHARE)
    return given + (given - size) % 2  # what is left around the centre is alike on all sides


def network_name(architecture: str, views: int) -> str:
    """An architecture as pages name it: with its views, where there is more than one."""
    return architecture if views == 1 else f"{architecture} with {views} views"


def of_square(size: int, views: int) -> list[View]:
    """Where the views lie in the square that the network is given; the first is all of it.

    Args:
        size: pixels of the square that the network was made for.
        views: one of `VIEWS`.
    """
    given = input_size(size, views)
    room = given - size
    cut = [View(round(room * top), round(room * left), size) for top, left in _PLACES[views]]
    return [View(0, 0, given), *cut]


def on_photo(stacked: NDArray[np.float32], size: int, views: int) -> NDArray[np.float32]:
    """Maps of the views put back into their places, averaged over the views.

    A cell of a cut shows a smaller part of the photo and counts as much as any other: the mean over
    the photo stays the mean over all cells.

    Args:
        stacked: float32, shape (V * h, w), a map of each view below one another.
        size: pixels of the square that the network was made for.
        views: V.

    Returns:
        float32, shape (h, w), over the whole photo.
    """
    if views == 1:
        return stacked
    maps = stacked.reshape(views, -1, stacked.shape[1])
    height, width = maps.shape[1:]
    given = input_size(size, views)
    placed = [
        _overlaps(view.top / given, view.side / given, height)
        @ part
        @ _overlaps(view.left / given, view.side / given, width).T
        for view, part in zip(of_square(size, views), maps, strict=True)
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
