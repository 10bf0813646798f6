"""Classes of which some are stated to be dangerous, for tests of what is said of them."""

import dataclasses

from evaluation_items import description

from components.common.dataset.class_facts import ClassFacts
from components.common.model.description import ModelDescription

DANGEROUS_CLASSES = ("champignon", "death cap", "fly agaric", "earthstar", "bracket")
FACTS = ClassFacts(
    edibility={
        "champignon": "edible",
        "death cap": "deadly",
        "fly agaric": "poisonous",
        "earthstar": "inedible",
    }
)


def dangerous_model() -> ModelDescription:
    """A model that knows which of its classes are dangerous; of bracket nothing is stated."""
    return dataclasses.replace(description(DANGEROUS_CLASSES), facts=FACTS)


def sure_of(label: str, *others: tuple[str, float]) -> tuple[float, ...]:
    """Probabilities: all for a class but what others get."""
    shares = dict(others)
    rest = 1 - sum(shares.values())
    return tuple(rest if one == label else shares.get(one, 0.0) for one in DANGEROUS_CLASSES)
