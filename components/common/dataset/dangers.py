"""Dangerous classes in an answer: which must be named beside it, and which mistake could kill.

A class is dangerous where species.yaml calls it deadly or poisonous. What is not stated is not
known: such a class is neither dangerous nor edible here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from components.common.dataset.class_facts import DEADLY, EDIBLE, ClassFacts

# A dangerous class is named beside an answer from more than this probability on. It is the least
# that the figures support: probabilities are calibrated on some hundreds of photos, which cannot
# tell one in a hundred from one in a thousand. It is also low enough: whoever ate what the program
# is "99 % sure" of would be poisoned once in a hundred meals. A class below it is not ruled out.
# What an answer shows with "1 %" is named: what is more than half of that is rounded to it.
NAMED_FROM = 0.01
NAMED_ABOVE = NAMED_FROM / 2


@dataclass(frozen=True)
class Danger:
    """A dangerous class that a photo could show.

    Attributes:
        label: the class.
        edibility: "deadly" or "poisonous".
        probability: that the model gives it, 0 to 1.
    """

    label: str
    edibility: str
    probability: float


def possible(
    probabilities: Sequence[float], classes: Sequence[str], facts: ClassFacts
) -> tuple[Danger, ...]:
    """The dangerous classes above `NAMED_ABOVE`: the deadly first, then by probability.

    The likeliest class is among them in any case, if it is dangerous.

    Args:
        probabilities: calibrated, of all classes; float32 ones may pass 1 by their rounding.
        classes: in the same order.
        facts: what is known of the classes.
    """
    if not facts.edibility:  # nothing to look for among perhaps thousands of classes
        return ()
    largest = max(probabilities, default=0.0)
    found = [
        Danger(label, facts.edibility_of(label), max(0.0, min(1.0, float(probability))))
        for label, probability in zip(classes, probabilities, strict=True)
        if (probability > NAMED_ABOVE or probability == largest) and facts.is_dangerous(label)
    ]
    return tuple(sorted(found, key=lambda one: (one.edibility != DEADLY, -one.probability)))


def is_confusion(true: str, predicted: str, facts: ClassFacts, *, unknown: bool = False) -> bool:
    """Whether an answer is a dangerous confusion: a dangerous class taken for an edible one.

    Args:
        true: the photo's class.
        predicted: the likeliest class.
        facts: what is known of the classes.
        unknown: the answer was "none of these", which names no class.
    """
    return facts.is_dangerous(true) and facts.edibility_of(predicted) == EDIBLE and not unknown
