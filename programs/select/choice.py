"""Which photos of an unlabelled pool would teach a model most, if a person named their classes.

Diverse mini-batch active learning (Zhdanov 2019, arXiv:1901.05954), in three steps:

1. Each photo has a weight, the mean of two shares: how uncertain the model is, which is 1 minus the
   margin between its two likeliest classes (margin sampling: Scheffer, Decomain and Wrobel 2001,
   "Active hidden Markov models for information extraction"), and how unfamiliar the photo looks,
   the share of photos of the known classes that look more familiar (components/common/model/
   unknown.py).
2. The photos with the largest weights, `BETA` for each one that is wanted, are candidates.
3. The candidates are divided into as many clusters as photos are wanted, by k-means over the
   directions of their bottlenecks, in which a photo counts by its weight. The photo nearest to the
   centre of each cluster is chosen: one of each look.

Uncertainty alone takes many photos of one difficult look. The core-set approach (Sener and Savarese
2018, arXiv:1708.00489), which takes the photo farthest from all that are taken, covers every look
but takes what lies at the edge: odd photos. A centre of a cluster stands for several. BADGE (Ash et
al. 2020, arXiv:1906.03671) weighs both as well, but draws at random.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.model.unknown import unit_length

# Candidates for each wanted photo, as the paper has it; more make the choice less uncertain.
BETA = 10
ROUNDS = 100  # of Lloyd's algorithm at most; it mostly ends within 20
# So that a photo of which the model is sure still has a place: it counts for little.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class Chosen:
    """One photo that was chosen.

    Attributes:
        row: of the pool.
        stands_for: photos of its cluster, itself among them.
    """

    row: int
    stands_for: int


def uncertainty(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 minus the margin of the two likeliest classes: float64 (N,), 0 to 1, of (N, classes).

    With a single class it is 0.
    """
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    highest = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:]
    unsure: NDArray[np.float64] = 1 - (highest[:, 1] - highest[:, 0])
    return unsure


def weights(
    probabilities: NDArray[np.float32], familiarity: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """How much each photo would teach: float64 (N,), 0 to 1.

    Args:
        probabilities: float32, shape (N, classes), calibrated.
        familiarity: float64, shape (N,), 0 to 1; None where the model has no rule for unknown
            photos: then the weight is the uncertainty.
    """
    unsure = uncertainty(probabilities)
    return unsure if familiarity is None else (unsure + 1 - familiarity) / 2


def choose(
    vectors: NDArray[np.float32], weight: NDArray[np.float64], count: int, seed: int = 0
) -> list[Chosen]:
    """The photos to label, those that weigh most first.

    Args:
        vectors: float32, shape (N, D), bottlenecks of different photos.
        weight: float64, shape (N,), as `weights` gives them.
        count: how many; all of them where there are no more.
        seed: of where the clusters begin; the same one gives the same photos.
    """
    rows = np.argsort(-weight, kind="stable")[: BETA * count]
    if len(rows) <= count:
        return [Chosen(row, 1) for row in rows.tolist()]
    directions = unit_length(vectors[rows]).astype(np.float64)
    mass = np.maximum(weight[rows], LEAST_WEIGHT)
    nearest, squares = _clusters(directions, mass, count, np.random.default_rng(seed))
    chosen = []
    for cluster in range(count):
        members = np.flatnonzero(nearest == cluster)
        if len(members):
            best = int(members[squares[members].argmin()])
            chosen.append(Chosen(int(rows[best]), len(members)))
    taken = {one.row for one in chosen}
    rest = (row for row in rows.tolist() if row not in taken)  # of photos that are all alike
    chosen += [Chosen(row, 1) for row, _ in zip(rest, range(count - len(chosen)), strict=False)]
    return sorted(chosen, key=lambda one: (-weight[one.row], one.row))


def _clusters(
    points: NDArray[np.float64],
    mass: NDArray[np.float64],
    count: int,
    random: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Weighted k-means.

    Args:
        points: float64, shape (N, D), more than `count`.
        mass: float64, shape (N,), above 0.
        count: of clusters.
        random: draws the first centres.

    Returns:
        The cluster of each point, and the square of its distance from that cluster's centre.
    """
    centres = _first_centres(points, mass, count, random)
    nearest = np.full(len(points), -1, np.intp)
    for _ in range(ROUNDS):
        squares = _squares(points, centres)
        before, nearest = nearest, squares.argmin(axis=1)
        if np.array_equal(before, nearest):
            break
        for cluster in np.unique(nearest).tolist():
            members = nearest == cluster
            centres[cluster] = mass[members] @ points[members] / mass[members].sum()
    squares = _squares(points, centres)
    return nearest, squares[np.arange(len(points)), nearest]


def _first_centres(
    points: NDArray[np.float64],
    mass: NDArray[np.float64],
    count: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Points, drawn as k-means++ does: far from one another (Arthur and Vassilvitskii 2007)."""
    drawn = [int(random.choice(len(points), p=mass / mass.sum()))]
    away = _squares(points, points[drawn])[:, 0]
    while len(drawn) < count:
        chance = mass * away
        if not chance.sum():  # the others are all where centres are
            break
        drawn.append(int(random.choice(len(points), p=chance / chance.sum())))
        np.minimum(away, _squares(points, points[drawn[-1:]])[:, 0], out=away)
    return points[drawn].copy()


def _squares(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances, float64 (N, K)."""
    lengths = (points**2).sum(axis=1)[:, np.newaxis] + (centres**2).sum(axis=1)
    squares: NDArray[np.float64] = np.maximum(lengths - 2 * points @ centres.T, 0)
    return squares
