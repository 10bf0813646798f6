"""Shares of photos, and means of them, with 95 % intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)
# Of a class: where all of fewer are recognised, it may still be that half of them are not.
FEW_PHOTOS = 5


@dataclass(frozen=True)
class Share:
    """`count` of `total`, with the Wilson score interval (Wilson 1927) at 95 %."""

    count: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> "Share":
        """`count` of `total`; the whole range 0 to 1 for a total of 0."""
        if not total:
            return cls(0, 0, 0.0, 1.0)
        middle = (count + Z**2 / 2) / (total + Z**2)
        half = Z * math.sqrt(count * (total - count) / total + Z**2 / 4) / (total + Z**2)
        # All and none are exactly 1 and 0, which rounding would miss.
        low = middle - half if count else 0.0
        high = middle + half if count < total else 1.0
        return cls(count, total, low, high)

    @property
    def value(self) -> float:
        """The share itself, 0 where there is nothing to share."""
        return self.count / self.total if self.total else 0.0


def mean(shares: Sequence[Share]) -> tuple[float, float, float]:
    """Mean of independent shares, and its 95 % interval; 0 and the whole range of none.

    The interval is made of those of the shares (MOVER: Zou and Donner 2008, doi 10.1002/sim.3095),
    so it has a width where all or none are right.
    """
    if not shares:
        return 0.0, 0.0, 1.0
    value = sum(share.value for share in shares) / len(shares)
    below = math.sqrt(sum((share.value - share.low) ** 2 for share in shares)) / len(shares)
    above = math.sqrt(sum((share.high - share.value) ** 2 for share in shares)) / len(shares)
    return value, max(0.0, value - below), min(1.0, value + above)
