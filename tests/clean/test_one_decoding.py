"""A photo is decoded once, and what is told from those pixels is what decoding again would tell."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from components.clean import clean as clean_module
from components.clean import quality
from components.clean.clean import is_placeholder, judge
from components.clean.options import CleanOptions
from components.common.dataset import vocabulary
from components.common.photos import images
from components.common.photos.images import CleanPhoto
from components.common.photos.perceptual_hash import phash_of


def scene(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coloured shapes with edges and texture."""
    draw = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.uint8) + np.array([40, 120, 60], np.uint8)
    for _ in range(80):
        centre = (int(draw.integers(0, width)), int(draw.integers(0, height)))
        colour = tuple(int(value) for value in draw.integers(0, 256, 3))
        cv2.circle(pixels, centre, int(draw.integers(5, 60)), colour, -1)
    return np.clip(pixels + draw.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)


def as_photo(pixels: NDArray[np.uint8]) -> CleanPhoto:
    return images.to_clean_jpeg(images.encode(np.ascontiguousarray(pixels)))


@pytest.mark.parametrize("size", [(500, 375), (1600, 1200), (240, 180)])
def test_good_photo_is_decoded_once(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    data = images.encode(scene(*size))
    decoded = []
    decode_jpeg = images.simplejpeg.decode_jpeg

    def counted(*arguments: object, **options: object) -> NDArray[np.uint8]:
        decoded.append(options)
        pixels: NDArray[np.uint8] = decode_jpeg(*arguments, **options)
        return pixels

    monkeypatch.setattr(images.simplejpeg, "decode_jpeg", counted)
    photo = judge(data, CleanOptions(min_bytes=0, suspicious_bytes=0))
    assert quality.flags(photo) == ()
    phash_of(photo.small)
    assert len(decoded) == 1


@pytest.mark.parametrize(
    "size", [(500, 375), (501, 377), (1600, 1200), (1025, 1793), (60, 90), (127, 300), (2000, 130)]
)
def test_pixels_are_those_of_decoding(size: tuple[int, int]) -> None:
    photo = as_photo(scene(*size))
    assert np.array_equal(photo.coarse, images.decode(photo.data, images.CHECKED_SIDE))
    for side in (0, images.SMALL_SIDE, 256):
        assert np.array_equal(photo.pixels(side), images.decode(photo.data, side))
    expected = images.decode(photo.data, images.SMALL_SIDE)
    assert photo.small.shape == expected.shape
    assert np.abs(photo.small.astype(int) - expected).mean() < 2


def test_hash_hardly_depends_on_how_the_small_pixels_were_made(shared_photos: Path) -> None:
    bits = []
    for file in sorted(shared_photos.glob("*/*/*.jpg"))[::2]:
        photo = images.to_clean_jpeg(file.read_bytes())
        bits.append(
            (
                int(phash_of(photo.small), 16)
                ^ int(phash_of(images.decode(photo.data, images.SMALL_SIDE)), 16)
            ).bit_count()
        )
    assert len(bits) > 150
    assert np.mean([count <= 2 for count in bits]) >= 0.99
    assert max(bits) <= 6  # of the 10 that near-copies may differ in


def faults(pixels: NDArray[np.uint8], strength: float) -> list[NDArray[np.uint8]]:
    """A photo too dark, bright, blurred, pale and flat, each in the range of its limit."""
    light = pixels.astype(np.float64)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
    blurred = cv2.GaussianBlur(pixels, (0, 0), max(pixels.shape) * (0.001 + 0.012 * strength))
    found = [
        light * (0.2 + 0.5 * strength),
        255 - (255 - light) * (0.2 + 0.5 * strength),
        blurred.astype(np.float64),
        grey + (light - grey) * 0.2 * strength,
        128 + (light - light.mean()) * 0.2 * strength,
    ]
    return [np.clip(one, 0, 255).astype(np.uint8) for one in found]


def test_coarse_look_misses_no_flag(shared_photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = []
    for number, file in enumerate(sorted(shared_photos.glob("*/*/*.jpg"))[::17]):
        pixels = images.decode(file.read_bytes())
        scale = (420 + 53 * (number % 13)) / max(pixels.shape)
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        photos += [as_photo(one) for one in faults(pixels, number % 10 / 9)]
    looked = [quality.flags(photo) for photo in photos]
    monkeypatch.setattr(quality, "COARSE_SIDE", 0)
    assert looked == [quality.flags(photo) for photo in photos]
    assert {flag for flags in looked for flag in flags} >= {*vocabulary.QUALITY_FLAGS[2:]}
    assert () in looked


def test_flatness_near_its_limit_is_that_of_decoding() -> None:
    draw, shares = np.random.default_rng(0), []
    for deviation in np.linspace(5.0, 6.4, 60):
        noise = draw.normal(128, deviation, (480, 640, 1)).repeat(3, axis=2)
        photo = as_photo(np.clip(noise, 0, 255).astype(np.uint8))
        share = clean_module._flat_share(images.decode(photo.data, images.SMALL_SIDE))
        assert is_placeholder(photo) == (share >= clean_module.PLACEHOLDER_FLAT_SHARE)
        shares.append(share)
    assert min(shares) < 0.89 < 0.91 < max(shares)


def test_percentiles_are_those_of_numpy() -> None:
    draw = np.random.default_rng(0)
    for shape in ((1, 1), (1, 2), (3, 7), (192, 256), (31, 101)):
        for spread in (1, 3, 60):
            levels = np.clip(draw.normal(120, spread, shape), 0, 255).astype(np.uint8)
            wanted = (0, 5, 50, 95, 99, 100)
            assert quality.percentiles(levels, *wanted) == pytest.approx(
                np.percentile(levels, wanted), abs=1e-9
            )
