"""The decoder on damaged files: a photo or a reason, never another error."""

import io
import random
from functools import cache

import heif_files  # noqa: F401 - saves HEIC
import numpy as np
import pytest
from faults.faults import cases
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.clean import quality
from components.common.dataset import vocabulary
from components.common.photos import images, jpeg_markers
from components.common.photos.images import BadPhoto

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")


@cache
def sound(kind: str, variant: int) -> bytes:
    """A sound picture: baseline and progressive, grey, palette, alpha, with EXIF."""
    draw = np.random.default_rng(variant)
    pixels = draw.integers(0, 256, (60 + 13 * variant, 80, 3), dtype=np.uint8)
    picture = Image.fromarray(np.repeat(np.repeat(pixels, 2, 0), 2, 1))
    mode = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGBA", "P", "L"), "TIFF": ("RGB", "CMYK", "L")}
    mode |= {"HEIF": ("RGB", "RGBA", "L"), "AVIF": ("RGB", "RGBA", "L")}
    picture = picture.convert(mode.get(kind, ("RGB", "RGB", "L"))[variant])
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"JPEG": {"progressive": variant == 1, "exif": exif}, "TIFF": {"exif": exif}}
    options |= {kind: {"exif": exif.tobytes(), "quality": 60} for kind in ("HEIF", "AVIF")}
    stream = io.BytesIO()
    picture.save(stream, kind, **options.get(kind, {}))
    return stream.getvalue()


def damaged(data: bytes, seed: int) -> bytes:
    """The file with a few bytes flipped, dropped, doubled, zeroed, cut off or moved about."""
    draw = random.Random(seed)
    body = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        if not body:
            break
        # Half of the damage goes to the header, where it is worst.
        reach = len(body) if draw.random() < 0.5 else min(len(body), 300)
        start = draw.randrange(reach)
        length = draw.choice((1, 2, 4, 16, 200))
        kind = draw.randrange(6)
        if kind == 0:
            body[start] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del body[start : start + length]
        elif kind == 2:
            body[start:start] = body[start : start + length]
        elif kind == 3:
            body[start : start + length] = bytes(min(length, len(body) - start))
        elif kind == 4:
            body[start : start + length] = draw.randbytes(min(length, len(body) - start))
        else:
            del body[draw.randrange(reach) + 1 :]
    return bytes(body)


@settings(max_examples=cases(600, 50_000))
@given(st.sampled_from(FORMATS), st.integers(0, 2), st.integers(0, 2**32))
def test_damaged_file_is_a_photo_or_has_its_reason(kind: str, variant: int, seed: int) -> None:
    data = damaged(sound(kind, variant), seed)
    try:
        photo = images.to_clean_jpeg(data)
    except BadPhoto:  # any other error fails the test
        return
    pixels = images.decode(photo.data)
    assert pixels.shape == (photo.height, photo.width, 3)
    assert set(quality.flags(photo)) <= set(vocabulary.QUALITY_FLAGS)
    jpeg_markers.has_end(data)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_sound_file_is_a_photo(kind: str, variant: int) -> None:
    photo = images.to_clean_jpeg(sound(kind, variant))
    assert min(photo.width, photo.height) >= 120
