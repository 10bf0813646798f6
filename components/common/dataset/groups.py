"""Which photos belong together: copies of one photo, and photos of one observation."""

import hashlib
from collections.abc import Iterable, Sequence

from components.common.dataset.photo import Photo


def group_photos(photos: Sequence[Photo], pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of rows: photos of one observation, of one content, and the given pairs.

    Returns:
        Lists of row numbers, each sorted, ordered by their first row.
    """
    parent = list(range(len(photos)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def join(left: int, right: int) -> None:
        low, high = sorted((root(left), root(right)))
        parent[high] = low

    for left, right in pairs:
        join(left, right)
    first: dict[str, int] = {}
    for row, photo in enumerate(photos):
        for key in (photo.observation, photo.sha256, photo.source_sha256):
            if key:
                join(first.setdefault(key, row), row)
    groups: dict[int, list[int]] = {}
    for row in range(len(photos)):
        groups.setdefault(root(row), []).append(row)
    return list(groups.values())


def group_keys(photos: Sequence[Photo]) -> list[str]:
    """The key of a group, then those that it had while its first photos were not there yet.

    A key is 40 hexadecimal digits, the SHA-1 of an observation or content, and the group's rank.
    """
    names = sorted({photo.observation or photo.source_sha256 for photo in photos})
    return [hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest() for name in names]
