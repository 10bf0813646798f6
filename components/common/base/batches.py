"""Items in batches, in turn and in parts: what `itertools` of Python 3.11 does not have yet."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice, zip_longest
from typing import TypeVar

from components.common.base.errors import InputError

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


def parse_part(text: str) -> tuple[int, int]:
    """The numbers of "2/4": the second of four parts.

    Raises:
        InputError: it names no part.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    if not match or int(match[1]) > int(match[2]):
        raise InputError(f"the part is {text!r}: expected such as 2/4, the second of four")
    return int(match[1]), int(match[2])
