"""Which photos are copies of one: resized, turned, mirrored, framed, marked or cut."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import log
from components.common.base.worker_threads import step_threads, worker_threads
from components.common.dataset import hash_index
from components.common.dataset.nearest import (
    ALL_PAIRS_UP_TO,
    BLOCK_ROWS,
    Pairs,
    nearest_pairs,
    unique_pairs,
)
from components.common.dataset.rows import Places, Rows
from components.common.photos import cuttings, perceptual_hash
from components.common.photos.fingerprint import SIDE

# Chosen on 200 real photos of flowers and copies of them in 23 ways (`benchmarks/cleaning.py` has
# most of them). Candidates are photos whose hashes, upright, differ in at most so many
# bits of 64, and those whose features are the most alike.
MOST_BITS = 10
# They are copies where their grey levels, turned alike, correlate by so much, and their features
# have such a cosine: turned photos have 0.6 and more, in 95 of 100 cases. Of different photos whose
# hashes are so close, none correlated by more than 0.72.
SAME_RULES = ((0.85, 0.55), (0.95, 0.0))
# One is cut out of the other where it fits a part of it by so much, and their features have such a
# cosine; two different photos fit by 0.932 at most.
CUT_LIKENESS, CUT_COSINE = 0.94, 0.7
# What was tilted fits badly, but has features as no two different photos do. How like those are
# depends on the network: by family, above what the most similar of 200 different flowers have,
# which is 0.876 (MobileNet v1), 0.909, 0.885 and 0.902 (EfficientNet-Lite0 to 2).
TILTED_LIKENESS = 0.7
TILTED_COSINES = {
    "mobilenet": 0.88,
    "efficientnet_lite0": 0.91,
    "efficientnet_lite1": 0.91,
    "efficientnet_lite2": 0.91,
}
# Of other networks: so alike are no two different photos, whatever their features are.
UNMEASURED_COSINE = 0.95
# Means of several views are more alike: the same flowers have 0.952 at most, with five views.
SEVERAL_VIEWS_COSINE = 0.96
# Where so many pairs of a sample have that cosine, the network does not tell photos apart (its
# weights are random, or wrong), and its features are not asked.
ALIKE_MOST, ALIKE_FROM, ALIKE_SAMPLE = 0.2, 50, 1000  # share, photos, photos

# The nearest are looked for in so many dimensions, found on so many photos.
DIMENSIONS, DIMENSIONS_SAMPLE = 64, 8192
REDUCED_ROWS = ALL_PAIRS_UP_TO  # at once: 80 MB of 1,024 dimensions
PAIRS = 512  # whose pictures a thread looks at at once: 26 MB
ROUNDING = 1e-6  # of cosines


def near_copies(
    fingerprints: Rows[np.uint8],
    vectors: Rows[np.float32],
    family: str = "",
    views: int = 1,
) -> list[tuple[int, int]]:
    """Pairs of rows that show the same photo.

    Vectors and fingerprints are copied a block at a time, whatever N is.

    Args:
        fingerprints: uint8, shape (N, 32, 32), as of `components.common.photos.fingerprint`.
        vectors: float32, shape (N, D), the bottlenecks of the same photos.
        family: of the network that they are of; "" for one of which nothing is known.
        views: of a photo that it looked at.

    Returns:
        Pairs (i, j) with i < j, sorted. Of many copies of one photo each is in some pair with
        another, not every two of them. Of many photos those are looked for in near cells only
        (`components.common.dataset.nearest`).
    """
    directions = _Directions(vectors)
    by_hash = _close_by_hash(fingerprints)
    pieces = [_passing(SAME_RULES, by_hash, partial(_turned_likenesses, fingerprints), directions)]
    tilted_cosine = TILTED_COSINES.get(family, UNMEASURED_COSINE)
    if views > 1:
        tilted_cosine = SEVERAL_VIEWS_COSINE
    if _tells_apart(directions, tilted_cosine):
        rules = ((CUT_LIKENESS, CUT_COSINE), (TILTED_LIKENESS, tilted_cosine))
        measure = partial(_cut_likenesses, fingerprints)
        pieces.append(_passing(rules, nearest_pairs(_reduced(directions)), measure, directions))
    else:
        log.info("the network hardly tells these photos apart: copies that were cut are not found")
    copies: list[list[int]] = unique_pairs(np.concatenate(pieces), len(vectors)).tolist()
    return [(left, right) for left, right in copies]


class _Directions:
    """Vectors at length 1, which are made when they are taken; a row of zeros stays.

    Args:
        vectors: float32 (N, D).
    """

    def __init__(self, vectors: Rows[np.float32]) -> None:
        self._vectors = vectors
        self.dimensions = vectors.shape[1]

    def __len__(self) -> int:
        return len(self._vectors)

    def __getitem__(self, places: Places) -> NDArray[np.float32]:
        rows = self._vectors[places]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        units: NDArray[np.float32] = np.divide(
            rows, lengths, out=np.zeros_like(rows), where=lengths > 0
        )
        return units


def _passing(
    rules: tuple[tuple[float, float], ...],
    pairs: Pairs,
    measure: Callable[[Pairs], NDArray[np.float32]],
    directions: _Directions,
) -> Pairs:
    """The pairs whose likeness and cosine are both at least those of a rule."""
    cosines = _cosines(directions, pairs)
    possible = cosines >= min(cosine for _, cosine in rules) - ROUNDING
    pairs, cosines = pairs[possible], cosines[possible]
    chunks = [pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS)]
    with worker_threads(step_threads()) as pool:
        likenesses = np.concatenate([np.empty(0, np.float32), *pool.map(measure, chunks)])
    passing = np.zeros(len(pairs), dtype=bool)
    for likeness, cosine in rules:
        passing |= (likenesses >= likeness) & (cosines >= cosine - ROUNDING)
    return pairs[passing]


def _close_by_hash(fingerprints: Rows[np.uint8]) -> Pairs:
    """Pairs whose hashes, upright, are close."""
    rows, hashes = [np.empty(0, np.intp)], [np.empty(0, np.uint64)]
    for start in range(0, len(fingerprints), perceptual_hash.CHUNK):
        block = fingerprints[start : start + perceptual_hash.CHUNK]
        own, found = perceptual_hash.upright_hashes(block)
        rows.append(start + own)
        hashes.append(found)
    pairs = hash_index.close_pairs(np.concatenate(hashes), MOST_BITS)
    return unique_pairs(np.concatenate(rows)[pairs], len(fingerprints))


def _turned_likenesses(fingerprints: Rows[np.uint8], pairs: Pairs) -> NDArray[np.float32]:
    """The correlation of the grey levels of two photos, turned alike: float32 (P,), -1 to 1."""
    left, right = (
        cuttings.centred(
            fingerprints[pairs[:, side]].reshape(-1, SIDE**2).astype(np.float32)
        ).reshape(-1, SIDE, SIDE)
        for side in (0, 1)
    )
    best = np.full(len(pairs), -1, np.float32)
    for picture in (right, right.transpose(0, 2, 1)):
        for flipped in (picture, picture[:, ::-1]):
            for turned in (flipped, flipped[:, :, ::-1]):
                best = np.maximum(best, np.einsum("nij,nij->n", left, turned))
    return best


def _cut_likenesses(fingerprints: Rows[np.uint8], pairs: Pairs) -> NDArray[np.float32]:
    """How well one photo of each pair fits a part of the other: float32 (P,), -1 to 1."""
    rows, places = np.unique(pairs, return_inverse=True)
    return cuttings.likenesses(fingerprints[rows], places.reshape(pairs.shape))


def _tells_apart(directions: _Directions, cosine: float) -> bool:
    """False where too many photos look alike to the network: have features of such a cosine."""
    sample = directions[:: max(1, len(directions) // ALIKE_SAMPLE)]
    if len(sample) < ALIKE_FROM:
        return True
    alike = sample @ sample.T >= cosine
    return bool(alike.sum() - len(sample) <= ALIKE_MOST * len(sample) * (len(sample) - 1))


def _reduced(directions: _Directions) -> NDArray[np.float32]:
    """Rows whose products are about the cosines: float32 (N, `DIMENSIONS`), or as they are.

    Their part along the axes on which a sample of them is longest.
    """
    if directions.dimensions <= DIMENSIONS:
        return directions[:]
    sample = directions[:: max(1, len(directions) // DIMENSIONS_SAMPLE)].astype(np.float64)
    _, every = np.linalg.eigh(sample.T @ sample)
    axes = every[:, -DIMENSIONS:].astype(np.float32)
    reduced = np.empty((len(directions), DIMENSIONS), np.float32)
    for start in range(0, len(directions), REDUCED_ROWS):
        block = slice(start, start + REDUCED_ROWS)
        reduced[block] = directions[block] @ axes
    return reduced


def _cosines(directions: _Directions, pairs: Pairs) -> NDArray[np.float32]:
    """Cosines of pairs of rows: float32 (P,)."""
    cosines = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), BLOCK_ROWS):
        some = pairs[start : start + BLOCK_ROWS]
        left, right = directions[some[:, 0]], directions[some[:, 1]]
        cosines[start : start + BLOCK_ROWS] = np.einsum("nd,nd->n", left, right)
    return cosines
