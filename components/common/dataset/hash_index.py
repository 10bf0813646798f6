"""Finding close perceptual hashes among many, without comparing all pairs.

Multi-index hashing (Norouzi, Punjani and Fleet, 2012): the 64 bits are cut into more pieces than
may differ. Hashes within 10 bits agree in at least 3 of 13 pieces, so each choice of 3 pieces is a
key under which close hashes, and few others, fall together. Exact: no close pair is missed. The
more hashes there are, the more pieces a key has, 4 of 14 or 5 of 15, so that no more of them fall
together.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from components.common.base.worker_threads import step_threads, worker_threads
from components.common.dataset.nearest import Pairs, unique_pairs

BITS = 64
MAX_EQUAL = 32  # of photos with the very same hash, those that are paired with one another
MOST_PIECES = 6  # of a key
SORTING = 2  # a hash by its key takes as long as looking at so many pairs
LIKELY = 3  # hashes of photos have a key in common so much more often than random ones

Hashes = NDArray[np.uint64]  # shape (N,)
Piece = tuple[int, int]  # the lowest of its bits, and the one above the highest


def close_pairs(hashes: Hashes, most_bits: int) -> Pairs:
    """Pairs of rows whose hashes differ in at most `most_bits` bits.

    Args:
        hashes: uint64, shape (N,), N up to 2^32.
        most_bits: 0 to 32.

    Returns:
        Rows (i, j) with i < j, sorted. Of more than `MAX_EQUAL` equal hashes (which is a notice
        or a blank, not a photo) only the first so many stand for the rest.
    """
    different, which = np.unique(hashes, return_inverse=True)
    rows = np.argsort(which, kind="stable")
    first = np.searchsorted(which[rows], np.arange(len(different)))
    counts = np.minimum(np.diff(first, append=len(rows)), MAX_EQUAL)
    several = np.flatnonzero(counts > 1)
    close = np.concatenate([_close_unique(different, most_bits), np.stack([several] * 2, axis=1)])
    # Each row of the left hash is paired with each of the right one.
    left, right = close.T
    products = counts[left] * counts[right]
    own = np.repeat(np.arange(len(close)), products)
    number = np.arange(len(own)) - (np.cumsum(products) - products)[own]
    of_left, of_right = np.divmod(number, counts[right][own])
    pairs = [rows[first[left][own] + of_left], rows[first[right][own] + of_right]]
    return unique_pairs(np.stack(pairs, axis=1), len(hashes))


def distances(left: Hashes, right: Hashes) -> NDArray[np.uint8]:
    """Bits in which the hashes of each pair differ: uint8, shape (P,)."""
    bits: NDArray[np.uint8] = np.bitwise_count(left ^ right)
    return bits


def _close_unique(hashes: Hashes, most_bits: int) -> Pairs:
    """Close pairs of hashes that are all different, each once."""
    nothing = np.empty((0, 2), np.int64)
    if not most_bits:
        return nothing
    common = _pieces_of_key(len(hashes), most_bits)
    pieces = _pieces(most_bits + common)

    def under(key: tuple[int, ...]) -> Pairs:
        keys, rows = _sort(_bits(hashes, [pieces[number] for number in key]))
        ordered = hashes[rows]
        # Close hashes agree under several keys: they are found under the first of them.
        before = [pieces[number] for number in range(key[-1]) if number not in key]
        found = [nothing]
        for left, right in _equal(keys):
            near = distances(ordered[left], ordered[right]) <= most_bits
            left, right = left[near], right[near]
            for piece in before:
                differing = _bits(ordered[left] ^ ordered[right], [piece]) > 0
                left, right = left[differing], right[differing]
            found.append(np.stack([rows[left], rows[right]], axis=1))
        return np.concatenate(found)

    with worker_threads(step_threads()) as pool:
        keys = combinations(range(len(pieces)), common)
        return np.concatenate(list(pool.map(under, keys)))


def _pieces_of_key(count: int, most_bits: int) -> int:
    """Of how many pieces a key is made so that so many hashes take the least time."""

    def time(common: int) -> float:
        keys = math.comb(most_bits + common, common)
        together = LIKELY * count / 2 ** (BITS * common / (most_bits + common) + 1)
        return keys * (SORTING + together)

    return min(range(1, MOST_PIECES + 1), key=time)


def _pieces(count: int) -> list[Piece]:
    """So many pieces of about the same width."""
    edges = np.linspace(0, BITS, count + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def _bits(hashes: Hashes, pieces: Sequence[Piece]) -> Hashes:
    """Those of some pieces, beside one another."""
    bits = np.zeros(len(hashes), np.uint64)
    for low, high in pieces:
        bits <<= np.uint64(high - low)
        bits |= (hashes >> np.uint64(low)) & np.uint64((1 << high - low) - 1)
    return bits


def _sort(keys: Hashes) -> tuple[Hashes, NDArray[np.int64]]:
    """The keys sorted, and the row of each. Their bits and those of a row's number fit into 64."""
    width = np.uint64(len(keys).bit_length())
    both = keys << width | np.arange(len(keys), dtype=np.uint64)
    both.sort()  # ten times as fast as argsort
    return both >> width, (both & ((np.uint64(1) << width) - np.uint64(1))).astype(np.int64)


def _equal(ordered: Hashes) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of places with the same key: next neighbours first, then next but one."""
    left = np.arange(len(ordered) - 1)
    step = 1
    while len(left):
        left = left[ordered[left] == ordered[left + step]]
        yield left, left + step
        step += 1
        left = left[: np.searchsorted(left, len(ordered) - step)]
