"""Close hashes are found without comparing all pairs, and none is missed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.photos import hash_index


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
