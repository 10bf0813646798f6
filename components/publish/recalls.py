"""What a model recognises of each class: accuracy alone says nothing of a rare one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.common.base.shares import FEW_PHOTOS, Share, mean


@dataclass(frozen=True)
class Recalls:
    """Photos of each class that were recognised by a model that had not learned from them.

    Attributes:
        right: how many of each class, by its name; a mean where each was asked about several times.
        photos: of how many.
        effective: how many independent photos would tell as much, above 0; where a class is not
            named, as many as there are.
    """

    right: dict[str, float]
    photos: dict[str, int]
    effective: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (
            self.right.keys() != self.photos.keys()
            or not self.effective.keys() <= self.right.keys()
        ):
            raise ValueError("its recalls make no sense")
        for label, photos in self.photos.items():
            right, effective = self.right[label], self.effective.get(label, 1)
            numbers = type(photos) is int and _is_number(right) and _is_number(effective)
            if not (numbers and 0 <= right <= photos and effective > 0):
                raise ValueError("its recalls make no sense")

    @classmethod
    def of(cls, classes: Sequence[str], figures: Mapping[str, Any]) -> "Recalls":
        """From a metrics file: its recalls, else its confusion matrix.

        Raises:
            KeyError: it has neither.
            ValueError: they are none of these classes.
        """
        if "recalls" not in figures:
            return cls._of_matrix(classes, figures["confusion"])
        told = figures["recalls"]
        if not isinstance(told, dict) or list(told) != list(classes):
            raise ValueError(f"its recalls are not those of {len(classes)} classes")
        if not all(isinstance(row, list) and len(row) == 3 for row in told.values()):
            raise ValueError("its recalls make no sense")
        effective = {label: row[2] for label, row in told.items() if row[1]}
        return cls(
            {label: row[0] for label, row in told.items()},
            {label: row[1] for label, row in told.items()},
            effective,
        )

    @classmethod
    def _of_matrix(cls, classes: Sequence[str], confusion: Any) -> "Recalls":
        """From a confusion matrix, whose rows are the true classes."""
        size = len(classes)
        if (
            not isinstance(confusion, list)
            or [len(_row(row)) for row in confusion] != [size] * size
        ):
            raise ValueError(f"its confusion matrix is not one of {size} classes")
        photos = {label: sum(row) for label, row in zip(classes, confusion, strict=True)}
        right = {label: confusion[place][place] for place, label in enumerate(classes)}
        return cls(right, photos)

    def share(self, label: str) -> Share:
        """What is recognised of one class."""
        return Share.of(self.right[label], self.photos[label], self.effective.get(label))

    @property
    def measured(self) -> list[Share]:
        """The shares of all classes that have photos."""
        return [self.share(label) for label, photos in self.photos.items() if photos]

    @property
    def macro(self) -> tuple[float, float, float]:
        """Mean recall of the classes that have photos, and its 95 % interval; 0 to 1."""
        return mean(self.measured)

    @property
    def by_one_answer(self) -> float:
        """The macro recall of always giving the same answer, whichever it is."""
        return 1 / max(1, len(self.measured))

    @property
    def few(self) -> list[str]:
        """Classes of which too few photos were measured on to say much, sorted."""
        return sorted(label for label, photos in self.photos.items() if photos < FEW_PHOTOS)

    def below(self, recall: float) -> list[str]:
        """Classes of which surely less is recognised: the upper bound of the share is below."""
        return sorted(label for label in self.photos if self.share(label).high < recall)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _row(row: object) -> list[int]:
    if isinstance(row, list) and all(type(count) is int and count >= 0 for count in row):
        return row
    raise ValueError("its confusion matrix has entries that are no counts")
