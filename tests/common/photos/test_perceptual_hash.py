"""The perceptual hash: the bits of imagehash.phash, on real photos and on odd ones."""

from pathlib import Path

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.common.photos import images
from components.common.photos.perceptual_hash import phash_of


def reference(pixels: NDArray[np.uint8]) -> str:
    return str(imagehash.phash(Image.fromarray(pixels)))


def test_hash_of_real_photos_is_that_of_imagehash(shared_photos: Path) -> None:
    files = sorted(shared_photos.glob("*/*/*.jpg"))
    assert len(files) > 300
    for file in files:
        pixels = images.decode(file.read_bytes(), images.SMALL_SIDE)
        assert phash_of(pixels) == reference(pixels), file.name


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (64, 700), (301, 97), (1, 5)])
def test_hash_of_any_shape_is_that_of_imagehash(shape: tuple[int, int]) -> None:
    for seed in range(20):
        pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
        assert phash_of(pixels) == reference(pixels)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.zeros((64, 64, 3), np.uint8), "0000000000000000"),
        (np.full((70, 90, 3), 130, np.uint8), "8000000000000000"),
        (np.tile(np.arange(64, dtype=np.uint8)[:, None, None], (1, 80, 3)), "8000800080008000"),
    ],
    ids=["black", "one tone", "a ramp"],
)
def test_frequencies_that_a_picture_lacks_are_no_rounding_noise(
    pixels: NDArray[np.uint8], expected: str
) -> None:
    assert phash_of(pixels) == expected == reference(pixels)
