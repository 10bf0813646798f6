"""How a photo becomes the input of a network that is no model directory of ours."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.photos import images

MAX_SIDE = 4096  # pixels of the network's input
USUAL_SIDE = 224  # where neither the network nor a person says it


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input.

    Attributes:
        height, width: pixels; None for what the network says of itself, else `USUAL_SIDE`.
        mean: subtracted from each value, which is 0 to 255.
        std: what the difference is divided by.
    """

    height: int | None = None
    width: int | None = None
    mean: float = 127.5
    std: float = 127.5

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if side is not None and not 1 <= side <= MAX_SIDE:
                raise InputError(f"--input_{name} is {side}: expected 1 to {MAX_SIDE} pixels")
        if not (np.isfinite(self.mean) and np.isfinite(self.std) and self.std):
            raise InputError(
                f"--input_mean is {self.mean} and --input_std {self.std}: expected numbers, and "
                "--input_std not 0"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height or USUAL_SIDE, self.width or USUAL_SIDE

    def fitted(self, height: int, width: int) -> "Preprocessing":
        """The same for a network that says its height and width; -1 where it takes any."""
        return replace(
            self,
            height=self.height or (height if 0 < height <= MAX_SIDE else None),
            width=self.width or (width if 0 < width <= MAX_SIDE else None),
        )

    def __call__(self, data: bytes) -> NDArray[np.float32]:
        """An encoded photo as float32 of shape (height, width, 3), RGB.

        Raises:
            BadPhoto: it is no photo, or it is damaged.
        """
        height, width = self.size
        pixels = images.decode(data, max(height, width))
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        scaled: NDArray[np.float32] = resized.astype(np.float32) - np.float32(self.mean)
        return scaled / np.float32(self.std)
