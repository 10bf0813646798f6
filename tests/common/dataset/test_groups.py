"""Groups: the properties that keep the split free of leaks, checked on any input."""

import hashlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.common.dataset import groups
from components.common.dataset.photo import Photo


def test_group_key_is_of_the_observation_and_not_of_the_name() -> None:
    seen = Photo(label="a", path="a/1.jpg", source_url="x", observation="inat:1", source_sha256="c")
    renamed = Photo(label="b", path="b/2.jpg", source_url="y", observation="inat:1")
    assert groups.group_keys([seen])[0] == hashlib.sha1(b"inat:1").hexdigest()
    assert groups.group_keys([renamed])[0] == groups.group_keys([seen])[0]
    assert groups.group_keys([Photo("a", source_sha256="ab")])[0] == hashlib.sha1(b"ab").hexdigest()


photo_rows = st.lists(
    st.builds(
        Photo,
        label=st.sampled_from(["daisy", "roses"]),
        observation=st.sampled_from(["", "", "o1", "o2", "o3"]),
        sha256=st.sampled_from(["s1", "s2", "s3", "s4", "s5", "s6"]),
        source_sha256=st.sampled_from(["", "t1", "t2", "t3", "t4"]),
    ),
    max_size=14,
)


@given(photos=photo_rows, data=st.data())
def test_groups_are_the_connected_components(photos: list[Photo], data: st.DataObject) -> None:
    row = st.integers(0, max(0, len(photos) - 1))
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=5)) if photos else []
    linked = np.eye(len(photos), dtype=bool)
    for left, one in enumerate(photos):
        for right, other in enumerate(photos):
            linked[left, right] |= (
                (one.observation == other.observation != "")
                or one.sha256 == other.sha256
                or (one.source_sha256 == other.source_sha256 != "")
                or (left, right) in pairs
                or (right, left) in pairs
            )
    for middle in range(len(photos)):  # Warshall's closure
        linked |= linked[:, middle, None] & linked[None, middle, :]
    expected = sorted({tuple(np.flatnonzero(line).tolist()) for line in linked})
    assert groups.group_photos(photos, pairs) == [list(group) for group in expected]


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), spread=st.floats(0.01, 1.0))
def test_near_copies_are_those_of_comparing_every_pair(
    seed: int, count: int, spread: float
) -> None:
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 2, 64)
    hashes, rows = [], []
    for _ in range(count):
        flipped = generator.random(64) < generator.choice([0.0, 0.02, 0.05, 0.08, 0.5])
        hashes.append("".join(map(str, base ^ flipped)))
        rows.append(np.ones(16) + spread * generator.normal(size=16))
    vectors = np.array(rows, dtype=np.float32).reshape(count, 16)
    expected = []
    for left in range(count):
        for right in range(left + 1, count):
            bits = sum(a != b for a, b in zip(hashes[left], hashes[right], strict=True))
            one, other = vectors[left].astype(float), vectors[right].astype(float)
            cosine = one @ other / np.sqrt((one @ one) * (other @ other))
            mirrored = sum(
                (a != b) != bool(place % 2)
                for place, (a, b) in enumerate(zip(hashes[left], hashes[right], strict=True))
            )
            rules = (*groups.NEAR_RULES, (groups.ALIKE_BITS, groups.ALIKE_COSINE))
            for _, least in rules:
                assume(abs(cosine - least) > 1e-5)
            if any(min(bits, mirrored) <= most and cosine >= least for most, least in rules):
                expected.append((left, right))
    phashes = [f"{int(bits, 2):016x}" for bits in hashes]
    assert sorted(groups.near_copies(phashes, vectors)) == expected


def test_network_that_tells_nothing_apart_joins_no_photos() -> None:
    """Such as one with random weights: all photos look alike to it."""
    generator = np.random.default_rng(0)
    vectors = (1 + 0.1 * generator.random((60, 32))).astype(np.float32)
    hashes = [f"{generator.integers(2**63):016x}" for _ in range(58)]
    assert groups.near_copies([*hashes, "0" * 16, "0" * 15 + "1"], vectors) == [(58, 59)]


def test_near_copies_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "BLOCK_ROWS", 4)
    phashes = [f"{number * 0x0123456789ABCDEF % 2**64:016x}" for number in range(1, 20)]
    phashes[17] = phashes[2]
    vectors = np.ones((19, 8), dtype=np.float32)
    assert (2, 17) in groups.near_copies(phashes, vectors)


def test_photos_without_any_feature_are_no_copies() -> None:
    assert groups.near_copies(["0" * 16] * 2, np.zeros((2, 8), dtype=np.float32)) == []


def brute_force(phashes: list[str], vectors: np.ndarray) -> list[tuple[int, int]]:
    """Near copies by the rules themselves, pair by pair."""
    hashes = [int(phash, 16) for phash in phashes]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = vectors / np.where(lengths > 0, lengths, 1)
    found = []
    for left in range(len(rows)):
        for right in range(left + 1, len(rows)):
            differing = hashes[left] ^ hashes[right]
            mirrored = differing ^ int(groups.hash_index.MIRROR)
            bits = min(differing.bit_count(), mirrored.bit_count())
            rules = (*groups.NEAR_RULES, (groups.ALIKE_BITS, groups.ALIKE_COSINE))
            cosine = float(rows[left] @ rows[right])
            if any(bits <= most and cosine >= least for most, least in rules):
                found.append((left, right))
    return found


@pytest.mark.parametrize("dimensions", [8, 96, 97, 300])
@pytest.mark.parametrize("block", [16, 1024])
def test_bounds_lose_no_pair_of_near_copies(
    dimensions: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "BLOCK_ROWS", block)
    draw = np.random.default_rng(dimensions)
    vectors = np.maximum(draw.normal(0.2, 1, (150, dimensions)), 0).astype(np.float32)
    vectors[50:100] = vectors[:50] * 0.7 + 0.35 * np.abs(draw.normal(0, 1, (50, dimensions)))
    vectors[7] = 0
    # Hashes of few different bits, so that cosines decide.
    phashes = [f"{number & 0xFFFFFFFFFF:016x}" for number in draw.integers(0, 2**62, 150).tolist()]
    found = groups.near_copies(phashes, vectors)
    assert found == brute_force(phashes, vectors)
    assert len(found) > 10


def test_a_network_that_takes_all_photos_for_one_is_not_asked() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(5, 0.1, (80, 64)).astype(np.float32)
    phashes = [f"{number:016x}" for number in draw.integers(0, 2**62, 80).tolist()]
    phashes[3] = phashes[4]
    assert groups.near_copies(phashes, vectors) == [(3, 4)]
