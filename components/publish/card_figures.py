"""The measured figures of a model card, as rows of its tables.

They come from the step evaluate. What is missing there is left out here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.common.dataset.attribution import escape
from components.common.model.description import ModelDescription
from components.common.model.model import TOP_K, TOP_K_IN_WORDS

MAX_CONFUSIONS = 8
PARTS = (
    ("test", "test part"),
    ("demo", "demo photos"),
    ("held_out", "both together"),
)
SHARES = (
    (f"top{TOP_K}_accuracy", f"right class among the {TOP_K_IN_WORDS} likeliest"),
    ("macro_recall", "recognised, mean over the classes"),
    ("curated_accuracy", "right, without the photos that look mislabelled"),
    ("unknown_rate", "called none of the classes, though they are of one"),
    ("answered_accuracy", "right, where it names a class"),
)
LOSSES = (
    ("log_loss", "log loss, nats (0 is best)"),
    ("brier", "Brier score (0 is best, 2 worst)"),
    ("ece", "expected calibration error (0 is best)"),
)
LOSS_HEADER = ["", "as the program gives them", "without the temperature"]

Rows = list[list[object]]


@dataclass(frozen=True)
class CardFigures:
    """Rows of the card's tables.

    Attributes:
        parts: of each part of the held-out photos: how many, how many are right, interval.
        shares: further shares of them, with intervals.
        classes: of each class: photos, recognised ones, photos that were given its name.
        loss_header, losses: how good the probabilities are.
        confusions: true class, predicted class, photos mixed up so, and photos of the true class,
            the most frequent first.
    """

    parts: Rows
    shares: Rows
    classes: Rows
    loss_header: list[str]
    losses: Rows
    confusions: list[tuple[str, str, int, int]]

    @classmethod
    def of(cls, description: ModelDescription, figures: Mapping[str, Any]) -> "CardFigures":
        """The rows for a model."""
        classes, matrix = description.classes, _confusion(description, figures)
        # Without a temperature there is one kind of probabilities.
        columns = 2 if description.temperature in (None, 1) else 3
        return cls(
            parts=[
                [name, int(photos), *_with_interval(figures, f"{key}_accuracy")]
                for key, name in PARTS
                if (photos := number(figures, f"{key}_photos"))
            ],
            shares=[
                [name, *_with_interval(figures, key)]
                for key, name in SHARES
                if number(figures, key) is not None
            ],
            classes=[
                [escape(label), sum(row), row[at], sum(line[at] for line in matrix)]
                for at, (label, row) in enumerate(zip(classes, matrix, strict=False))
            ],
            loss_header=LOSS_HEADER[:columns],
            losses=[
                _losses(figures, key, name)[:columns]
                for key, name in LOSSES
                if number(figures, key) is not None
            ],
            confusions=[
                (classes[true], classes[predicted], -less, sum(matrix[true]))
                for less, true, predicted in sorted(
                    (-count, true, predicted)
                    for true, row in enumerate(matrix)
                    for predicted, count in enumerate(row)
                    if true != predicted and count
                )[:MAX_CONFUSIONS]
            ],
        )


def share(value: float) -> str:
    """A share as people read it."""
    return f"{100 * value:.1f} %"


def number(facts: Mapping[str, Any], key: str) -> float | None:
    """A finite number among facts; None where there is none."""
    value = facts.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _losses(figures: Mapping[str, Any], key: str, name: str) -> list[object]:
    values = (number(figures, f"{key}{kind}") for kind in ("", "_uncalibrated"))
    return [name, *("" if value is None else f"{value:.3f}" for value in values)]


def _with_interval(figures: Mapping[str, Any], key: str) -> list[str]:
    value, low, high = (number(figures, f"{key}{end}") for end in ("", "_low", "_high"))
    interval = "" if low is None or high is None else f"{share(low)} to {share(high)}"
    return ["not measured" if value is None else share(value), interval]


def _confusion(description: ModelDescription, figures: Mapping[str, Any]) -> list[list[int]]:
    """Rows of true classes, columns of predicted ones; empty where there is no such matrix."""
    matrix, size = figures.get("confusion"), len(description.classes)
    if not isinstance(matrix, list) or len(matrix) != size:
        return []
    for row in matrix:
        if not isinstance(row, list) or len(row) != size:
            return []
        if not all(isinstance(count, int) and count >= 0 for count in row):
            return []
    return matrix
