"""Dangerous confusions: photos of deadly or poisonous classes that are called an edible class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.common.base.shares import Share
from components.common.dataset import dangers
from components.common.dataset.class_facts import DEADLY, EDIBLE, ClassFacts
from components.evaluate.measure import Outcomes, interval


@dataclass(frozen=True)
class Pair:
    """A dangerous class and an edible one that it was taken for.

    Attributes:
        label: the dangerous class.
        edibility: "deadly" or "poisonous".
        predicted: the edible class.
        confused: photos of the dangerous class that were taken for it, of all its photos.
    """

    label: str
    edibility: str
    predicted: str
    confused: Share


@dataclass(frozen=True)
class Dangers:
    """What the model said of the photos of dangerous classes.

    Attributes:
        classes: the dangerous ones, in the model's order.
        edible: the edible ones; without any, no answer can be a dangerous confusion.
        confused: photos that were called an edible class, of all photos of dangerous classes.
        warned: of those, how many answers named a dangerous class beside the edible one.
        unwarned: photos that were called a class neither dangerous nor edible.
        turned_away: photos that were called "none of these".
        pairs: the confusions that happened: deadly classes first, then by their number.
    """

    classes: tuple[str, ...]
    edible: tuple[str, ...]
    confused: Share
    warned: float
    unwarned: float
    turned_away: float
    pairs: tuple[Pair, ...]

    @property
    def photos(self) -> int:
        """How many photos of dangerous classes there are."""
        return round(self.confused.total)

    @property
    def recognised(self) -> float:
        """How many were called a dangerous class, not always the right one."""
        return self.photos - self.confused.count - self.unwarned - self.turned_away


def measure(outcomes: Outcomes, classes: Sequence[str], facts: ClassFacts) -> Dangers | None:
    """Count the dangerous confusions; None where no class's edibility is stated.

    Args:
        outcomes: true classes and answers.
        classes: in the model's order.
        facts: what is known of them.
    """
    if not facts.states_edibility:
        return None
    dangerous = np.array([facts.is_dangerous(label) for label in classes])
    edible = np.array([facts.edibility_of(label) == EDIBLE for label in classes])
    true, predicted = outcomes.true, outcomes.predicted
    asked = dangerous[true]
    strange = np.zeros(len(true), bool) if outcomes.unknown is None else outcomes.unknown
    confused = asked & ~strange & edible[predicted]
    warned = [
        bool(dangers.possible(outcomes.probabilities[row].tolist(), classes, facts))
        for row in np.flatnonzero(confused).tolist()
    ]
    happened = {(int(true[row]), int(predicted[row])) for row in np.flatnonzero(confused).tolist()}
    pairs = [
        Pair(
            classes[of_true],
            facts.edibility_of(classes[of_true]),
            classes[of_answer],
            outcomes.share(confused & (predicted == of_answer), true == of_true),
        )
        for of_true, of_answer in sorted(happened)
    ]

    def mean(count: int) -> float:
        return count if outcomes.rounds == 1 else count / outcomes.rounds

    return Dangers(
        classes=tuple(label for label in classes if facts.is_dangerous(label)),
        edible=tuple(label for label in classes if facts.edibility_of(label) == EDIBLE),
        confused=outcomes.share(confused, asked),
        warned=mean(sum(warned)),
        unwarned=mean(int((asked & ~strange & ~edible[predicted] & ~dangerous[predicted]).sum())),
        turned_away=mean(int((asked & strange).sum())),
        pairs=tuple(
            sorted(
                pairs,
                key=lambda pair: (pair.edibility != DEADLY, -pair.confused.count),
            )
        ),
    )


def figures(found: Dangers | None) -> dict[str, Any]:
    """What the metrics file says of them: numbers, and a list of the pairs of classes."""
    if found is None:
        return {}
    share = found.confused
    result: dict[str, Any] = {
        "dangerous_photos": found.photos,
        "dangerous_confusions": share.count,
        "edible_classes": len(found.edible),
    }
    if found.photos:
        result |= interval("dangerous_rate", share) | {
            "dangerous_warned": found.warned,
            "dangerous_unwarned": found.unwarned,
            "dangerous_turned_away": found.turned_away,
        }
    result["dangerous_pairs"] = [
        {
            "label": pair.label,
            "edibility": pair.edibility,
            "predicted": pair.predicted,
            "photos": pair.confused.count,
            "of": pair.confused.total,
        }
        for pair in found.pairs
    ]
    return result


def figures_of_demo(found: Dangers | None) -> dict[str, Any]:
    """The same of the demo photos, where those without a part are of cross-validation."""
    if found is None or not found.photos:
        return {}
    return {
        "demo_dangerous_photos": found.photos,
        "demo_dangerous_confusions": found.confused.count,
        **interval("demo_dangerous_rate", found.confused),
    }
