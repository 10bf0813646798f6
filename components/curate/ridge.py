"""Ridge regression that tells of each photo what the other photos say of it.

The prediction for a photo leaves out the photo itself and the rest of its group. For a linear
smoother that needs no second fit: with the hat matrix H of the fit to all photos, the residuals of
a group G that was left out are (I - H_GG)^-1 of its residuals in that fit (Hastie, Tibshirani and
Friedman, The Elements of Statistical Learning, 2nd edition, section 7.10).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Matrix = NDArray[np.float64]


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
        found: Matrix = (directions(vectors) - self._centre) @ self._coefficients + self._mean
        return found


def directions(vectors: Rows) -> Matrix:
    """The rows at length 1, float64; a row of zeros stays."""
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Matrix = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return found


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
        vectors: float32 (N, D), N of 1 or more.
        targets: float64 (N, T).
        groups: of each row; rows of one group are left out together.
        strength: of the penalty, in units of the rows' mean squared distance from their centre.
        weights: float64 (N,), how much each row counts; by default all the same.
    """
    counted = np.ones(len(vectors)) if weights is None else weights
    rows = directions(vectors)
    centre = np.average(rows, axis=0, weights=counted)
    mean = np.average(targets, axis=0, weights=counted)
    root = np.sqrt(counted / counted.mean())[:, None]
    design = (rows - centre) * root
    wanted = (targets - mean) * root
    gram = design.T @ design
    # The small term keeps rows that are all alike from dividing by zero.
    gram[np.diag_indices_from(gram)] += strength * np.trace(gram) / len(rows) + 1e-9
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ (design.T @ wanted)
    residuals = wanted - design @ coefficients
    smoothed = design @ inverse
    lever = np.einsum("nd,nd->n", smoothed, design)
    left_out = residuals / np.maximum(1 - lever, 1e-9)[:, None]
    for members in _larger(groups):
        block = np.eye(len(members)) - smoothed[members] @ design[members].T
        left_out[members] = np.linalg.solve(block, residuals[members])
    return Ridge(targets - left_out / root, centre, coefficients, mean)


def _larger(groups: Sequence[str]) -> list[NDArray[np.intp]]:
    """The rows of each group that has more than one."""
    _, inverse, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    ordered = np.argsort(inverse, kind="stable")
    members = np.split(ordered, np.cumsum(counts)[:-1])
    return [members[which] for which in np.flatnonzero(counts > 1)]
