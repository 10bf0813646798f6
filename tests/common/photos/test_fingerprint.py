"""Fingerprints: grey levels without plain margins, and how one is found in a part of another."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from components.common.photos import cuttings, perceptual_hash
from components.common.photos.fingerprint import SIDE, fingerprint


def scene(seed: int, height: int = 224, width: int = 224) -> NDArray[np.float32]:
    """A smooth picture, as the network is given one."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (9, 9, 3)).astype(np.float32)
    shape = (width, height)
    return np.clip(cv2.resize(coarse, shape, interpolation=cv2.INTER_CUBIC), -1, 1)  # type: ignore[return-value]


def correlation(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    return float(np.corrcoef(left.ravel(), right.ravel())[0, 1])


@pytest.mark.parametrize("size", [128, 192, 224, 331])
def test_sizes_of_networks_give_the_same_fingerprint(size: int) -> None:
    pixels = scene(0)
    smaller = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    found = fingerprint(smaller)  # type: ignore[arg-type]
    assert (found.shape, found.dtype) == ((SIDE, SIDE), np.uint8)
    assert correlation(found, fingerprint(pixels)) > 0.99


@pytest.mark.parametrize("tone", [-1, 0.2, 1], ids=["black", "grey", "white"])
@pytest.mark.parametrize(
    "margins", [(20, 20, 20, 20), (56, 56, 0, 0), (0, 0, 56, 56), (0, 60, 0, 0)], ids=str
)
def test_margins_are_left_out(tone: float, margins: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = margins
    pixels = scene(1)
    framed = np.full((224, 224, 3), tone, np.float32)
    inside = cv2.resize(pixels, (224 - left - right, 224 - top - bottom))
    framed[top : 224 - bottom, left : 224 - right] = inside
    assert correlation(fingerprint(framed), fingerprint(pixels)) > 0.9


def test_a_plain_picture_has_one_too() -> None:
    assert fingerprint(np.zeros((224, 224, 3), np.float32)).std() == 0


TURNS = {
    "as it is": lambda p: p,
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "by 90": np.rot90,
    "by 180": lambda p: np.rot90(p, 2),
    "by 270": lambda p: np.rot90(p, 3),
    "transposed": np.transpose,
    "mirrored and by 90": lambda p: np.rot90(p[:, ::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
def test_turned_photos_have_an_upright_hash_in_common(turn: str) -> None:
    for seed in range(20):
        one = fingerprint(scene(seed))
        other = TURNS[turn](one)
        rows, hashes = perceptual_hash.upright_hashes(np.stack([one, other]))
        bits = np.bitwise_count(hashes[rows == 0][:, None] ^ hashes[rows == 1])
        assert bits.min() <= 2


def test_hashes_of_different_photos_are_not_close() -> None:
    rows, hashes = perceptual_hash.upright_hashes(np.stack([fingerprint(scene(s)) for s in (1, 2)]))
    assert np.bitwise_count(hashes[rows == 0][:, None] ^ hashes[rows == 1]).min() > 10


def test_of_no_photos_there_are_no_hashes() -> None:
    rows, hashes = perceptual_hash.upright_hashes(np.empty((0, 32, 32), np.uint8))
    assert len(rows) == len(hashes) == 0


@pytest.mark.parametrize(
    "part",
    [
        (slice(0, 224), slice(0, 224)),
        (slice(11, 213), slice(11, 213)),
        (slice(34, 190), slice(34, 190)),
        (slice(0, 168), slice(56, 224)),
        (slice(0, 224), slice(34, 190)),
        (slice(67, 224), slice(0, 224)),
    ],
    ids=["all", "5 %", "15 %", "a corner", "a square", "without its top"],
)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_part_is_found_in_its_whole(part: tuple[slice, slice], mirrored: bool, order: int) -> None:
    wholes = [scene(seed) for seed in range(30)]
    parts = [whole[part][:, ::-1] if mirrored else whole[part] for whole in wholes]
    cut = [cv2.resize(one, (224, 224), interpolation=cv2.INTER_AREA) for one in parts]
    photos = np.stack([fingerprint(one) for one in (*wholes, *cut)])  # type: ignore[arg-type]
    pairs = np.array([(row, row + 30)[::order] for row in range(30)])
    assert (cuttings.likenesses(photos, pairs) >= 0.9).mean() >= 0.95
    others = np.array([(row, 30 + (row + 1) % 30)[::order] for row in range(30)])
    assert (cuttings.likenesses(photos, others) < 0.9).all()


def test_flat_pictures_are_like_nothing() -> None:
    photos = np.stack([np.full((32, 32), 9, np.uint8), fingerprint(scene(0))])
    assert cuttings.likenesses(photos, np.array([(0, 1), (0, 0)])).max() < 0.5
