"""Rows of what is too large to be copied, and rows by their names."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
Kind = TypeVar("Kind", bound=np.generic, covariant=True)
Places = slice | NDArray[np.integer[Any]]


class Rows(Protocol[Kind]):
    """Equal arrays that are taken some at a time: an array of them, or `RowsOf` one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all together; the number of rows comes first."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Places, /) -> NDArray[Kind]: ...


class RowsOf(Generic[Scalar]):
    """Some rows of a matrix, in some order; they are copied when they are taken.

    Args:
        matrix: (M, D), in memory or a file's.
        rows: (N,), places in it.
        shape: of one row, where that is not (D,).
    """

    def __init__(
        self, matrix: Rows[Scalar], rows: NDArray[np.integer[Any]], shape: tuple[int, ...] = ()
    ) -> None:
        self._matrix = matrix
        self._rows = rows
        self._shape = shape or matrix.shape[1:]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all rows together."""
        return len(self._rows), *self._shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: Places, /) -> NDArray[Scalar]:
        taken = self._matrix[self._rows[places]]
        return taken.reshape(-1, *self._shape)


def numbered(names: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """The different names, sorted, and the place of each name among them: int (N,)."""
    different = sorted(set(names))
    places = {name: place for place, name in enumerate(different)}
    return different, np.fromiter(map(places.__getitem__, names), np.intp, len(names))
