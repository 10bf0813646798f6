"""The most alike of many rows: all of them where they are few, nearly all where they are many."""

import numpy as np
import pytest
from numpy.typing import NDArray

from components.common.dataset import nearest


def directions(count: int, dimensions: int = 32, seed: int = 0) -> NDArray[np.float32]:
    """Rows of length 1 with a cosine of about 0.5."""
    draw = np.random.default_rng(seed)
    rows = (1 + draw.normal(size=(count, dimensions))).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def with_copies(count: int) -> tuple[NDArray[np.float32], set[tuple[int, int]]]:
    """Rows of which every fifth is a copy of the one before it, with a cosine of 0.9 or so."""
    rows = directions(count)
    copied = np.arange(0, count - 1, 5)
    rows[copied + 1] = rows[copied] + 0.5 * directions(len(copied), seed=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, {(row, row + 1) for row in copied.tolist()}


def found(rows: NDArray[np.float32]) -> set[tuple[int, int]]:
    return set(map(tuple, nearest.nearest_pairs(rows).tolist()))


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are looked for in cells, too: in 4 of about 32."""
    monkeypatch.setattr(nearest, "ALL_PAIRS_UP_TO", 0)
    monkeypatch.setattr(nearest, "CELLS_SEEN", 4)
    monkeypatch.setattr(nearest, "CELL_ROWS", 100)


@pytest.mark.parametrize("block", [8, 1024])
@pytest.mark.parametrize("count", [3, 4, 5, 70])
def test_nearest_are_those_of_comparing_all(
    block: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "BLOCK_ROWS", block)
    rows = directions(count)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1)
    expected = set()
    for row, line in enumerate(cosines):
        for other in np.argsort(-line)[: nearest.NEAREST]:
            if line[other] > nearest.LEAST_COSINE:
                expected.add((min(row, other), max(row, other)))
    assert found(rows) == expected
    assert expected


def test_copies_are_found_in_cells(cells: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, copies = with_copies(3_200)
    in_cells = found(rows)
    monkeypatch.setattr(nearest, "ALL_PAIRS_UP_TO", len(rows))
    exact = found(rows)
    assert copies <= exact
    assert len(copies & in_cells) >= 0.99 * len(copies)
    # Others are in other cells more often.
    assert 0.3 < len(exact & in_cells) / len(exact) < 0.95


def test_all_cells_are_all_pairs(cells: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = with_copies(1_000)
    monkeypatch.setattr(nearest, "CELLS_SEEN", 10)
    in_cells = found(rows)
    monkeypatch.setattr(nearest, "ALL_PAIRS_UP_TO", len(rows))
    assert in_cells == found(rows)


def test_cells_do_not_depend_on_the_number_of_threads(
    cells: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = with_copies(1_000)
    rows[500:520] = rows[0]  # equal ones: which of them are the nearest four?
    monkeypatch.setattr(nearest, "SHARE_ROWS", 64)
    results = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(nearest, "step_threads", lambda threads=threads: threads)
        results.append(nearest.nearest_pairs(rows).tolist())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("pairs", [1, 7, 2**18])
def test_cells_of_any_size_are_searched(
    cells: None, monkeypatch: pytest.MonkeyPatch, pairs: int
) -> None:
    """Also one that holds most rows, and rows without any feature."""
    rows, copies = with_copies(300)
    rows[100:200] = rows[100]
    rows[200:] = 0
    monkeypatch.setattr(nearest, "BLOCK_PAIRS", pairs)
    results = found(rows)
    assert {pair for pair in copies if pair[1] < 100} <= results
    assert all(second < 200 for _, second in results)
    assert all(any(row in pair and min(pair) >= 100 for pair in results) for row in range(100, 200))


def test_pairs_are_sorted_and_each_is_there_once() -> None:
    pairs = np.array([[3, 1], [1, 3], [2, 2], [0, 3], [1, 2]])
    assert nearest.unique_pairs(pairs, 4).tolist() == [[0, 3], [1, 2], [1, 3]]
    assert nearest.unique_pairs(np.empty((0, 2), np.int64), 0).tolist() == []
