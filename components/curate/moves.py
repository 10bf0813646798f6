"""Photos that a person moved to another class: from here on they are of that class."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from components.common.dataset.dataset import Dataset
from components.common.dataset.decisions import Decisions
from components.common.dataset.photo import Photo
from components.curate.selection import Key


@dataclass(frozen=True)
class Found:
    """The clean photos, each in the class that it belongs to by now.

    Attributes:
        rows: every photo, in the order of `stream_all`; with its class and the name of its file in
            that class.
        labels: the class in which each of them was found.
    """

    rows: Sequence[Photo]
    labels: Sequence[str]

    @cached_property
    def unique(self) -> dict[Key, int]:
        """The row of each photo, by (label, path); the same photo twice in a class counts once.

        That may be one of two datasets. Or it was moved to where it is already: then the one that
        was there stays.
        """
        chosen: dict[Key, int] = {}
        for moved in (False, True):
            for row, (photo, label) in enumerate(zip(self.rows, self.labels, strict=True)):
                if (photo.label != label) is moved:
                    chosen.setdefault((photo.label, photo.path), row)
        return chosen

    @cached_property
    def found_in(self) -> Mapping[Key, str]:
        """The class in which each moved photo was found, by its new (label, path)."""
        return {
            key: self.labels[row] for key, row in self.unique.items() if self.labels[row] != key[0]
        }


def find(datasets: Sequence[Dataset], by_hand: Decisions) -> Found:
    """The photos of all datasets, moved where a person moved them."""
    photos = [photo for dataset in datasets for photo in dataset.in_order()]
    return Found(list(_moved(photos, by_hand)), [photo.label for photo in photos])


def _moved(photos: Sequence[Photo], by_hand: Decisions) -> Iterator[Photo]:
    for photo in photos:
        label = by_hand.target(photo)
        if not label:
            yield photo
            continue
        name = photo.path.rpartition("/")[2]
        yield dataclasses.replace(photo, label=label, path=f"{label}/{name}")
