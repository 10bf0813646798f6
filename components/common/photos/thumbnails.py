"""Making a page's thumbnails fit: many photos, and still a page that opens."""

from collections.abc import Sequence

from components.common.photos import images
from components.common.photos.images import BadPhoto

# A page of 1,500 photos stays below 5 MB: that leaves its thumbnails 2.6 MB before base64.
MAX_BYTES = 2_600_000
# Longer side in pixels and JPEG quality, tried in this order.
SMALLER = ((192, 75), (160, 72), (128, 70), (96, 60), (80, 55), (64, 50), (48, 40))


def fit(originals: Sequence[bytes], max_bytes: int = MAX_BYTES) -> Sequence[bytes]:
    """The thumbnails as given, or all of them smaller where together they are too large."""
    thumbnails = originals
    for side, quality in SMALLER:
        if sum(map(len, thumbnails)) <= max_bytes:
            break
        thumbnails = [_smaller(thumbnail, side, quality) for thumbnail in originals]
    return thumbnails


def _smaller(thumbnail: bytes, side: int, quality: int) -> bytes:
    try:
        return images.encode(images.small(thumbnail, side), quality)
    except BadPhoto:  # none, or a strip of a few pixels: small as it is
        return thumbnail
