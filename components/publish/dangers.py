"""How often a dangerous class is called an edible one, as the gate counts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.common.base.shares import Share

PHOTOS, CONFUSIONS, EDIBLE = "dangerous_photos", "dangerous_confusions", "edible_classes"


@dataclass(frozen=True)
class Dangers:
    """Held-out photos of deadly and poisonous classes, and what the model called them.

    Attributes:
        confusions: photos that were called a class stated to be edible.
        photos: all of them.
        edible: how many classes are stated to be edible; without one there can be no confusion.
    """

    confusions: int
    photos: int
    edible: int

    def __post_init__(self) -> None:
        counts = (self.confusions, self.photos, self.edible)
        if not all(type(count) is int and count >= 0 for count in counts) or (
            self.confusions > self.photos
        ):
            raise ValueError(f"its dangerous confusions {counts!r:.80} make no sense")

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> "Dangers | None":
        """Those of a metrics file; None where no class's edibility is stated.

        Raises:
            KeyError: a count is missing.
            ValueError: the counts make no sense.
        """
        if PHOTOS not in figures:
            return None
        return cls(figures[CONFUSIONS], figures[PHOTOS], figures[EDIBLE])

    @property
    def share(self) -> Share:
        """The confusions of the photos, with the 95 % interval; up to 1 where there are none."""
        return Share.of(self.confusions, self.photos)


def refused(known: Dangers | None, most: float) -> str:
    """Why dangerous confusions hold a model back; empty where they do not.

    Args:
        known: the figures; None where no class's edibility is stated.
        most: that the upper bound of the share may be.
    """
    if known is None:
        return (
            "the edibility of its classes is not stated (species.yaml), and --max_dangerous "
            f"{most:g} cannot be judged"
        )
    if not known.edible or known.share.high <= most:
        return ""
    if not known.photos:
        return (
            "no held-out photo is of a class stated to be deadly or poisonous, and --max_dangerous "
            f"{most:g} cannot be judged"
        )
    return f"{in_words(known)} is above {most:g} (--max_dangerous)"


def in_words(known: Dangers) -> str:
    """The figure: "of 17 photos of poisonous or deadly classes 2 were called edible …"."""
    share = known.share
    return (
        f"of {share.total} held-out photos of deadly or poisonous classes {share.count} "
        f"{'is' if share.count == 1 else 'are'} taken for an edible one: the upper bound "
        f"{share.high:.3f} of this share"
    )
