"""What may be wrong with a photograph that is a photograph: flags, not verdicts.

Thresholds were chosen on 200 real photos of flowers and damaged copies of them, so that all of the
good ones pass: they are for photos that show nothing, not for photos that are not beautiful.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from components.common.dataset.vocabulary import (
    BLANK,
    BLURRED,
    BRIGHT,
    DARK,
    GREY,
    ODD_ASPECT_RATIO,
    QUALITY_FLAGS,
    SMALL,
)
from components.common.photos.images import CleanPhoto

SIDE = 256  # pixels of the longer side at which light and sharpness are measured

MIN_SIDE = 128  # pixels; the networks see 128 to 224
MAX_ASPECT_RATIO = 3.0  # photos are squeezed into a square


@dataclass(frozen=True)
class Thresholds:
    """Beyond what a photo is flagged.

    Attributes:
        blank: standard deviation of the grey levels, 0 to 255; below this.
        dark: grey level that the brightest hundredth exceeds; below this.
        bright: grey level that all but the darkest twentieth exceed; above this.
        blurred: variance of the Laplacian over that of the grey levels, which does not depend on
            contrast; below this.
        grey: largest difference between a pixel's colours, exceeded by a twentieth; below this.
    """

    blank: float
    dark: float
    bright: float
    blurred: float
    grey: float


# Good photos: deviation 22 and more, chroma 35 and more; in 99 of 100 brightest 133 and more,
# darkest 135 and less, sharpness 0.032 and more. Blurred by 1 % of their side: 0.019 and less.
LIMITS = Thresholds(blank=4.0, dark=90.0, bright=180.0, blurred=0.02, grey=5.0)
# What keeps clear of these on the coarse pixels that checking has decoded keeps clear of `LIMITS`
# at `SIDE`: nearly all photos, which then need no second decoding. At half the size the Laplacian
# of smooth tones is four times as large, its variance sixteen times: `_light` allows for that.
DOUBTFUL = Thresholds(blank=8.0, dark=110.0, bright=160.0, blurred=0.06, grey=12.0)
COARSE_SIDE = 384  # pixels of the longer side up to which coarse pixels tell that


def flags(photo: CleanPhoto) -> tuple[str, ...]:
    """The remarks on a photo, in the order of `QUALITY_FLAGS`."""
    sides = sorted((photo.width, photo.height))
    remarks = _light(photo)
    if sides[0] < MIN_SIDE:
        remarks.add(SMALL)
    if sides[1] > MAX_ASPECT_RATIO * sides[0]:
        remarks.add(ODD_ASPECT_RATIO)
    return tuple(flag for flag in QUALITY_FLAGS if flag in remarks)


def _light(photo: CleanPhoto) -> set[str]:
    """Remarks on light, colour and sharpness, measured at `SIDE` where a coarse look has doubts."""
    side = max(photo.coarse.shape[:2])
    growth = max(1.0, SIDE / side) ** 4
    doubtful = replace(DOUBTFUL, blurred=growth * DOUBTFUL.blurred)
    if side <= COARSE_SIDE and not _beyond(doubtful, photo.coarse):
        return set()
    pixels = photo.pixels(SIDE)
    scale = SIDE / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return _beyond(LIMITS, small.astype(np.uint8, copy=False))


def _beyond(limits: Thresholds, pixels: NDArray[np.uint8]) -> set[str]:
    """The limits that RGB pixels, uint8 (height, width, 3), are beyond."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    darkest, brightest = percentiles(grey, 5, 99)
    variance = _variance(grey)
    sharpness = _variance(cv2.Laplacian(grey, cv2.CV_16S)) / (variance + 1.0)
    red, green, blue = cv2.split(pixels)
    most = cv2.max(cv2.max(red, green), blue)
    least = cv2.min(cv2.min(red, green), blue)
    (chroma,) = percentiles(cv2.subtract(most, least), 95)
    blank = variance < limits.blank**2
    exceeded = {
        BLANK: blank,
        DARK: brightest < limits.dark,
        BRIGHT: darkest > limits.bright,
        BLURRED: not blank and sharpness < limits.blurred,
        GREY: not blank and chroma < limits.grey,
    }
    return {flag for flag, is_so in exceeded.items() if is_so}


def _variance(values: MatLike) -> float:
    """Of integers, exact; `numpy.var` takes five times as long, `cv2.meanStdDev` twice."""
    return cv2.norm(values, cv2.NORM_L2SQR) / values.size - cv2.mean(values)[0] ** 2


def percentiles(levels: MatLike, *wanted: float) -> list[float]:
    """What `numpy.percentile` gives for bytes, from their histogram: a tenth of its time."""
    counts = cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel()
    below = np.cumsum(counts.astype(np.int64))
    values = []
    for percent in wanted:
        place = percent / 100 * (int(below[-1]) - 1)
        whole = int(place)
        low, high = np.searchsorted(below, (whole, min(whole + 1, int(below[-1]) - 1)), "right")
        values.append(float(low + (high - low) * (place - whole)))
    return values
