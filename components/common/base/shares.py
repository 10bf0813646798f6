"""Shares of photos, and means of them, with 95 % intervals."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)
# Of a class: where all of fewer are recognised, it may still be that half of them are not.
FEW_PHOTOS = 5
# Right and wrong ones that are added where the likeness within groups is judged (Agresti and Coull
# 1998): one error alone is no proof that errors do not come together.
ADDED = Z**2 / 2


@dataclass(frozen=True)
class Share:
    """`count` of `total`, with the Wilson score interval (Wilson 1927) at 95 %.

    Attributes:
        count: how many have what is asked; a mean where each was asked about several times.
        total: of how many.
        low: lower bound of the share.
        high: its upper bound.
        effective: how many independent photos would tell as much; `total` where all are independent
            of each other.
    """

    count: float
    total: float
    low: float
    high: float
    effective: float

    @classmethod
    def of(cls, count: float, total: float, effective: float | None = None) -> "Share":
        """`count` of `total`; the whole range 0 to 1 for a total of 0.

        Args:
            count: how many have what is asked.
            total: of how many.
            effective: above 0; `total` by default. The interval is that of the same share of so
                many.
        """
        if not total:
            return cls(0, 0, 0.0, 1.0, 0.0)
        size = float(total if effective is None else effective)
        hits = count * (size / total)
        middle = (hits + Z**2 / 2) / (size + Z**2)
        half = Z * math.sqrt(hits * (size - hits) / size + Z**2 / 4) / (size + Z**2)
        # All and none are exactly 1 and 0, which rounding would miss.
        low = middle - half if count else 0.0
        high = middle + half if count < total else 1.0
        return cls(count, total, low, high, size)

    @classmethod
    def of_groups(cls, groups: Iterable[tuple[int, int]]) -> "Share":
        """The share among photos that come in groups, such as several photos of one observation.

        Photos of one group tend to be right or wrong together, so that they tell less than so many
        photos of different groups.

        Args:
            groups: of each group, how many of its photos have what is asked, and how many it has.
        """
        counts = list(groups)
        count, total = sum(hits for hits, _ in counts), sum(size for _, size in counts)
        return cls.of(count, total, _effective(counts, count, total))

    @property
    def value(self) -> float:
        """The share itself, 0 where there is nothing to share."""
        return self.count / self.total if self.total else 0.0

    @property
    def corrected(self) -> tuple[float, float]:
        """Wilson's bounds with continuity correction (Newcombe 1998, method 4), which are wider.

        They hold the true share nearly always at least as often as stated, those without in the
        mean of many true shares.
        """
        size, right = self.effective, self.value
        if not size:
            return self.low, self.high
        middle, width = 2 * size * right + Z**2, 2 * (size + Z**2)

        def half(side: int, wrong_of: float) -> float:
            inner = Z**2 - side * 2 - 1 / size + 4 * right * wrong_of
            return 1 + Z * math.sqrt(max(0.0, inner))

        wrong = size * (1 - right)
        low = (middle - half(1, wrong + 1)) / width if self.count else 0.0
        high = (middle + half(-1, wrong - 1)) / width if self.count < self.total else 1.0
        return min(self.low, max(0.0, low)), max(self.high, min(1.0, high))


def _effective(groups: Sequence[tuple[int, int]], count: int, total: int) -> float:
    """How many independent photos tell as much as these groups; 1 to `total`.

    Kish's design effect (Survey Sampling, 1965): 1 + the correlation within groups times the mean
    number of other photos in a photo's group. The correlation is estimated from pairs of photos of
    one group, of which pq(1 - correlation) times 2 disagree (Ridout, Demetrio and Firth 1999, doi
    10.1111/j.0006-341X.1999.00137.x), with pq as if `ADDED` more had been right and as many wrong.
    So where all or none are right, photos of one group count as one.
    """
    ordered_pairs = sum(size * (size - 1) for _, size in groups)
    if not ordered_pairs:
        return float(total)
    disagree = sum(2 * hits * (size - hits) for hits, size in groups) / ordered_pairs
    share = (count + ADDED) / (total + 2 * ADDED)
    correlation = min(1.0, max(0.0, 1 - disagree / (2 * share * (1 - share))))
    return total / (1 + correlation * ordered_pairs / total)


def mean(shares: Sequence[Share]) -> tuple[float, float, float]:
    """Mean of independent shares, and its 95 % interval; 0 and the whole range of none.

    The interval is made of those of the shares (MOVER: Zou and Donner 2008, doi 10.1002/sim.3095),
    so it has a width where all or none are right. It is made of the `corrected` ones: Wilson's own
    lean towards a half, and with many small shares that adds up, so that too few hold the truth.
    """
    if not shares:
        return 0.0, 0.0, 1.0
    if len(shares) == 1:
        return shares[0].value, shares[0].low, shares[0].high
    value = sum(share.value for share in shares) / len(shares)
    bounds = [share.corrected for share in shares]
    pairs = list(zip(shares, bounds, strict=True))
    below = math.sqrt(sum((share.value - low) ** 2 for share, (low, _) in pairs)) / len(shares)
    above = math.sqrt(sum((high - share.value) ** 2 for share, (_, high) in pairs)) / len(shares)
    return value, max(0.0, value - below), min(1.0, value + above)
