"""What may be wrong with a photograph that is a photograph: flags, not verdicts.

Thresholds were chosen on 200 real photos of flowers and damaged copies of them, so that all of the
good ones pass: they are for photos that show nothing, not for photos that are not beautiful.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common import images
from components.common.images import CleanPhoto

SIDE = 256  # pixels of the longer side at which light and sharpness are measured

SMALL, ODD_ASPECT_RATIO, BLANK, DARK = "small", "odd_aspect_ratio", "blank", "dark"
BRIGHT, BLURRED, GREY = "bright", "blurred", "grey"
FLAGS = (SMALL, ODD_ASPECT_RATIO, BLANK, DARK, BRIGHT, BLURRED, GREY)

MIN_SIDE = 128  # pixels; the networks see 128 to 224
MAX_ASPECT_RATIO = 3.0  # photos are squeezed into a square
# Standard deviation of the grey levels, 0 to 255. Good photos: 22 and more.
BLANK_DEVIATION = 4.0
# The brightest hundredth is darker than this. Good photos: 133 and more in 99 of 100.
DARK_LEVEL = 90.0
# All but the darkest twentieth are brighter than this. Good photos: 135 and less in 99 of 100.
BRIGHT_LEVEL = 180.0
# Variance of the Laplacian over that of the grey levels, which does not depend on contrast. Good
# photos: 0.032 and more in 99 of 100; blurred by 1 % of their side: 0.019 and less.
BLURRED_SHARPNESS = 0.02
# Largest difference between a pixel's colours, exceeded by a twentieth of them. Good photos: 35.
GREY_CHROMA = 5.0


def flags(photo: CleanPhoto) -> tuple[str, ...]:
    """The remarks on a photo, in the order of `FLAGS`."""
    pixels = images.decode(photo.data, SIDE)
    scale = SIDE / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    sides = sorted((photo.width, photo.height))
    found = {
        SMALL: sides[0] < MIN_SIDE,
        ODD_ASPECT_RATIO: sides[1] > MAX_ASPECT_RATIO * sides[0],
        **_light(small.astype(np.uint8)),
    }
    return tuple(flag for flag in FLAGS if found[flag])


def _light(pixels: NDArray[np.uint8]) -> dict[str, bool]:
    """Remarks on light, colour and sharpness of RGB pixels, uint8 (height, width, 3)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    darkest, brightest = np.percentile(grey, (5, 99))
    variance = float(grey.var())
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).var()) / (variance + 1.0)
    red, green, blue = cv2.split(pixels)
    most = cv2.max(cv2.max(red, green), blue)
    least = cv2.min(cv2.min(red, green), blue)
    chroma = float(np.percentile(cv2.subtract(most, least), 95))
    blank = variance < BLANK_DEVIATION**2
    return {
        BLANK: blank,
        DARK: bool(brightest < DARK_LEVEL),
        BRIGHT: bool(darkest > BRIGHT_LEVEL),
        BLURRED: not blank and sharpness < BLURRED_SHARPNESS,
        GREY: not blank and chroma < GREY_CHROMA,
    }
