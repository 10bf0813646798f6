"""Showing a class activation map on its photo: where the picture speaks for the answer."""

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.photos import images

DIM = 0.3  # brightness, and colour, of what does not speak for the class
OUTLINED = 0.5  # of the highest value: inside the line
LINE = (255, 214, 10)  # RGB; seen on light and dark, and by people who are colour-blind


def spotlight(data: bytes, activation: NDArray[np.float32], side: int) -> bytes:
    """A small JPEG of the photo, dimmed and grey where it does not speak for the class.

    The network sees the whole photo squeezed into a square, so the map covers the whole photo.

    Args:
        data: the encoded photo.
        activation: float32, shape (h, w), from `Model.activation_map`.
        side: pixels of the longer side, at most.

    Raises:
        BadPhoto: it is no photo.
    """
    pixels = images.small(data, side)
    height, width = pixels.shape[:2]
    high = max(float(activation.max()), 1e-6)
    shares = np.clip(activation / high, 0, 1).astype(np.float32)
    strength = np.clip(cv2.resize(shares, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    lit = strength[..., None]
    blended = grey * DIM * (1 - lit) + pixels.astype(np.float32) * lit
    drawn = np.ascontiguousarray(np.clip(blended, 0, 255).astype(np.uint8))
    inside = (strength >= OUTLINED).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, outlines, -1, LINE, thickness=max(2, side // 120), lineType=cv2.LINE_AA)
    return images.encode(drawn, quality=80)
