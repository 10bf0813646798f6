"""Opening a photo by its content, without anything that could cost a sound one.

What lies beside the pixels (EXIF, profiles, texts) is a stranger's too, and often broken: by a
telephone, an editor, a script that copied it halfway. A photo is judged by its pixels alone.
"""

import functools
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from components.common.photos import file_types, isobmff, jpeg_markers, png_chunks

MAX_PIXELS = 100_000_000  # a 100-megapixel photo; a 12,000 x 12,000 bomb has 144
MAX_SIDE = 65_500  # pixels; libjpeg stores no more
MIN_SIDE = 32  # pixels
# Tiles reach beyond the edges of their picture, by less than itself.
MAX_DECODED_PIXELS = 2 * MAX_PIXELS
EXIF_ORIENTATION = 0x0112
# How a picture with this orientation is turned upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# `check_size` judges by MAX_PIXELS before anything is decoded; Pillow's own limit is lower. Its
# warnings are silenced once, here: `warnings.catch_warnings` is not safe in threads.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")


class BadPhoto(Exception):
    """These bytes are no usable photograph.

    Attributes:
        reason: one word for the manifest.
        detail: what was found; may be empty.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def bad(reason: str, error: Exception) -> BadPhoto:
    """The verdict on a photo whose decoder failed.

    Raises:
        MemoryError: there is not enough for any photo: the file may be a good one. A decoder that
            runs out of memory while there is enough believed a damaged header.
    """
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        np.empty((MAX_PIXELS, 3), np.uint8)
    return BadPhoto(reason, f"{type(error).__name__}: {error}")


def check_type(data: bytes) -> str:
    """The type of a photo by its content; raises `BadPhoto` for anything else."""
    kind = file_types.sniff(data)
    if kind in file_types.NO_PHOTO:
        raise BadPhoto(kind or "unknown_type")
    return kind


def check_size(width: int, height: int) -> None:
    """Raise `BadPhoto` for a picture that is too large or too small."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise BadPhoto("too_many_pixels", f"{width} x {height}")
    if min(width, height) < MIN_SIDE:
        raise BadPhoto("too_few_pixels", f"{width} x {height}")


@contextmanager
def opened(data: bytes, reason: str = "damaged") -> Iterator[Image.Image]:
    """A photo as Pillow opens it; what Pillow raises in the block becomes `BadPhoto`."""
    kind = check_type(data)
    try:
        with _open(data, kind) as image:
            yield image
    except BadPhoto:
        raise
    except Exception as error:  # Pillow raises a dozen types on damaged files
        raise bad(reason, error) from error


def orientation(image: Image.Image) -> int:
    """How a picture is to be turned, 1 to 8; 1 (not at all) where its EXIF cannot be read."""
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # a dozen types on damaged EXIF
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def turned(image: Image.Image, how: int) -> Image.Image:
    """The picture upright; itself where it is."""
    return image.transpose(_TURNS[how]) if how in _TURNS else image


def _open(data: bytes, kind: str) -> Image.Image:
    """The photo without the metadata for which a decoder would refuse a sound picture."""
    formats = (kind.upper(),)
    if kind == "jpeg":
        try:
            return Image.open(io.BytesIO(data), formats=formats)
        except Exception:  # of some program's data, perhaps
            data = jpeg_markers.strip_metadata(data, but=jpeg_markers.SHOWING)
    elif kind == "png":
        data = png_chunks.without_metadata(data)
    elif kind in ("heif", "avif"):
        if (pixels := isobmff.pixels_to_decode(data)) > MAX_DECODED_PIXELS:
            raise BadPhoto("too_many_pixels", f"{pixels} in all of its parts")
        data = isobmff.without_metadata(data)
        _know_heif()
    return Image.open(io.BytesIO(data), formats=formats)


@functools.cache
def _know_heif() -> None:
    """Tell Pillow of HEIC and AVIF; only where there is one, since loading decoders takes time."""
    import pillow_heif
    from PIL import AvifImagePlugin

    # Photos are decoded by several threads already, one each.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    # Of a file its main picture alone: no thumbnail, depth or gain map.
    pillow_heif.register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
    )
