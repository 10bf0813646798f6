"""Making a page's thumbnails fit: many photos, and still a page that opens."""

from collections.abc import Sequence

import cv2

from components.common.photos import images
from components.common.photos.images import BadPhoto

# A page of 1,500 photos stays below 5 MB: that leaves its thumbnails 2.6 MB before base64.
MAX_BYTES = 2_600_000
# Longer side in pixels and JPEG quality, tried in this order.
SMALLER = ((192, 75), (160, 72), (128, 70), (96, 60), (80, 55), (64, 50), (48, 40))


def fit(given: Sequence[bytes], max_bytes: int = MAX_BYTES) -> Sequence[bytes]:
    """The thumbnails as given, or all of them smaller where together they are too large."""
    thumbnails = given
    for side, quality in SMALLER:
        if sum(map(len, thumbnails)) <= max_bytes:
            break
        thumbnails = [_smaller(thumbnail, side, quality) for thumbnail in given]
    return thumbnails


def _smaller(thumbnail: bytes, side: int, quality: int) -> bytes:
    try:
        pixels = images.decode(thumbnail)
    except BadPhoto:  # none, or a strip of a few pixels: small as it is
        return thumbnail
    scale = min(1.0, side / max(pixels.shape[:2]))
    width, height = (max(1, round(pixels.shape[axis] * scale)) for axis in (1, 0))
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return images.encode(resized, quality)  # type: ignore[arg-type]
