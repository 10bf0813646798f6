"""Which rows are the most alike: of all pairs of a few rows, of pairs in near cells of many.

Above `ALL_PAIRS_UP_TO` rows it is the inverted file of Sivic and Zisserman, "Video Google" (2003):
k-means of a sample makes cells, and each row is compared with the rows of the cells that are the
nearest to it. What is in none of these is missed. Time grows as the number of rows, but for finding
their cells: a tenth of this search among 100,000 rows, a quarter among a million.

The figures were chosen with made-up vectors of a million photos without observations. Of the copies
that comparing all pairs finds, these cells hold 99.9 % among 100,000 vectors and 99.2 % among a
million: all of those with a cosine of 0.88 or more, 99.1 % of those with 0.80 to 0.88.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.base.worker_threads import step_threads, worker_threads

NEAREST = 4
LEAST_COSINE = 0.5
ALL_PAIRS_UP_TO = 20_000
BLOCK_ROWS = 1024  # rows compared with as many others at once: fits the CPU's cache

CELL_ROWS, CELLS_SEEN = 256, 128  # rows of a cell, about, and cells that a row is compared with
SAMPLE_ROWS, ROUNDS = 128, 8  # of k-means: rows for each cell, and how often they are moved
SHARE_ROWS = 32_768  # whose nearest a thread finds in cells: 100 MB
BLOCK_PAIRS = 2**18  # compared at once in cells: 1 MB

Pairs = NDArray[np.int64]  # shape (P, 2), rows (i, j) with i < j
Points = NDArray[np.float32]
Cells = NDArray[np.unsignedinteger[Any]]  # numbers of cells
Found = tuple[NDArray[np.intp], NDArray[np.intp]]  # row and column of products


def nearest_pairs(points: Points) -> Pairs:
    """Each row with the `NEAREST` others whose product with it is the largest.

    Args:
        points: float32 (N, D), whose products are about cosines.

    Returns:
        Pairs with a product above `LEAST_COSINE`, sorted, each once. They do not depend on the
        number of threads. Of more than `ALL_PAIRS_UP_TO` rows a few are missed, the less alike the
        more.
    """
    few = len(points) <= ALL_PAIRS_UP_TO
    work, step = (_All(points), BLOCK_ROWS) if few else (_Cells(points), SHARE_ROWS)
    with worker_threads(step_threads()) as pool:
        found = list(pool.map(work.nearest_from, range(0, len(points), step)))
    others = np.concatenate([np.empty((0, NEAREST), np.int64), *found])
    pairs = np.stack([np.repeat(np.arange(len(points)), NEAREST), others.ravel()], axis=1)
    return unique_pairs(pairs[pairs[:, 1] >= 0], len(points))


def unique_pairs(pairs: NDArray[np.int64], count: int) -> Pairs:
    """Pairs of two of `count` rows, in any order: the smaller row first, sorted, each once."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    codes = np.unique((low * count + high)[low < high])  # ten times as fast as unique rows
    return np.stack(np.divmod(codes, max(count, 1)), axis=1)


class _All:
    """Compares a row with all others."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def nearest_from(self, start: int) -> NDArray[np.int64]:
        """The nearest of `BLOCK_ROWS` rows: (rows, `NEAREST`), -1 for none."""
        points, kept = self._points, min(NEAREST, len(self._points))
        rows = points[start : start + BLOCK_ROWS]
        best, found = _nothing(len(rows))
        for other in range(0, len(points), BLOCK_ROWS):
            products = rows @ points[other : other + BLOCK_ROWS].T
            if other == start:
                np.fill_diagonal(products, -1)
            # Few are above the best, after the first blocks.
            row, column = _largest(products, kept) if other == 0 else _above(products, best)
            _merge(best, found, row, products[row, column], column + other)
        return found


class _Cells:
    """Compares a row with those of the cells that are the nearest to it."""

    def __init__(self, points: Points) -> None:
        self._points = points
        centres = _centres(points, max(1, len(points) // CELL_ROWS))
        # Cells of each row, (N, `CELLS_SEEN`), the nearest first: in that one it is itself.
        self._cells = _nearest_cells(points, centres, min(CELLS_SEEN, len(centres)))
        own = self._cells[:, 0]
        self._members = np.argsort(own, kind="stable")
        self._edges = np.searchsorted(own[self._members], np.arange(len(centres) + 1))

    def nearest_from(self, start: int) -> NDArray[np.int64]:
        """The nearest of `SHARE_ROWS` rows: (rows, `NEAREST`), -1 for none."""
        cells = self._cells[start : start + SHARE_ROWS]
        best, found = _nothing(len(cells))
        # A row's own cell comes first: few rows of the others are more like it.
        for is_own, seen in ((True, cells[:, :1]), (False, cells[:, 1:])):
            order = np.argsort(seen, axis=None, kind="stable")
            edges = np.searchsorted(seen.ravel()[order], np.arange(len(self._edges)))
            for cell in np.flatnonzero(np.diff(edges) * np.diff(self._edges)).tolist():
                members = self._members[self._edges[cell] : self._edges[cell + 1]]
                theirs = self._points[members].T
                rows = order[edges[cell] : edges[cell + 1]] // seen.shape[1]
                step = max(1, BLOCK_PAIRS // len(members))
                for first in range(0, len(rows), step):
                    some = rows[first : first + step]
                    products = self._points[start + some] @ theirs
                    if is_own:
                        itself = np.searchsorted(members, start + some)
                        products[np.arange(len(some)), itself] = -1
                        row, column = _largest(products, min(NEAREST, len(members)))
                    else:
                        row, column = _above(products, best[some])
                    _merge(best, found, some[row], products[row, column], members[column])
        return found


def _centres(points: Points, count: int) -> Points:
    """Directions of so many cells, by spherical k-means of a sample: float32 (count, D)."""
    sample = points[:: max(1, len(points) // (SAMPLE_ROWS * count))]
    centres: Points = sample[np.linspace(0, len(sample) - 1, count).astype(int)]
    for _ in range(ROUNDS):
        own = _nearest_cells(sample, centres, 1)[:, 0]
        order = np.argsort(own, kind="stable")
        filled, first = np.unique(own[order], return_index=True)
        sums = np.add.reduceat(sample[order], first, axis=0)
        centres[filled] = sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9)
    return centres


def _nearest_cells(points: Points, centres: Points, count: int) -> Cells:
    """For each row so many cells, the nearest first: (N, count)."""
    kind = np.min_scalar_type(len(centres))  # small, and so sorted fast

    def of_block(start: int) -> Cells:
        products = points[start : start + BLOCK_ROWS] @ centres.T
        if count == 1:  # faster, and k-means asks for no more
            cells = products.argmax(axis=1)[:, np.newaxis]
        else:
            cells = _largest(products, count)[1].reshape(len(products), count)
            order = np.argsort(-np.take_along_axis(products, cells, 1), axis=1, kind="stable")
            cells = np.take_along_axis(cells, order, 1)
        narrow: Cells = cells.astype(kind)
        return narrow

    with worker_threads(step_threads()) as pool:
        return np.concatenate(list(pool.map(of_block, range(0, len(points), BLOCK_ROWS))))


def _nothing(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The largest products of so many rows and whose they are, before any was seen."""
    best = np.full((count, NEAREST), LEAST_COSINE, np.float32)
    return best, np.full((count, NEAREST), -1)


def _largest(products: NDArray[np.float32], kept: int) -> Found:
    """So many of the largest products of each row."""
    columns = np.argpartition(products, -kept, axis=1)[:, -kept:]
    return np.repeat(np.arange(len(products)), kept), columns.ravel()


def _above(products: NDArray[np.float32], best: NDArray[np.float32]) -> Found:
    """The products above the least of the best of their row."""
    places = np.flatnonzero(products > best[:, -1:])  # ten times as fast as nonzero
    row, column = np.divmod(places, products.shape[1])
    return row, column


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
