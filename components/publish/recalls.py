"""What a model recognises of each class: accuracy alone says nothing of a rare one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.common.base.shares import FEW_PHOTOS, Share, mean


@dataclass(frozen=True)
class Recalls:
    """Photos of each class that were recognised, of those that were held out.

    Attributes:
        right: how many of each class, by its name.
        photos: of how many.
    """

    right: dict[str, int]
    photos: dict[str, int]

    @classmethod
    def of(cls, classes: Sequence[str], confusion: Any) -> "Recalls":
        """From a confusion matrix, whose rows are the true classes.

        Raises:
            ValueError: it is no matrix of counts for these classes.
        """
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
        return Share.of(self.right[label], self.photos[label])

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
        """Classes of which too few photos were held out to say much, sorted."""
        return sorted(label for label, photos in self.photos.items() if photos < FEW_PHOTOS)

    def below(self, recall: float) -> list[str]:
        """Classes of which surely less is recognised: the upper bound of the share is below."""
        return sorted(label for label in self.photos if self.share(label).high < recall)


def _row(row: object) -> list[int]:
    if isinstance(row, list) and all(type(count) is int and count >= 0 for count in row):
        return row
    raise ValueError("its confusion matrix has entries that are no counts")
