"""Close hashes are found without comparing all pairs, and none is missed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.dataset import hash_index


def brute_force(hashes: np.ndarray, most_bits: int) -> list[list[int]]:
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    return [[i, j] for i, j in np.argwhere(bits <= most_bits).tolist() if i < j]


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
    assert hash_index.close_pairs(hashes, most_bits).tolist() == brute_force(hashes, most_bits)


@pytest.mark.parametrize("common", range(1, hash_index.MOST_PIECES + 1))
def test_pairs_are_the_same_whatever_a_key_is_made_of(
    common: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(common)
    hashes = draw.integers(0, 2**64, 600, dtype=np.uint64)
    hashes[300:] &= np.uint64(0xFFFF_FFFF_0000_0000)  # many fall together under a key
    for row in range(0, 200, 2):
        flipped = draw.choice(64, 10 + row % 4 // 2, replace=False)
        hashes[row + 1] = hashes[row] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
    expected = brute_force(hashes, 10)
    assert [0, 1] in expected  # differ in the most bits that close hashes may,
    assert [2, 3] not in expected  # and in one more
    monkeypatch.setattr(hash_index, "_pieces_of_key", lambda *_: common)
    assert hash_index.close_pairs(hashes, 10).tolist() == expected


def test_more_hashes_have_keys_of_more_pieces() -> None:
    chosen = [hash_index._pieces_of_key(count, 10) for count in (100, 10_000, 1_000_000, 10**8)]
    assert chosen == sorted(set(chosen))


def test_few_of_many_pairs_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    distances = hash_index.distances

    def counted(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        looked_at.append(len(left))
        return distances(left, right)

    monkeypatch.setattr(hash_index, "distances", counted)
    hashes = related_hashes(0, 20_000)
    found = hash_index.close_pairs(hashes, 10)
    assert len(found) > 7_000
    assert sum(looked_at) < 20_000**2 / 2 / 20  # a twentieth of all pairs


def test_very_many_equal_hashes_do_not_pair_with_all() -> None:
    found = hash_index.close_pairs(np.zeros(5_000, dtype=np.uint64), 10)
    assert len(found) == hash_index.MAX_EQUAL * (hash_index.MAX_EQUAL - 1) / 2
