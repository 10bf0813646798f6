"""Copies of a photo are found whatever was done to them, and different photos are kept apart."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SMALL_ARCHITECTURE
from numpy.typing import NDArray

from benchmarks import faults
from components.common.dataset import copies, hash_index, nearest
from components.common.dataset.copies import near_copies
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import load_backbone
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth fingerprints of different photos."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return np.stack([cv2.resize(one, (32, 32), interpolation=cv2.INTER_CUBIC) for one in coarse])  # type: ignore[return-value]


def directions(count: int, dimensions: int = 64, seed: int = 0) -> NDArray[np.float32]:
    """Features of different photos: with a cosine of about 0.5."""
    draw = np.random.default_rng(seed)
    return (1 + draw.normal(size=(count, dimensions))).astype(np.float32)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_copies_are_found(turns: int, mirrored: bool) -> None:
    photos, vectors = pictures(20), directions(20)
    photos[13] = np.rot90(photos[4][:, ::-1] if mirrored else photos[4], turns)
    vectors[13] = vectors[4] + 0.7 * directions(1, seed=1)[0]
    assert near_copies(photos, vectors) == [(4, 13)]


def test_pixels_alone_do_where_there_is_hardly_a_difference() -> None:
    photos, vectors = pictures(20), directions(20)
    photos[13] = photos[4]
    assert near_copies(photos, vectors) == [(4, 13)]


def test_pixels_that_are_close_are_not_enough_where_features_say_another_photo() -> None:
    photos, vectors = pictures(20), directions(20)
    noise = np.random.default_rng(0).normal(0, 26, (32, 32))
    photos[13] = np.clip(photos[4] + noise, 0, 255)
    assert near_copies(photos, vectors) == []
    vectors[13] = vectors[4]
    assert near_copies(photos, vectors) == [(4, 13)]


def test_cut_copy_is_found_among_the_nearest_only() -> None:
    photos, vectors = pictures(40), directions(40)
    photos[13] = cv2.resize(photos[4][4:28, 4:28], (32, 32), interpolation=cv2.INTER_CUBIC)
    assert near_copies(photos, vectors) == []
    vectors[13] = vectors[4] + 0.4 * directions(1, seed=1)[0]
    assert near_copies(photos, vectors) == [(4, 13)]


@pytest.mark.parametrize(
    ("cosine", "found_by"),
    [
        (0.86, []),
        (0.90, ["mobilenet"]),
        (0.93, ["mobilenet", "efficientnet_lite0", "efficientnet_lite2"]),
        (0.955, ["mobilenet", "efficientnet_lite0", "efficientnet_lite2", "of no known network"]),
        (0.97, ["mobilenet", "efficientnet_lite0", "efficientnet_lite2", "of no known network"]),
    ],
)
def test_tilted_copy_has_features_as_no_two_different_photos_of_this_network(
    cosine: float, found_by: list[str]
) -> None:
    photos, vectors = pictures(20), directions(20)
    turn = cv2.getRotationMatrix2D((16, 16), 4, 1.1)
    photos[13] = cv2.warpAffine(photos[4], turn, (32, 32), borderMode=cv2.BORDER_REFLECT)
    own = vectors[4] / np.linalg.norm(vectors[4])
    other = vectors[13] - (vectors[13] @ own) * own
    other /= np.linalg.norm(other)
    vectors[13] = cosine * own + np.sqrt(1 - cosine**2) * other
    for family in ("mobilenet", "efficientnet_lite0", "efficientnet_lite2", "of no known network"):
        expected = [(4, 13)] if family in found_by else []
        assert near_copies(photos, vectors, family) == expected, family
    # Means of several views are more alike, whatever the network is.
    assert near_copies(photos, vectors, "mobilenet", views=2) == (
        [(4, 13)] if cosine == 0.97 else []
    )


def test_network_that_tells_nothing_apart_joins_no_photos() -> None:
    """Such as one with random weights: all photos look alike to it."""
    photos = pictures(80)
    photos[3] = photos[4]
    vectors = np.random.default_rng(0).normal(5, 0.1, (80, 64)).astype(np.float32)
    assert near_copies(photos, vectors) == [(3, 4)]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_photos(count: int) -> None:
    assert near_copies(pictures(2)[:count], directions(2)[:count]) == []


def test_photos_without_any_feature_are_compared_by_pixels() -> None:
    photos = pictures(3)
    photos[2] = photos[0]
    assert near_copies(photos, np.zeros((3, 8), np.float32)) == [(0, 2)]


def test_result_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    photos, vectors = pictures(300), directions(300, 100)
    photos[1::10], vectors[1::10] = photos[::10], vectors[::10]
    found = []
    for threads in (1, 4):
        for module in (copies, nearest, hash_index):
            monkeypatch.setattr(module, "step_threads", lambda threads=threads: threads)
        monkeypatch.setattr(nearest, "BLOCK_ROWS", 64)
        found.append(near_copies(photos, vectors))
    assert found[0] == found[1]
    assert set(found[0]) >= {(row, row + 1) for row in range(0, 300, 10)}


@pytest.fixture(scope="module")
def with_copies(shared_photos: Path, backbone_cache: Path) -> Bottlenecks:
    """Real photos, then their copies, kind by kind."""
    files = sorted((shared_photos / "mushrooms").glob("*/*_1*.jpg"))[::2]
    originals = [images.to_clean_jpeg(file.read_bytes()).data for file in files]
    copied = [faults.copy(jpeg, kind) for kind in faults.COPIES for jpeg in originals]
    photos = ((Photo("x", sha256=str(n)), jpeg) for n, jpeg in enumerate((*originals, *copied)))
    return bottlenecks.compute(load_backbone(SMALL_ARCHITECTURE, backbone_cache), photos)


# With the smallest of the networks; `make bench-cleaning` has the figures of the usual one.
SHARES = {"tilted and cut": 0.45, "cut by 5 %": 0.9, "cut to a square": 0.8, "cut to a corner": 0.9}


@pytest.mark.parametrize("kind", faults.COPIES)
def test_copies_of_real_photos_are_found_and_different_photos_kept_apart(
    kind: str, with_copies: Bottlenecks
) -> None:
    count = len(with_copies.sha256) // (len(faults.COPIES) + 1)
    assert count >= 25
    start = count * (1 + faults.COPIES.index(kind))
    rows = np.r_[:count, start : start + count]
    found = near_copies(
        with_copies.fingerprints_of(rows), with_copies.vectors[rows], with_copies.family
    )
    share = np.mean([(row, count + row) in found for row in range(count)])
    assert share >= SHARES.get(kind, 0.95)
    wrong = {row for pair in found if pair[0] % count != pair[1] % count for row in pair}
    assert len(wrong) <= 0.02 * count
