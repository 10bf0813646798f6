"""Probing and decoding photographs: the one decoder, in training and in serving.

JPEGs go through simplejpeg (libjpeg-turbo) in strict mode, other formats through Pillow. Nothing
is decoded before its header said how large it is.
"""

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from components.common.photos import jpeg_markers
from components.common.photos.colours import is_srgb, to_srgb
from components.common.photos.file_types import sniff
from components.common.photos.opening import EXIF_ORIENTATION as EXIF_ORIENTATION
from components.common.photos.opening import MAX_PIXELS as MAX_PIXELS
from components.common.photos.opening import MIN_SIDE as MIN_SIDE
from components.common.photos.opening import BadPhoto as BadPhoto
from components.common.photos.opening import (
    bad,
    check_size,
    check_type,
    opened,
    orientation,
    turned,
)

# Part of every cache key: change it when decoded pixels change.
DECODER = "simplejpeg-scaled+cv2-linear-1"
# TF-slim preprocessing, as retrain.py applied it: the whole picture is squeezed into the square.
PREPROCESSING = "x/127.5-1"

# Converting takes up to 24 bytes a pixel: threads do it one after another above this.
LARGE_PIXELS = 16_000_000
_large = threading.Lock()
# Pixels that the shorter side still has where photos are checked, and where hashes are computed.
CHECKED_SIDE = 128
SMALL_SIDE = 64
LEAST_SCALE = 8  # libjpeg decodes at 1/8 and no smaller
JPEG_QUALITY = 95
ODD_SUBSAMPLING = "odd subsampling"


@dataclass(frozen=True)
class CleanPhoto:
    """A photograph as datasets store it."""

    data: bytes  # a JPEG without EXIF, upright
    width: int  # pixels
    height: int  # pixels
    # What checking has decoded, so that it need not be decoded again.
    _checked: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def coarse(self) -> NDArray[np.uint8]:
        """The pixels that `decode` gives for `CHECKED_SIDE`."""
        return decode(self.data, CHECKED_SIDE) if self._checked is None else self._checked

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """About what `decode` gives for `SMALL_SIDE`, from the coarse pixels."""
        if self._factor(SMALL_SIDE) == self._factor(CHECKED_SIDE):
            return self.coarse
        # An odd last row is repeated: a JPEG's encoder fills its last blocks up in the same way.
        height, width = self.coarse.shape[:2]
        below, right = height % 2, width % 2
        even = self.coarse
        if below or right:
            even = cv2.copyMakeBorder(even, 0, below, 0, right, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        size = ((width + right) // 2, (height + below) // 2)
        return cv2.resize(even, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def pixels(self, min_side: int) -> NDArray[np.uint8]:
        """The pixels that `decode` gives for `min_side`."""
        same = self._factor(min_side) == self._factor(CHECKED_SIDE)
        return self.coarse if same else decode(self.data, min_side)

    def _factor(self, min_side: int) -> int:
        return scale_factor(self.width, self.height, min_side)


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from the header alone.

    Raises:
        BadPhoto: the header is damaged, the picture is larger than `MAX_PIXELS` or tiny, or it has
            too many scans.
    """
    check_scans(data)
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=True)
    except (ValueError, KeyError) as error:  # KeyError: a header that names no components
        raise BadPhoto("damaged_header", str(error)) from error
    check_size(width, height)
    return width, height


def _with_sound_header(data: bytes) -> bytes:
    """The JPEG, without its profile where that is all for which a strict decoder refuses it."""
    if sniff(data) == "jpeg" and not _has_sound_header(data):
        try:
            plain = jpeg_markers.strip_metadata(data, but=jpeg_markers.TURNING)
        except ValueError:
            return data
        return plain if _has_sound_header(plain) else data
    return data


def _has_sound_header(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg_header(data, strict=True)
    except (ValueError, KeyError):
        return False
    return True


def check_scans(data: bytes) -> None:
    """Raise `BadPhoto` for a JPEG of thousands of scans, which would take many minutes."""
    if jpeg_markers.has_too_many_scans(data):
        raise BadPhoto("too_many_scans", f"more than {jpeg_markers.MAX_SCANS}")


def _checked(data: bytes) -> NDArray[np.uint8] | None:
    """Decode a JPEG strictly, which reads every byte; returns its pixels at `CHECKED_SIDE`.

    None where it has no RGB: few grey pixels are made of it.

    Raises:
        BadPhoto: the data is cut, has holes, or was otherwise damaged.
    """
    if is_scalable(data):
        return _decode_jpeg(data, CHECKED_SIDE)
    _decode_jpeg(data, 1, "GRAY")
    return None


def decode(data: bytes, min_side: int = 0) -> NDArray[np.uint8]:
    """Decode any supported photo, JPEGs at the smallest of 1/1, 1/2, 1/4, 1/8 that suffices.

    A JPEG that is to be turned, or has a colour profile, is so after that: to turn twelve
    megapixels and encode them anew first, as datasets store them, would take ten times as long.

    Args:
        data: the encoded file.
        min_side: pixels that height and width must still have, 0 for the full size.

    Returns:
        uint8 array of shape (height, width, 3), sRGB, upright.

    Raises:
        BadPhoto: it is no photo, or it is damaged.
    """
    data = _with_sound_header(data)
    if not is_scalable(data):
        data = to_clean_jpeg(data).data
    pixels = _decode_jpeg(data, min_side)
    return _as_shown(pixels, data) if needs_conversion(data) else pixels


def _decode_jpeg(data: bytes, min_side: int, colours: str = "RGB") -> NDArray[np.uint8]:
    """The pixels of a JPEG as they are stored, at the smallest scale that suffices."""
    width, height = jpeg_size(data)
    factor = scale_factor(width, height, min_side)
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data,
            colours,
            min_height=-(-height // factor),
            min_width=-(-width // factor),
            strict=True,
        )
    except ValueError as error:
        raise bad("damaged", error) from error
    return pixels


def scale_factor(width: int, height: int, min_side: int) -> int:
    """How many times smaller a JPEG is decoded that shall keep `min_side` pixels: 1, 2, 4 or 8."""
    factor = LEAST_SCALE
    # Never 5/8 and its like: libjpeg-turbo is slower there than at full size.
    while factor > 1 and (not min_side or min(width, height) // factor < min_side):
        factor //= 2
    return factor


def is_scalable(data: bytes) -> bool:
    """True for a JPEG that `decode` need not decode at its full size first."""
    slow = (ODD_SUBSAMPLING, "CMYK", "YCCK")
    return sniff(data) == "jpeg" and _colour_space(data) not in slow


def _as_shown(pixels: NDArray[np.uint8], data: bytes) -> NDArray[np.uint8]:
    """The pixels of a JPEG, turned as its EXIF says, in sRGB if its profile is another."""
    with opened(data) as header:
        image = Image.fromarray(pixels[..., 0] if header.mode == "L" else pixels)
        image.info["icc_profile"] = header.info.get("icc_profile")
        return np.array(to_srgb(turned(image, orientation(header))))


def model_input(data: bytes, size: int) -> NDArray[np.float32]:
    """A photo as MobileNet takes it.

    Returns:
        float32 array of shape (size, size, 3), RGB, -1 to 1.

    Raises:
        BadPhoto: it is no photo, or it is damaged.
    """
    pixels = cv2.resize(decode(data, size), (size, size), interpolation=cv2.INTER_LINEAR)
    scaled: NDArray[np.float32] = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return scaled


def encode(pixels: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """Encode a uint8 RGB array of shape (height, width, 3) as JPEG."""
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB", "420")
    return data


def thumbnail(data: bytes, side: int) -> bytes:
    """A small JPEG whose longer side has at most `side` pixels."""
    return encode(small(data, side), quality=80)


def small(data: bytes, side: int) -> NDArray[np.uint8]:
    """A photo at no more than `side` pixels, uint8 (height, width, 3), RGB, upright.

    Raises:
        BadPhoto: it is no photo, or it is damaged.
    """
    pixels = decode(data, side)
    scale = side / max(pixels.shape[:2])
    if scale < 1:
        width, height = (max(1, round(pixels.shape[axis] * scale)) for axis in (1, 0))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return pixels


def to_clean_jpeg(data: bytes, *, strict: bool = True) -> CleanPhoto:
    """The photo as a JPEG that is upright, in sRGB, and tells nothing but its pixels.

    A plain JPEG keeps its compressed pixels; only its metadata is cut out. Anything else is
    decoded and stored at quality 95: other formats (a GIF's first frame), CMYK, a colour profile
    other than sRGB, a JPEG that must be turned.

    Args:
        data: the file.
        strict: False takes JPEGs as Pillow does, which shows some damaged ones.

    Raises:
        BadPhoto: unknown type, damaged, larger than `MAX_PIXELS`, or smaller than `MIN_SIDE`.
    """
    data = _with_sound_header(data)
    if strict and sniff(data) == "jpeg" and _colour_space(data) != ODD_SUBSAMPLING:
        coarse = _checked(data)
        if not needs_conversion(data):
            try:
                stripped = jpeg_markers.strip_metadata(data)
            except ValueError as error:
                raise BadPhoto("damaged", str(error)) from error
            return CleanPhoto(stripped, *jpeg_size(stripped), coarse)
    upright = shown(data)
    with _turn(*upright.size):
        return CleanPhoto(encode(np.asarray(upright)), *upright.size)


def stripped(data: bytes) -> bytes | None:
    """What `to_clean_jpeg` stores of a JPEG whose pixels it keeps; None where it makes another one.

    It takes a fraction of the time, as nobody looks whether the picture is whole.
    """
    sound = _with_sound_header(data)
    plain = sniff(sound) == "jpeg" and _colour_space(sound) != ODD_SUBSAMPLING
    if not plain or needs_conversion(sound):
        return None
    try:
        return jpeg_markers.strip_metadata(sound)
    except ValueError:
        return None


def shown(data: bytes) -> Image.Image:
    """The picture as Pillow shows it, which takes some damaged JPEGs: upright, in sRGB.

    Raises:
        BadPhoto: as `to_clean_jpeg`.
    """
    if check_type(data) == "jpeg":
        check_scans(data)
    with opened(data) as image:
        check_size(*image.size)
        with _turn(*image.size):
            image.load()  # so that damage is told, which `orientation` overlooks
            return to_srgb(turned(image, orientation(image)))


def _turn(width: int, height: int) -> AbstractContextManager[object]:
    """Wait until no other thread converts a large photo; no wait for one that is not large."""
    return _large if width * height > LARGE_PIXELS else nullcontext()


def probe(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of any supported photo, from its header alone, however small.

    Raises:
        BadPhoto: unknown type, or a damaged header.
    """
    # Pillow takes seconds over a JPEG of a million empty segments.
    if check_type(data) == "jpeg" and _colour_space(data) != ODD_SUBSAMPLING:
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        except (ValueError, KeyError) as error:
            raise bad("damaged_header", error) from error
        return width, height
    with opened(data, "damaged_header") as image:
        return image.size


def enlarged(data: bytes) -> bytes:
    """A JPEG of a photo that has less than `MIN_SIDE` pixels, its short sides enlarged to that.

    Datasets refuse so small photos, but who asks about one shall get an answer.

    Raises:
        BadPhoto: it is damaged, or has too many pixels.
    """
    check_size(*(max(side, MIN_SIDE) for side in probe(data)))
    with opened(data) as image:
        image.load()
        upright = to_srgb(turned(image, orientation(image)))
        width, height = (max(side, MIN_SIDE) for side in upright.size)
        return encode(np.asarray(upright.resize((width, height), Image.Resampling.BICUBIC)))


def needs_conversion(data: bytes) -> bool:
    """True for a JPEG whose pixels must change: turned, not RGB or grey, or a foreign profile."""
    colours = _colour_space(data)
    if colours == ODD_SUBSAMPLING:
        return True
    end = jpeg_markers.header_end(data)
    if data.find(b"Exif\0", 0, end) < 0 and data.find(b"ICC_PROFILE\0", 0, end) < 0:
        return colours in ("CMYK", "YCCK")
    try:
        with opened(data) as image:
            profile = image.info.get("icc_profile")
            foreign = bool(profile and not is_srgb(profile))
            return orientation(image) != 1 or image.mode == "CMYK" or foreign
    except BadPhoto:  # unreadable metadata is cut out; the pixels were checked already
        return False


def _colour_space(data: bytes) -> str:
    """How a JPEG codes colours by its header, such as "YCbCr"; empty where that is damaged.

    `ODD_SUBSAMPLING` for a sound JPEG whose subsampling simplejpeg's decoder does not know.
    """
    try:
        return str(simplejpeg.decode_jpeg_header(data, strict=False)[2])
    except KeyError:
        return ""
    except ValueError as error:
        return ODD_SUBSAMPLING if "subsampling level" in str(error) else ""
