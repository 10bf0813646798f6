"""How often a dangerous class is called an edible one, as the gate counts it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.common.base.shares import Share
from components.common.base.wording import mean_amount

PHOTOS, CONFUSIONS, EDIBLE = "dangerous_photos", "dangerous_confusions", "edible_classes"
HIGH, DEMO_LOW = "dangerous_rate_high", "demo_dangerous_rate_low"


@dataclass(frozen=True)
class Dangers:
    """Held-out photos of deadly and poisonous classes, and what the model called them.

    Attributes:
        confusions: photos that were called a class stated to be edible; a mean where each was
            asked about several times.
        photos: all of them.
        high: upper bound of the 95 % interval of their share; None for that of as many independent
            photos.
        demo_low: lower bound of the share among the demo photos, where the others were answered by
            models of the same recipe and these by the model itself.
        edible: how many classes are stated to be edible; without one there can be no confusion.
    """

    confusions: float
    photos: int
    edible: int
    high: float | None = None
    demo_low: float = 0.0

    def __post_init__(self) -> None:
        bounds = (0 if self.high is None else self.high, self.demo_low)
        told = (self.confusions, self.photos, self.edible, *bounds)
        if (
            not all(type(number) in (int, float) and 0 <= number < math.inf for number in told)
            or not (type(self.photos) is int and type(self.edible) is int)
            or not (self.confusions <= self.photos and max(bounds) <= 1)
        ):
            raise ValueError(f"its dangerous confusions {told!r:.80} make no sense")

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> "Dangers | None":
        """Those of a metrics file; None where no class's edibility is stated.

        Raises:
            KeyError: a count is missing.
            ValueError: the counts make no sense.
        """
        if PHOTOS not in figures:
            return None
        counts = figures[CONFUSIONS], figures[PHOTOS], figures[EDIBLE]
        return cls(*counts, figures.get(HIGH), figures.get(DEMO_LOW, 0.0))

    @property
    def upper(self) -> float:
        """The upper bound; 1 where there are no photos."""
        return Share.of(self.confusions, self.photos).high if self.high is None else self.high


def refused(known: Dangers | None, most: float) -> str:
    """Why dangerous confusions hold a model back; empty where they do not.

    Args:
        known: the figures; None where no class's edibility is stated.
        most: that the upper bound of the share may be.
    """
    if known is None:
        return (
            "the edibility of its classes is not stated (species.yaml), so --max_dangerous "
            f"{most:g} cannot be checked"
        )
    if not known.edible or max(known.upper, known.demo_low) <= most:
        return ""
    if known.upper <= most:
        return (
            "the model itself takes too many demo photos of deadly or poisonous classes for edible "
            f"ones: the lower bound {known.demo_low:.3f} of this share is above {most:g} "
            "(--max_dangerous)"
        )
    if not known.photos:
        return (
            "no held-out photo shows a class stated to be deadly or poisonous, so --max_dangerous "
            f"{most:g} cannot be checked"
        )
    return f"{in_words(known)} is above {most:g} (--max_dangerous)"


def in_words(known: Dangers) -> str:
    """The figure: "2 of 17 photos of deadly or poisonous classes are taken for …"."""
    count = known.confusions
    return (
        f"{mean_amount(count)} of {known.photos} photos of deadly or poisonous classes "
        f"{'is' if count == 1 else 'are'} taken for an edible one: the upper bound "
        f"{known.upper:.3f} of this share"
    )
