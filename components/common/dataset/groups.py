"""Which photos belong together: copies of one photo, and photos of one observation."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.step import log
from components.common.base.worker_threads import step_threads, worker_threads
from components.common.dataset.photo import Photo
from components.common.photos import hash_index

# Bits of a 64-bit perceptual hash in which copies of one photo may differ, straight or mirrored,
# and how alike their bottlenecks must be besides (cosine). Chosen on 200 real photos of flowers
# and their copies: resized, recompressed and brightened ones differ in up to 4 bits in most cases
# and in 14 at most, mirrored ones in 10; no two different photos came closer than 14. A copy that
# is smaller than the network's input has rather other features: hence the low bar for 4 bits.
NEAR_RULES = ((4, 0.6), (10, 0.8))
# Cropping moves the hash by up to 24 bits but the features little: copies cut by 5 to 10 % have a
# cosine of 0.88 or more, different photos one of 0.876 at most.
ALIKE_BITS, ALIKE_COSINE = 24, 0.88
# Where so many of all pairs are alike, the network does not tell photos apart (its weights are
# random, or wrong), and its features are not asked about cropping.
ALIKE_MOST, ALIKE_FROM_PHOTOS = 0.2, 50
BLOCK_ROWS = 1024  # rows compared with as many others at once: fits the CPU's cache
# The cosine of most pairs is ruled out in so many dimensions, found on so many photos.
BOUND_DIMENSIONS, BOUND_SAMPLE = 96, 8192
BOUND_MARGIN, ROUNDING = 1e-4, 1e-6  # of bounds and of cosines


def near_copies(phashes: Sequence[str], vectors: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of rows that show the same photo: resized, recompressed, brightened, mirrored or cut.

    Args:
        phashes: 16 hexadecimal digits each.
        vectors: float32, shape (N, D), the bottlenecks of the same photos.

    Returns:
        Pairs (i, j) with i < j, sorted.
    """
    if "" in phashes:
        raise InputError("these photos have no perceptual hash: they were not made by `clean`")
    hashes = np.array([int(phash, 16) for phash in phashes], dtype=np.uint64)
    directions = np.zeros_like(vectors)
    for start in range(0, len(vectors), BLOCK_ROWS):
        rows = vectors[start : start + BLOCK_ROWS]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, lengths, out=directions[start : start + BLOCK_ROWS], where=lengths > 0)
    most = NEAR_RULES[-1][0]
    by_hash = [
        *hash_index.close_pairs(hashes, most),
        *hash_index.mirrored_pairs(hashes, most),
    ]
    listed = np.array(by_hash, dtype=np.int64).reshape(-1, 2)
    pairs = np.unique(np.concatenate([listed, _alike(directions, hashes)]), axis=0)
    bits = _bits(hashes, pairs)
    cosines = _cosines(directions, pairs)
    same = np.zeros(len(pairs), dtype=bool)
    for most_bits, least in (*NEAR_RULES, (ALIKE_BITS, ALIKE_COSINE)):
        same |= (bits <= most_bits) & (cosines >= least)
    copies: list[list[int]] = pairs[same].tolist()
    return [(left, right) for left, right in copies]


def _alike(directions: NDArray[np.float32], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs (i, j), i < j, of rows of length 1 that may be alike: int64, shape (P, 2).

    Those whose cosine is at least `ALIKE_COSINE` and whose hashes differ in at most `ALIKE_BITS`
    bits, straight or mirrored, are all among them; none where the cosine alone would pair most.

    Most pairs are ruled out in a few dimensions: the cosine of two rows is at most the product of
    their parts in a subspace plus the product of the lengths of what lies outside of it.
    """
    count, none = len(directions), np.empty((0, 2), np.int64)
    most = ALIKE_MOST * count * (count - 1) / 2 if count >= ALIKE_FROM_PHOTOS else math.inf
    # By the bounds; where these are close to most pairs, by the cosines themselves.
    for points, margin in ((_bounding(directions), BOUND_MARGIN), (directions, ROUNDING)):
        pieces, total = [none], 0
        for pairs in _pairs_above(points, ALIKE_COSINE - margin):
            total += len(pairs)
            if total > most:
                break
            pieces.append(pairs[_bits(hashes, pairs) <= ALIKE_BITS])
        else:
            near = np.concatenate(pieces)
            return near[_cosines(directions, near) >= ALIKE_COSINE - ROUNDING]
    log.info("the network hardly tells these photos apart: copies are found by hash alone")
    return none


def _pairs_above(points: NDArray[np.float32], least: float) -> Iterator[NDArray[np.int64]]:
    """Pairs (i, j), i < j, of rows whose product is at least `least`, in pieces."""

    def block(start: int, other: int) -> NDArray[np.int64]:
        rows, others = points[start : start + BLOCK_ROWS], points[other : other + BLOCK_ROWS]
        # Ten times as fast as argwhere.
        places = np.flatnonzero(rows @ others.T >= least)
        pairs = np.stack(np.divmod(places, len(others)), axis=1) + np.array([start, other])
        upper: NDArray[np.int64] = pairs[pairs[:, 0] < pairs[:, 1]]
        return upper

    with worker_threads(step_threads()) as pool:
        for start in range(0, len(points), BLOCK_ROWS):
            yield from pool.map(partial(block, start), range(start, len(points), BLOCK_ROWS))


def _bounding(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows whose products bound the cosines from above: float32 (N, `BOUND_DIMENSIONS` + 1).

    Their part along the axes on which a sample of them is longest, and the length of the rest. Any
    axes would do; on these the rest is short, and the bound close.
    """
    sample = directions[:: max(1, len(directions) // BOUND_SAMPLE)].astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)
    inside = directions @ axes[:, -BOUND_DIMENSIONS:].astype(np.float32)
    # The small term is for rounding: where next to nothing is left, its root is not exact.
    lengths = np.einsum("nd,nd->n", directions, directions)
    rest = np.maximum(lengths - (inside**2).sum(axis=1), 0) + 1e-6
    return np.column_stack([inside, np.sqrt(rest)])


def _bits(hashes: NDArray[np.uint64], pairs: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bits in which the hashes of each pair differ, straight or mirrored: uint8 (P,)."""
    differing = hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]
    bits: NDArray[np.uint8] = np.minimum(
        np.bitwise_count(differing), np.bitwise_count(differing ^ hash_index.MIRROR)
    )
    return bits


def _cosines(directions: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Cosines of pairs of rows of length 1: float32 (P,)."""
    cosines = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), BLOCK_ROWS):
        some = pairs[start : start + BLOCK_ROWS]
        left, right = directions[some[:, 0]], directions[some[:, 1]]
        cosines[start : start + BLOCK_ROWS] = np.einsum("nd,nd->n", left, right)
    return cosines


def group_photos(photos: Sequence[Photo], pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of rows: photos of one observation, of one content, and the given pairs.

    Returns:
        Lists of row numbers, each sorted, ordered by their first row.
    """
    parent = list(range(len(photos)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    joined = list(pairs)
    for row, photo in enumerate(photos):
        for key in (photo.observation, photo.sha256, photo.source_sha256):
            if key:
                joined.append((first.setdefault(key, row), row))
    for left, right in joined:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    groups: dict[int, list[int]] = {}
    for row in range(len(photos)):
        groups.setdefault(root(row), []).append(row)
    return list(groups.values())


def group_keys(photos: Sequence[Photo]) -> list[str]:
    """The key of a group, then those that it had while its first photos were not there yet.

    A key is 40 hexadecimal digits, the SHA-1 of an observation or content, and the group's rank.
    """
    names = sorted({photo.observation or photo.source_sha256 for photo in photos})
    return [hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest() for name in names]
