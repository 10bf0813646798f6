"""What a model recognises of each class: accuracy alone says nothing of a rare one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from components.common.base.shares import FEW_PHOTOS, Share, mean

ROUNDING = 1e-6  # of means


@dataclass(frozen=True)
class Recalls:
    """Photos of each class that were recognised by a model that had not learned from them.

    Attributes:
        right: how many of each class, by its name; a mean where each was asked about several times.
        photos: of how many.
        effective: how many independent photos tell as much as these, of which some may be of one
            observation; empty where all count as independent.
    """

    right: dict[str, float]
    photos: dict[str, int]
    effective: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, classes: Sequence[str], confusion: Any, effective: Any = None) -> "Recalls":
        """From a confusion matrix, whose rows are the true classes.

        Args:
            classes: in the order of the rows.
            confusion: counts; means where each photo was asked about several times.
            effective: how many independent photos those of each class are worth; None where the
                figures are of a version that did not say.

        Raises:
            ValueError: it is no matrix of counts for these classes, or `effective` makes no sense.
        """
        size = len(classes)
        if (
            not isinstance(confusion, list)
            or [len(_row(row)) for row in confusion] != [size] * size
        ):
            raise ValueError(f"its confusion matrix does not have {size} classes")
        photos = {label: round(sum(row)) for label, row in zip(classes, confusion, strict=True)}
        right = {label: confusion[place][place] for place, label in enumerate(classes)}
        if effective is None:
            return cls(right, photos)
        if not isinstance(effective, list) or len(effective) != size:
            raise ValueError(f"its class_effective_photos do not have {size} classes")
        recalls = cls(right, photos, dict(zip(classes, effective, strict=True)))
        recalls.check()
        return recalls

    def check(self) -> None:
        """Raise `ValueError` where the numbers make no sense."""
        if self.right.keys() != self.photos.keys():
            raise ValueError("its recalls make no sense")
        for label, photos in self.photos.items():
            if type(photos) is not int or not 0 <= _count(self.right[label]) <= photos + ROUNDING:
                raise ValueError("its recalls make no sense")
        for label, number in self.effective.items():
            photos = self.photos.get(label, 0)
            is_number = type(number) in (int, float)
            if not is_number or not 0 <= number <= photos or bool(number) != bool(photos):
                raise ValueError(f"{photos} photos of a class do not count as {number!r:.40}")

    def share(self, label: str) -> Share:
        """What is recognised of one class."""
        photos = self.photos[label]
        right = min(self.right[label], photos)
        return Share.of(right, photos, self.effective.get(label, photos))

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


def _row(row: object) -> list[float]:
    if not isinstance(row, list):
        raise ValueError("its confusion matrix has rows that are not lists")
    return [_count(count) for count in row]


def _count(value: object) -> float:
    if type(value) not in (int, float) or not 0 <= value < float("inf"):  # type: ignore[operator]
        raise ValueError("its confusion matrix has entries that are not counts")
    return value  # type: ignore[return-value]
