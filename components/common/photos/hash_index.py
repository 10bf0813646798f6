"""Finding close perceptual hashes among many, without comparing all pairs.

Multi-index hashing (Norouzi, Punjani and Fleet, 2012): the 64 bits are cut into more pieces than
may differ. Hashes within 10 bits agree in at least 3 of 13 pieces, so each choice of 3 pieces is a
key under which close hashes, and few others, fall together. Exact: no close pair is missed.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise, product

import numpy as np
from numpy.typing import NDArray

BITS = 64
COMMON_PIECES = 3  # that a key is made of; more make it sharper, and need more keys
MAX_EQUAL = 32  # of photos with the very same hash, those that are paired with one another


def close_pairs(hashes: NDArray[np.uint64], most_bits: int) -> list[tuple[int, int]]:
    """Pairs of rows whose hashes differ in at most `most_bits` bits.

    Args:
        hashes: uint64, shape (N,).
        most_bits: 0 to 32.

    Returns:
        Rows (i, j) with i < j, sorted. Of more than `MAX_EQUAL` equal hashes (which is a notice
        or a blank, not a photo) only the first so many stand for the rest.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    rows: list[list[int]] = [[] for _ in unique]
    for row, which in enumerate(inverse.tolist()):
        if len(rows[which]) < MAX_EQUAL:
            rows[which].append(row)
    pairs = {pair for equal in rows for pair in combinations(equal, 2)}
    for left, right in _close_unique(unique, most_bits):
        pairs.update((min(pair), max(pair)) for pair in product(rows[left], rows[right]))
    return sorted(pairs)


def distances(hashes: NDArray[np.uint64], pairs: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bits in which the hashes of each pair differ: uint8, shape (P,)."""
    bits: NDArray[np.uint8] = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    return bits


def _close_unique(hashes: NDArray[np.uint64], most_bits: int) -> list[tuple[int, int]]:
    """Close pairs of hashes that are all different."""
    near = [np.empty((0, 2), np.int64)]
    for mask in _masks(most_bits):
        for pairs in _equal_keys(hashes & mask):
            near.append(pairs[distances(hashes, pairs) <= most_bits])
    close: list[list[int]] = np.unique(np.sort(np.concatenate(near), axis=1), axis=0).tolist()
    return [(left, right) for left, right in close]


def _masks(most_bits: int) -> Iterator[np.uint64]:
    """The bits of each key: every choice of pieces, in one of which close hashes must agree."""
    edges = np.linspace(0, BITS, most_bits + COMMON_PIECES + 1).round().astype(int).tolist()
    pieces = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    for chosen in combinations(pieces, COMMON_PIECES):
        yield np.uint64(sum(chosen))


def _equal_keys(keys: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """All pairs of rows with the same key, in pieces: next neighbours first, then next but one."""
    order = np.argsort(keys)
    ordered = keys[order]
    places = np.arange(len(keys) - 1)
    step = 1
    while len(places):
        places = places[ordered[places] == ordered[places + step]]
        yield np.stack([order[places], order[places + step]], axis=1)
        step += 1
        places = places[places + step < len(keys)]
