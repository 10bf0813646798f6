"""Ridge regression that tells of each photo what the other photos say of it.

The prediction for a photo leaves out the photo itself and the rest of its group. For a linear
smoother that needs no second fit: with the hat matrix H of the fit to all photos, the residuals of
a group G that was left out are (I - H_GG)^-1 of its residuals in that fit (Hastie, Tibshirani and
Friedman, The Elements of Statistical Learning, 2nd edition, section 7.10).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from components.common.base.worker_threads import map_in_threads, step_threads
from components.common.dataset.rows import Places, Rows, numbered

Vectors = Rows[np.float32]
Matrix = NDArray[np.float64]
LeftOut = Iterator[tuple[NDArray[np.intp], Matrix]]
BLOCK_ROWS = 4096  # in float64 at once: 34 MB of 1,024 dimensions
Item = TypeVar("Item")
Result = TypeVar("Result")


class OneHot:
    """Targets of T classes: 1 for a row's own class, 0 for all others; made when they are taken.

    Args:
        classes: int (N,), 0 to T - 1.
        count: T.
    """

    def __init__(self, classes: NDArray[np.intp], count: int) -> None:
        self._classes = classes
        self.shape = len(classes), count

    def __getitem__(self, places: Places, /) -> Matrix:
        classes = self._classes[places]
        targets = np.zeros((len(classes), self.shape[1]))
        targets[np.arange(len(classes)), classes] = 1
        return targets

    def average(self, weights: Matrix) -> Matrix:
        """The weighted mean of all rows: float64 (T,), the bits of `np.average`."""
        sums = np.bincount(self._classes, weights, minlength=self.shape[1])
        average: Matrix = sums / weights.sum()
        return average


@dataclass(frozen=True)
class Ridge:
    """A fit of T targets to the directions of N feature vectors.

    Attributes:
        left_out: yields rows of the N, each once, and float64 (rows, T), the prediction for each of
            them by the fit without its group. It computes them a block at a time: of rows that
            share a group all are in memory, of the others a block.
    """

    left_out: Callable[[], LeftOut]
    _centre: Matrix
    _coefficients: Matrix
    _mean: Matrix

    def predict(self, vectors: Vectors) -> Matrix:
        """Targets of rows that took no part in the fit: float64 (M, T)."""
        targets = np.empty((len(vectors), len(self._mean)))
        for block in blocks(len(vectors)):
            rows = directions(vectors[block]) - self._centre
            targets[block] = rows @ self._coefficients + self._mean
        return targets


def directions(vectors: NDArray[np.float32]) -> Matrix:
    """The rows at length 1, float64; a row of zeros stays."""
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Matrix = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return units


def blocks(count: int) -> Iterator[slice]:
    """So many rows in pieces."""
    return (slice(start, start + BLOCK_ROWS) for start in range(0, count, BLOCK_ROWS))


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The result for each item, in their order; few are in memory."""
    return map_in_threads(work, items, threads=step_threads(), ahead=step_threads())


@dataclass(frozen=True)
class _Sample:
    """What is fitted: N rows, centred and weighted.

    Attributes:
        vectors: float32 (N, D).
        targets: float64 (N, T).
        root: float64 (N, 1), of the weights.
        centre: float64 (D,), of the directions.
        mean: float64 (T,), of the targets.
    """

    vectors: Vectors
    targets: Matrix | OneHot
    root: Matrix
    centre: Matrix
    mean: Matrix

    def design(self, places: Places) -> Matrix:
        """The directions of some rows: float64 (rows, D)."""
        rows: Matrix = (directions(self.vectors[places]) - self.centre) * self.root[places]
        return rows

    def wanted(self, places: Places) -> Matrix:
        """Their targets: float64 (rows, T)."""
        wanted: Matrix = (self.targets[places] - self.mean) * self.root[places]
        return wanted

    def predicted(self, places: Places, residuals: Matrix) -> Matrix:
        """The prediction for some rows that leaves such residuals: float64 (rows, T)."""
        predicted: Matrix = self.targets[places] - residuals / self.root[places]
        return predicted


def fit(
    vectors: Vectors,
    targets: Matrix | OneHot,
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
    count, size = len(vectors), vectors.shape[1]
    counted = np.ones(count) if weights is None else weights
    sums = in_threads(lambda block: counted[block] @ directions(vectors[block]), blocks(count))
    centre = sum(sums) / counted.sum()
    if isinstance(targets, OneHot):
        mean = targets.average(counted)
    else:
        mean = np.average(targets, axis=0, weights=counted)
    root = np.sqrt(counted / counted.mean())[:, None]
    sample = _Sample(vectors, targets, root, centre, mean)
    return (_fit_few if count <= size else _fit_many)(sample, groups, strength)


def _fit_many(sample: _Sample, groups: Sequence[str], strength: float) -> Ridge:
    """The fit to more photos than dimensions."""
    count, size = len(sample.vectors), sample.vectors.shape[1]

    def products(block: slice) -> tuple[Matrix, Matrix]:
        rows = sample.design(block)
        return rows.T @ rows, rows.T @ sample.wanted(block)

    gram, moments = np.zeros((size, size)), np.zeros((size, len(sample.mean)))
    for of_rows, of_targets in in_threads(products, blocks(count)):
        gram += of_rows
        moments += of_targets
    # The small term keeps rows that are all alike from dividing by zero.
    gram[np.diag_indices_from(gram)] += strength * np.trace(gram) / count + 1e-9
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ moments

    def left_out() -> LeftOut:
        larger = list(_larger(groups))
        grouped = np.concatenate([np.empty(0, np.intp), *itertools.chain.from_iterable(larger)])
        place = np.full(count, -1)
        place[grouped] = np.arange(len(grouped))
        kept = np.empty((len(grouped), len(sample.mean)))  # residuals of rows that share a group

        def alone(block: slice) -> tuple[NDArray[np.intp], Matrix]:
            rows = sample.design(block)
            residuals = sample.wanted(block) - rows @ coefficients
            lever = np.einsum("nd,nd->n", rows @ inverse, rows)
            places = place[block]
            kept[places[places >= 0]] = residuals[places >= 0]
            single = np.flatnonzero(places < 0)
            left = residuals[single] / np.maximum(1 - lever[single], 1e-9)[:, None]
            return block.start + single, sample.predicted(block.start + single, left)

        def shared(together: list[NDArray[np.intp]]) -> tuple[NDArray[np.intp], Matrix]:
            members = np.concatenate(together)
            rows, left, start = sample.design(members), kept[place[members]], 0
            smoothed = rows @ inverse
            for group in together:
                own = slice(start, start := start + len(group))
                if len(group) > BLOCK_ROWS:  # in D dimensions, not in as many as it has rows
                    wanted = sample.wanted(group)
                    others = gram - rows[own].T @ rows[own], moments - rows[own].T @ wanted
                    left[own] = wanted - rows[own] @ np.linalg.solve(*others)
                else:
                    without = np.eye(len(group)) - smoothed[own] @ rows[own].T
                    left[own] = np.linalg.solve(without, left[own])
            return members, sample.predicted(members, left)

        yield from in_threads(alone, blocks(count))
        yield from in_threads(shared, larger)

    return Ridge(left_out, sample.centre, coefficients, sample.mean)


def _fit_few(sample: _Sample, groups: Sequence[str], strength: float) -> Ridge:
    """The same fit where there are no more photos than dimensions, from their inner products.

    With K the inner products of the rows and A the inverse of K + s I, the hat matrix is I - s A.
    """
    rows = sample.design(slice(None))
    products = rows @ rows.T
    penalty = strength * np.trace(products) / len(rows) + 1e-9
    products[np.diag_indices_from(products)] += penalty
    inverse = np.linalg.inv(products)
    left = inverse @ sample.wanted(slice(None))  # the residuals, over the penalty
    residuals = left / np.maximum(np.diagonal(inverse), 1e-9 / penalty)[:, None]
    for members in itertools.chain.from_iterable(_larger(groups)):
        residuals[members] = np.linalg.solve(inverse[np.ix_(members, members)], left[members])
    found = np.arange(len(rows)), sample.predicted(slice(None), residuals)
    return Ridge(lambda: iter([found]), sample.centre, rows.T @ left, sample.mean)


def _larger(groups: Sequence[str]) -> Iterator[list[NDArray[np.intp]]]:
    """The rows of each group that has more than one, about `BLOCK_ROWS` rows at a time."""
    _, group = numbered(groups)
    counts = np.bincount(group)
    ordered = np.argsort(group, kind="stable")
    ends = np.cumsum(counts)
    together: list[NDArray[np.intp]] = []
    rows = 0
    for which in np.flatnonzero(counts > 1).tolist():
        together.append(ordered[ends[which] - counts[which] : ends[which]])
        rows += len(together[-1])
        if rows >= BLOCK_ROWS:
            yield together
            together, rows = [], 0
    if together:
        yield together
