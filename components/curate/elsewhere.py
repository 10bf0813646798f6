"""Photos of one group that are in several classes: which photo of another class each of them is."""

import collections
from collections.abc import Iterable, Mapping, Sequence

from components.common.dataset.photo import Photo


def across_classes(
    photos: Sequence[Photo], pairs: Iterable[tuple[int, int]]
) -> dict[int, list[int]]:
    """The copies of each photo that are in another class than it."""
    across: dict[int, list[int]] = collections.defaultdict(list)
    for left, right in pairs:
        if photos[left].label != photos[right].label:
            across[left].append(right)
            across[right].append(left)
    return across


def in_words(
    photos: Sequence[Photo], members: Sequence[int], across: Mapping[int, Sequence[int]]
) -> dict[int, str]:
    """In words, for each row of a group of two classes or more: which photo of another class it is.

    The same bytes, else a copy, else a photo of the same observation, else a copy of a copy; of
    several the first by name.

    Args:
        photos: all photos.
        members: the rows of the group.
        across: copies in other classes, by row.
    """
    first: dict[str, dict[str, str]] = collections.defaultdict(dict)  # by observation, then class
    for row in members:
        label, path = photos[row].label, photos[row].path
        for name in {"", photos[row].observation}:
            first[name][label] = min(first[name].get(label, path), path)
    words = {}
    for row in members:
        photo = photos[row]
        copies = [photos[other] for other in across.get(row, ())]
        if copies:
            best = min(copies, key=lambda copy: (copy.sha256 != photo.sha256, copy.path))
            words[row] = f"also in {best.path}"
            continue
        shots = [path for label, path in first[photo.observation].items() if label != photo.label]
        relation = "of one observation with" if photo.observation and shots else "also in"
        others = shots or [path for label, path in first[""].items() if label != photo.label]
        words[row] = f"{relation} {min(others)}"
    return words
