"""Is one photo cut out of another? Asked of fingerprints, of many pairs at once."""

import math
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.photos.fingerprint import SIDE

# Windows that are looked at first: how much of a side they are, and how many places each has. They
# are compared in so many cells a side. The true place of a part has `PROMISING` or more there in
# 95 of 100 cases, two different photos 0.80 or less in nine of ten.
SIZES = ((1.0, 1), (0.9, 3), (0.75, 3))
CELLS, PROMISING = 8, 0.75
# Sizes beside that of the best window which are tried then, at every place: 0.70 to 1.
FINER = (0.93, 1.0, 1.07)


def _windows() -> NDArray[np.float32]:
    """What makes cells of a side: float32, shape (windows, cells, SIDE), each row of sum 1."""
    made = []
    for size, places in SIZES:
        for start in np.linspace(0, 1 - size, places):
            edges = SIDE * (start + size * np.arange(CELLS + 1) / CELLS)
            pixel = np.arange(SIDE)
            covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
            cells = np.clip(covered, 0, None)
            made.append(cells / cells.sum(axis=1, keepdims=True))
    return np.array(made, dtype=np.float32)


_WINDOWS = _windows()
_SIZE_OF_WINDOW = [size for size, places in SIZES for _ in range(places)]


def likenesses(fingerprints: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """How well one photo of each pair fits a part of the other, straight or mirrored.

    Args:
        fingerprints: uint8, shape (N, 32, 32).
        pairs: int64, shape (P, 2), rows of them; a few hundred, since each photo takes 26 KB here.

    Returns:
        float32, shape (P,): the correlation of grey levels at the best place, -1 to 1; of pairs
        without a promising place it is that of a coarse look.
    """
    rows, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(-1, 2)
    photos = fingerprints[rows].astype(np.float32)
    whole, mirrored = _in_windows(photos)
    likeness = np.full(len(pairs), -1, np.float32)
    way = np.zeros((len(pairs), 3), np.intp)  # which is the whole, is the part mirrored, the window
    for side, flipped in product((0, 1), (0, 1)):
        wholes, parts = places[:, side], places[:, 1 - side]
        part = (mirrored if flipped else whole[:, 0])[parts]
        for window in range(whole.shape[1]):
            found = np.einsum("nc,nc->n", whole[wholes, window], part)
            better = found > likeness
            likeness[better] = found[better]
            way[better] = side, flipped, window
    for row in np.flatnonzero(likeness >= PROMISING):
        side, flipped, window = way[row]
        inner, outer = photos[places[row, [1 - side, side]]]
        likeness[row] = _fine(outer, inner[:, ::-1] if flipped else inner, window)
    return likeness


def _in_windows(
    photos: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cells of each window, (N, windows, cells), the whole photo first, and of it mirrored."""
    rows = np.einsum("wcp,npq->nwcq", _WINDOWS, photos, optimize=True)
    cells = np.einsum("nwcq,vdq->nwvcd", rows, _WINDOWS, optimize=True)
    flat = (len(photos), -1, CELLS**2)
    mirrored = cells[:, 0, 0, :, ::-1].reshape(flat)[:, 0]
    return centred(cells.reshape(flat)), centred(mirrored)


def centred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Less their mean and of length 1, along the last axis."""
    centred: NDArray[np.float32] = values - values.mean(axis=-1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=-1, keepdims=True) + 1e-6
    return centred


def _fine(whole: NDArray[np.float32], part: NDArray[np.float32], window: int) -> float:
    """The correlation at the best place, for sizes beside that of the window."""
    height, width = (_SIZE_OF_WINDOW[number] for number in divmod(window, len(_WINDOWS)))
    best = -1.0
    sides = [
        [min(SIDE, math.floor(SIDE * size * finer + 0.5)) for finer in FINER]
        for size in (width, height)
    ]
    for shape in {(across, down) for across in sides[0] for down in sides[1]}:
        template = cv2.resize(np.ascontiguousarray(part), shape, interpolation=cv2.INTER_AREA)
        best = max(best, cv2.matchTemplate(whole, template, cv2.TM_CCOEFF_NORMED).max())
    return best
