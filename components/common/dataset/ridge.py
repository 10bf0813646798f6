"""Ridge regression that tells of each photo what the other photos say of it.

The prediction for a photo leaves out the photo itself and the rest of its group. For a linear
smoother that needs no second fit: with the hat matrix H of the fit to all photos, the residuals of
a group G that was left out are (I - H_GG)^-1 of its residuals in that fit (Hastie, Tibshirani and
Friedman, The Elements of Statistical Learning, 2nd edition, section 7.10).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Matrix = NDArray[np.float64]
BLOCK_ROWS = 4096  # in float64 at once: 34 MB of 1,024 dimensions


@dataclass(frozen=True)
class Ridge:
    """A fit of T targets to the directions of N feature vectors.

    Attributes:
        left_out: float64 (N, T), the prediction for each row by the fit without its group.
    """

    left_out: Matrix
    _centre: Matrix
    _coefficients: Matrix
    _mean: Matrix

    def predict(self, vectors: Rows) -> Matrix:
        """Targets of rows that took no part in the fit: float64 (M, T)."""
        targets = np.empty((len(vectors), len(self._mean)))
        for block in _blocks(len(vectors)):
            rows = directions(vectors[block]) - self._centre
            targets[block] = rows @ self._coefficients + self._mean
        return targets


def directions(vectors: Rows) -> Matrix:
    """The rows at length 1, float64; a row of zeros stays."""
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Matrix = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return units


def fit(
    vectors: Rows,
    targets: Matrix,
    groups: Sequence[str],
    *,
    strength: float,
    weights: Matrix | None = None,
) -> Ridge:
    """Fit targets to feature vectors.

    Args:
        vectors: float32 (N, D), N of 1 or more; read a block of rows at a time, several times.
        targets: float64 (N, T).
        groups: of each row; rows of one group are left out together.
        strength: of the penalty, in units of the rows' mean squared distance from their centre.
        weights: float64 (N,), how much each row counts; by default all the same.
    """
    counted = np.ones(len(vectors)) if weights is None else weights
    blocks = list(_blocks(len(vectors)))
    centre = sum(counted[block] @ directions(vectors[block]) for block in blocks) / counted.sum()
    mean = np.average(targets, axis=0, weights=counted)
    root = np.sqrt(counted / counted.mean())[:, None]

    def design(rows: slice | NDArray[np.intp]) -> Matrix:
        weighted: Matrix = (directions(vectors[rows]) - centre) * root[rows]
        return weighted

    wanted = (targets - mean) * root
    size = vectors.shape[1]
    if len(vectors) <= size:
        rows = design(slice(None))
        return _fit_few(rows, targets, wanted, root, groups, strength, (centre, mean))
    gram, moments = np.zeros((size, size)), np.zeros((size, targets.shape[1]))
    for block in blocks:
        rows = design(block)
        gram += rows.T @ rows
        moments += rows.T @ wanted[block]
    # The small term keeps rows that are all alike from dividing by zero.
    gram[np.diag_indices_from(gram)] += strength * np.trace(gram) / len(vectors) + 1e-9
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ moments
    residuals, lever = np.empty_like(wanted), np.empty(len(vectors))
    for block in blocks:
        rows = design(block)
        residuals[block] = wanted[block] - rows @ coefficients
        lever[block] = np.einsum("nd,nd->n", rows @ inverse, rows)
    left_out = residuals / np.maximum(1 - lever, 1e-9)[:, None]
    for together in _larger(groups):
        rows = design(np.concatenate(together))
        smoothed, start = rows @ inverse, 0
        for members in together:
            own = slice(start, start := start + len(members))
            without = np.eye(len(members)) - smoothed[own] @ rows[own].T
            left_out[members] = np.linalg.solve(without, residuals[members])
    return Ridge(targets - left_out / root, centre, coefficients, mean)


def _fit_few(
    rows: Matrix,
    targets: Matrix,
    wanted: Matrix,
    root: Matrix,
    groups: Sequence[str],
    strength: float,
    means: tuple[Matrix, Matrix],
) -> Ridge:
    """The same fit where there are no more photos than dimensions, from their inner products.

    With K the inner products of the rows and A the inverse of K + s I, the hat matrix is I - s A.

    Args:
        rows: float64 (N, D), weighted and centred.
        targets: as of `fit`.
        wanted: float64 (N, T), weighted and centred.
        root: float64 (N, 1), of the weights.
        groups: as of `fit`.
        strength: as of `fit`.
        means: of the directions and of the targets.
    """
    products = rows @ rows.T
    penalty = strength * np.trace(products) / len(rows) + 1e-9
    products[np.diag_indices_from(products)] += penalty
    inverse = np.linalg.inv(products)
    left = inverse @ wanted  # the residuals, over the penalty
    left_out = left / np.maximum(np.diagonal(inverse), 1e-9 / penalty)[:, None]
    for together in _larger(groups):
        for members in together:
            left_out[members] = np.linalg.solve(inverse[np.ix_(members, members)], left[members])
    return Ridge(targets - left_out / root, means[0], rows.T @ left, means[1])


def _blocks(count: int) -> Iterator[slice]:
    """So many rows in pieces."""
    return (slice(start, start + BLOCK_ROWS) for start in range(0, count, BLOCK_ROWS))


def _larger(groups: Sequence[str]) -> Iterator[list[NDArray[np.intp]]]:
    """The rows of each group that has more than one, about `BLOCK_ROWS` rows at a time."""
    _, inverse, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    ordered = np.argsort(inverse, kind="stable")
    members = np.split(ordered, np.cumsum(counts)[:-1])
    together: list[NDArray[np.intp]] = []
    rows = 0
    for which in np.flatnonzero(counts > 1).tolist():
        together.append(members[which])
        rows += len(members[which])
        if rows >= BLOCK_ROWS:
            yield together
            together, rows = [], 0
    if together:
        yield together
