"""Figures about predictions: accuracy with its interval, per class, and the confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """`count` of `total`, with the Wilson score interval (Wilson 1927) at 95 %."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself, 0 where there is nothing to share."""
        return self.count / self.total if self.total else 0.0


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is recognised."""

    label: str
    precision: float
    recall: Share
    photos: int


@dataclass(frozen=True)
class PartFigures:
    """Everything measured on one part.

    Attributes:
        name: "test" or "demo".
        accuracy: share of right answers.
        classes: per class, in the model's order.
        confusion: int64, shape (classes, classes); rows are the true classes.
    """

    name: str
    accuracy: Share
    classes: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]


def share(count: int, total: int) -> Share:
    """`count` of `total` with its Wilson interval; the whole range 0 to 1 for a total of 0."""
    from scipy.stats import binomtest

    if not total:
        return Share(0, 0, 0.0, 1.0)
    interval = binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return Share(count, total, float(interval.low), float(interval.high))


def measure_part(
    name: str, classes: Sequence[str], true: Sequence[str], predicted: Sequence[str]
) -> PartFigures:
    """Compare true and predicted labels of one part.

    Precision of a class that was never answered is 0, as scikit-learn's `zero_division=0`.
    """
    from sklearn.metrics import confusion_matrix, precision_score

    labels = list(classes)
    if not true:
        matrix = np.zeros((len(labels), len(labels)), np.int64)
        precisions = np.zeros(len(labels))
    else:
        matrix = confusion_matrix(true, predicted, labels=labels)
        precisions = precision_score(true, predicted, labels=labels, average=None, zero_division=0)
    figures = tuple(
        ClassFigures(
            label=label,
            precision=float(precisions[index]),
            recall=share(int(matrix[index, index]), int(matrix[index].sum())),
            photos=int(matrix[index].sum()),
        )
        for index, label in enumerate(labels)
    )
    accuracy = share(int(np.trace(matrix)), int(matrix.sum()))
    return PartFigures(name, accuracy, figures, matrix)
