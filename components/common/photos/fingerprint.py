"""The fingerprint of a photo: its grey levels at 32 x 32 without plain margins.

Copies of a photo have nearly the same one, whatever their size, quality, colours and frame; that of
a copy that was turned or mirrored is turned or mirrored, and that of one that was cut is a part.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels
# Margins are looked for at twice that. A row or column belongs to one where its grey levels deviate
# by this much at most, which is about what JPEG makes of a plain one; so much is left at least.
FINE_SIDE, PLAIN, LEAST_SIDE = 64, 4.0, 24


def fingerprint(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The fingerprint of a photo.

    Args:
        pixels: float32, shape (size, size, 3), RGB, -1 to 1: what the network is given.

    Returns:
        uint8, shape (32, 32).
    """
    grey = cv2.cvtColor((pixels + 1) * np.float32(127.5), cv2.COLOR_RGB2GRAY)
    fine = cv2.resize(grey, (FINE_SIDE, FINE_SIDE), interpolation=cv2.INTER_AREA)
    inside = _without_margins(fine.astype(np.float32, copy=False))
    small = cv2.resize(inside, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.clip(small.round(), 0, 255).astype(np.uint8)


def _without_margins(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture without the plain rows and columns at its edges."""
    top, bottom = _inside(grey)
    left, right = _inside(grey[top:bottom].T)
    # Rows beside a margin that was as wide as the whole width are plain only now.
    again, end = _inside(grey[top:bottom, left:right])
    return grey[top + again : top + end, left:right]


def _inside(rows: NDArray[np.float32]) -> tuple[int, int]:
    """The first row that is not plain, and the one after the last."""
    first, last = 0, len(rows)
    plain = rows.std(axis=1) <= PLAIN
    while last - first > LEAST_SIDE and plain[first]:
        first += 1
    while last - first > LEAST_SIDE and plain[last - 1]:
        last -= 1
    # The row beside a margin is a mixture of both.
    return first + (first > 0), last - (last < len(rows))
