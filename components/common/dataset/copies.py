"""Which photos are copies of one: resized, turned, mirrored, framed, marked or cut."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import log
from components.common.base.worker_threads import step_threads, worker_threads
from components.common.photos import cuttings, hash_index, perceptual_hash
from components.common.photos.fingerprint import SIDE

# Chosen on 200 real photos of flowers and copies of them in 23 ways (`benchmarks/cleaning.py` has
# most of them). Candidates are photos whose hashes, upright, differ in at most so many
# bits of 64, and those whose features are the most alike.
MOST_BITS = 10
NEAREST = 4
LEAST_COSINE = 0.5  # in the dimensions in which they are looked for
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

BLOCK_ROWS = 1024  # rows compared with as many others at once: fits the CPU's cache
# The nearest are looked for in so many dimensions, found on so many photos.
DIMENSIONS, DIMENSIONS_SAMPLE = 64, 8192
PAIRS = 512  # whose pictures a thread looks at at once: 26 MB
ROUNDING = 1e-6  # of cosines

Pairs = NDArray[np.int64]  # shape (P, 2), rows (i, j) with i < j
_NONE = np.empty((0, 2), np.int64)


def near_copies(
    fingerprints: NDArray[np.uint8],
    vectors: NDArray[np.float32],
    family: str = "",
    views: int = 1,
) -> list[tuple[int, int]]:
    """Pairs of rows that show the same photo.

    Args:
        fingerprints: uint8, shape (N, 32, 32), as of `components.common.photos.fingerprint`.
        vectors: float32, shape (N, D), the bottlenecks of the same photos.
        family: of the network that they are of; "" for one of which nothing is known.
        views: of a photo that it looked at.

    Returns:
        Pairs (i, j) with i < j, sorted. Of many copies of one photo each is in some pair with
        another, not every two of them.
    """
    directions = np.zeros_like(vectors)
    for start in range(0, len(vectors), BLOCK_ROWS):
        rows = vectors[start : start + BLOCK_ROWS]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, lengths, out=directions[start : start + BLOCK_ROWS], where=lengths > 0)
    by_hash = _close_by_hash(fingerprints)
    pieces = [_passing(SAME_RULES, by_hash, partial(_turned_likenesses, fingerprints), directions)]
    tilted_cosine = TILTED_COSINES.get(family, UNMEASURED_COSINE)
    if views > 1:
        tilted_cosine = SEVERAL_VIEWS_COSINE
    if _tells_apart(directions, tilted_cosine):
        rules = ((CUT_LIKENESS, CUT_COSINE), (TILTED_LIKENESS, tilted_cosine))
        measure = partial(cuttings.likenesses, fingerprints)
        pieces.append(_passing(rules, _nearest(directions), measure, directions))
    else:
        log.info("the network hardly tells these photos apart: copies that were cut are not found")
    copies: list[list[int]] = np.unique(np.concatenate(pieces), axis=0).tolist()
    return [(left, right) for left, right in copies]


def _passing(
    rules: tuple[tuple[float, float], ...],
    pairs: Pairs,
    measure: Callable[[Pairs], NDArray[np.float32]],
    directions: NDArray[np.float32],
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


def _close_by_hash(fingerprints: NDArray[np.uint8]) -> Pairs:
    """Pairs whose hashes, upright, are close."""
    rows, hashes = perceptual_hash.upright_hashes(fingerprints)
    close = np.array(hash_index.close_pairs(hashes, MOST_BITS), dtype=np.int64).reshape(-1, 2)
    pairs = np.sort(rows[close], axis=1)
    unique: Pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return unique


def _turned_likenesses(fingerprints: NDArray[np.uint8], pairs: Pairs) -> NDArray[np.float32]:
    """The correlation of the grey levels of two photos, turned alike: float32 (P,), -1 to 1."""
    flat = fingerprints.reshape(len(fingerprints), SIDE**2)
    left, right = (
        cuttings.centred(flat[pairs[:, side]].astype(np.float32)).reshape(-1, SIDE, SIDE)
        for side in (0, 1)
    )
    best = np.full(len(pairs), -1, np.float32)
    for picture in (right, right.transpose(0, 2, 1)):
        for flipped in (picture, picture[:, ::-1]):
            for turned in (flipped, flipped[:, :, ::-1]):
                best = np.maximum(best, np.einsum("nij,nij->n", left, turned))
    return best


def _tells_apart(directions: NDArray[np.float32], cosine: float) -> bool:
    """False where too many photos look alike to the network: have features of such a cosine."""
    sample = directions[:: max(1, len(directions) // ALIKE_SAMPLE)]
    if len(sample) < ALIKE_FROM:
        return True
    alike = sample @ sample.T >= cosine
    return bool(alike.sum() - len(sample) <= ALIKE_MOST * len(sample) * (len(sample) - 1))


def _nearest(directions: NDArray[np.float32]) -> Pairs:
    """Each row with the `NEAREST` others whose cosine with it is the largest."""
    points = _reduced(directions)
    kept = min(NEAREST, len(points))

    def of_block(start: int) -> Pairs:
        rows = points[start : start + BLOCK_ROWS]
        own = np.arange(start, start + len(rows))
        best = np.full((len(rows), NEAREST), LEAST_COSINE, np.float32)
        found = np.full((len(rows), NEAREST), -1)
        for other in range(0, len(points), BLOCK_ROWS):
            products = rows @ points[other : other + BLOCK_ROWS].T
            if other == start:
                np.fill_diagonal(products, -1)
            if other == 0:
                columns = np.argpartition(products, -kept, axis=1)[:, -kept:]
                row, column = np.repeat(np.arange(len(rows)), kept), columns.ravel()
            else:  # few of them, after the first blocks
                places = np.flatnonzero(products > best[:, -1:])  # ten times as fast as nonzero
                row, column = np.divmod(places, products.shape[1])
            _merge(best, found, row, products[row, column], column + other)
        pairs = np.stack([np.repeat(own, NEAREST), found.ravel()], axis=1)
        return np.sort(pairs[pairs[:, 1] >= 0], axis=1)

    with worker_threads(step_threads()) as pool:
        blocks = list(pool.map(of_block, range(0, len(points), BLOCK_ROWS)))
    unique: Pairs = np.unique(np.concatenate([_NONE, *blocks]), axis=0)
    return unique


def _merge(
    best: NDArray[np.float32],
    found: NDArray[np.int64],
    row: NDArray[np.int64],
    product: NDArray[np.float32],
    column: NDArray[np.int64],
) -> None:
    """Put the largest products of each row among its `best`, and their columns among `found`."""
    above = product > best[row, -1]
    row, product, column = row[above], product[above], column[above]
    rows = np.unique(row)
    every = np.concatenate([row, np.repeat(rows, NEAREST)])
    products = np.concatenate([product, best[rows].ravel()])
    columns = np.concatenate([column, found[rows].ravel()])
    order = np.lexsort((columns, -products, every))
    first = np.searchsorted(every[order], rows)
    kept = order[first[:, np.newaxis] + np.arange(NEAREST)]
    best[rows], found[rows] = products[kept], columns[kept]


def _reduced(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows whose products are about the cosines: float32 (N, `DIMENSIONS`), or as they are.

    Their part along the axes on which a sample of them is longest.
    """
    if directions.shape[1] <= DIMENSIONS:
        return directions
    sample = directions[:: max(1, len(directions) // DIMENSIONS_SAMPLE)].astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)
    return directions @ axes[:, -DIMENSIONS:].astype(np.float32)


def _cosines(directions: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float32]:
    """Cosines of pairs of rows of length 1: float32 (P,)."""
    cosines = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), BLOCK_ROWS):
        some = pairs[start : start + BLOCK_ROWS]
        left, right = directions[some[:, 0]], directions[some[:, 1]]
        cosines[start : start + BLOCK_ROWS] = np.einsum("nd,nd->n", left, right)
    return cosines
