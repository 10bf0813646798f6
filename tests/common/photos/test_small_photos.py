"""Photos too small for a dataset: their size is read, and they are enlarged rather than refused."""

import io

import heif_files  # noqa: F401 - saves HEIC
import numpy as np
import pytest
from PIL import Image

from components.common.photos import images
from components.common.photos.images import BadPhoto

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (20, 31), (400, 300)])
@pytest.mark.parametrize("kind", KINDS)
def test_size_is_read_however_small(kind: str, size: tuple[int, int]) -> None:
    assert images.probe(saved(Image.new("RGB", size, "orange"), kind)) == size


@pytest.mark.parametrize("kind", KINDS)
def test_size_is_read_from_the_header_alone(kind: str) -> None:
    data = saved(Image.new("RGB", (400, 300), "orange"), kind)
    if kind in ("JPEG", "PNG", "BMP"):
        data = data[: len(data) - 40]
    assert images.probe(data) == (400, 300)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unknown_type"),
        (b"photo", "unknown_type"),
        (b"<html>", "html"),
        (b"\xff\xd8\xff\xe0", "damaged_header"),
        (b"\x89PNG\r\n\x1a\n", "damaged_header"),
    ],
)
def test_what_has_no_header_is_refused(data: bytes, reason: str) -> None:
    for function in (images.probe, images.enlarged):
        with pytest.raises(BadPhoto) as bad:
            function(data)
        assert bad.value.reason == reason


@pytest.mark.parametrize(
    ("size", "enlarged"), [((20, 20), (32, 32)), ((20, 200), (32, 200)), ((1, 1), (32, 32))]
)
@pytest.mark.parametrize("kind", KINDS)
def test_small_photo_is_enlarged_so_that_it_can_be_decoded(
    kind: str, size: tuple[int, int], enlarged: tuple[int, int]
) -> None:
    pixels = images.decode(images.enlarged(saved(Image.new("RGB", size, "orange"), kind)))
    assert pixels.shape[:2] == enlarged[::-1]
    assert np.abs(pixels.reshape(-1, 3).mean(axis=0) - (255, 165, 0)).max() < 6


def test_small_photo_is_turned_upright() -> None:
    left_red = Image.new("RGB", (20, 10), "blue")
    left_red.paste("red", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6  # shown turned by 90 degrees clockwise: red is above
    pixels = images.decode(images.enlarged(saved(left_red, "PNG", exif=exif)))
    assert pixels[2, 16, 0] > 200
    assert pixels[-3, 16, 2] > 200


def test_small_photo_that_is_cut_is_refused() -> None:
    data = saved(Image.effect_noise((30, 30), 90).convert("RGB"), "JPEG")
    with pytest.raises(BadPhoto):
        images.enlarged(data[: len(data) // 2])
