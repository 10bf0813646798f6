"""Items in batches and in turn: what `itertools` of Python 3.11 does not have yet."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice, zip_longest
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def in_turn(groups: Iterable[Iterable[T]]) -> Iterator[T]:
    """The first item of every group, then the second of every group that has one, and so on."""
    nothing = object()
    mixed = chain.from_iterable(zip_longest(*groups, fillvalue=nothing))
    return (item for item in mixed if item is not nothing)  # type: ignore[misc]
