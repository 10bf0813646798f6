"""Close hashes are found without comparing all pairs, and none is missed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import faults
from components.common.photos import hash_index, images
from components.common.photos.images import phash
from components.download.sources import sample


def brute_force(hashes: np.ndarray, most_bits: int) -> list[tuple[int, int]]:
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    return [(i, j) for i, j in np.argwhere(bits <= most_bits).tolist() if i < j]


def related_hashes(seed: int, count: int) -> np.ndarray:
    """Random hashes, some with a neighbour at 0 to 13 bits."""
    draw = np.random.default_rng(seed)
    hashes = draw.integers(0, 2**64, count, dtype=np.uint64)
    for row in range(1, count, 2):
        flipped = draw.choice(64, draw.integers(0, 14), replace=False)
        mask = sum(1 << int(bit) for bit in flipped)
        hashes[row] = hashes[row - 1] ^ np.uint64(mask)
    return draw.permutation(hashes)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 80), most_bits=st.integers(0, 14))
def test_pairs_are_those_of_comparing_all(seed: int, count: int, most_bits: int) -> None:
    hashes = related_hashes(seed, count)
    assert hash_index.close_pairs(hashes, most_bits) == brute_force(hashes, most_bits)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 60))
def test_mirrored_pairs_are_those_of_comparing_all(seed: int, count: int) -> None:
    hashes = related_hashes(seed, count)
    hashes[::3] ^= hash_index.MIRROR
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None, :] ^ hash_index.MIRROR)
    expected = [(i, j) for i, j in np.argwhere(bits <= 10).tolist() if i < j]
    assert hash_index.mirrored_pairs(hashes, 10) == expected


def test_few_of_many_pairs_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    distances = hash_index.distances

    def counted(hashes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        nonlocal looked_at
        looked_at += len(pairs)
        return distances(hashes, pairs)

    monkeypatch.setattr(hash_index, "distances", counted)
    hashes = related_hashes(0, 20_000)
    found = hash_index.close_pairs(hashes, 10)
    assert len(found) > 7_000
    assert looked_at < 20_000**2 / 2 / 20  # a twentieth of all pairs


def test_very_many_equal_hashes_do_not_pair_with_all() -> None:
    found = hash_index.close_pairs(np.zeros(5_000, dtype=np.uint64), 10)
    assert 0 < len(found) <= hash_index.MAX_EQUAL**2


def test_mirrored_picture_has_the_mirrored_hash() -> None:
    for picture in sample.render_class("fly agaric", 6):
        if picture.fault is None:
            pixels = images.decode(picture.data)
            mirrored = images.encode(np.ascontiguousarray(pixels[:, ::-1]))
            straight, turned = int(phash(picture.data), 16), int(phash(mirrored), 16)
            assert (straight ^ turned ^ int(hash_index.MIRROR)).bit_count() <= 10


def test_copies_of_real_photos_are_found_and_different_photos_kept_apart(
    shared_photos: Path, backbone_cache: Path
) -> None:
    from conftest import SMALL_ARCHITECTURE

    from components.common.dataset.groups import near_copies
    from components.common.network.backbone import load_backbone

    folder = shared_photos / "mushrooms"
    originals = [
        images.to_clean_jpeg(p.read_bytes()).data for p in sorted(folder.glob("*/*_1*.jpg"))
    ]
    kinds = faults.COPIES
    photos = originals + [faults.copy(jpeg, kind) for kind in kinds for jpeg in originals]
    backbone = load_backbone(SMALL_ARCHITECTURE, backbone_cache)
    size = backbone.architecture.size
    vectors = [backbone(images.model_input(photo, size)[None])[0] for photo in photos]
    found = set(near_copies([phash(photo) for photo in photos], np.concatenate(vectors)))
    count = len(originals)
    for number, kind in enumerate(kinds, start=1):
        recall = np.mean([(i, number * count + i) in found for i in range(count)])
        assert recall >= 0.95, kind
    assert not [pair for pair in found if pair[0] % count != pair[1] % count]
