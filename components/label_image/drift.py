"""Has something changed? A batch of answers compared with those of the demo photos.

Two things are asked of how familiar the photos look: whether it is spread as among the demo photos,
and whether as many are none of the classes. The classes themselves are not compared with the demo
photos, which are balanced by design, but with a batch of earlier.

Each test is one of permutations (Fisher 1935; Phipson and Smyth 2010, doi 10.2202/1544-6115.1585):
photos of both sides are put together and parted at random, again and again, into as many as before.
How often chance alone makes a difference at least as large is the p-value. This holds for any
number of photos and any ties; what is asked of counts needs no table of a distribution.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.common.model.answer_counts import AnswerCounts

LEVEL = 0.05  # of false alarms, all tests of a batch together
SHUFFLES = 9_999
FEWEST = 10  # photos of a batch; what fewer show is mostly chance
SEED = 0  # the same batch always gets the same answer
# Numpy deals out so many photos one by one, which is exact and fast; more by the marginals.
MOST_DEALT = 20_000
# Counts of shuffles that are in memory at once, 8 MB: all shuffles of what has 101 steps, and of
# thousands of classes a few hundred at a time.
BLOCK = 2**20

FAMILIARITY, NONE, CLASSES = "familiarity", "none_of_these", "classes"

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Statistic = Callable[[Counts, Counts], Values]


@dataclass(frozen=True)
class Finding:
    """What one test found.

    Attributes:
        what: `FAMILIARITY`, `NONE` or `CLASSES`.
        p_value: how often chance alone would do as much.
        adjusted: the same, corrected for the number of tests.
    """

    what: str
    p_value: float
    adjusted: float

    @property
    def alarm(self) -> bool:
        """Whether it is more than chance would do."""
        return self.adjusted <= LEVEL


def find(
    batch: AnswerCounts,
    reference: AnswerCounts,
    rejected_below: float,
    earlier: AnswerCounts | None = None,
    *,
    shuffles: int = SHUFFLES,
    seed: int = SEED,
) -> tuple[Finding, ...]:
    """Compare a batch with the demo photos, and its classes with those of an earlier batch.

    The two questions about familiarity are asked of the same shuffles, so that their correction
    (Westfall and Young 1993, step-down by the least p) knows how much they have in common. What
    they say together and what the classes say is corrected as Holm (1979) does.

    Args:
        batch: answers to its photos.
        reference: answers to the demo photos.
        rejected_below: a photo that is less familiar than this is none of the classes, 0 to 1.
        earlier: answers of the same model to an earlier batch; None for none.
        shuffles: how often the photos are parted at random.
        seed: of chance.

    Returns:
        A finding for each test; none of those that too few photos allow.
    """
    random = np.random.default_rng(seed)
    families: list[list[Finding]] = []
    if min(batch.photos, reference.photos) >= FEWEST:
        limit = sum(step / 100 < rejected_below - 1e-9 for step in range(len(batch.familiarity)))
        asked = {FAMILIARITY: anderson_darling, NONE: _rate(limit)}
        both = _shuffled(batch.familiarity, reference.familiarity, asked, shuffles, random)
        families.append(_step_down(both))
    if earlier and min(batch.classes.total(), earlier.classes.total()) >= FEWEST:
        labels = sorted(batch.classes.keys() | earlier.classes.keys())
        now, before = ([side.classes[label] for label in labels] for side in (batch, earlier))
        found = _shuffled(now, before, {CLASSES: chi_square}, shuffles, random)
        p_value = float(found[CLASSES][0])
        families.append([Finding(CLASSES, p_value, p_value)])
    return _holm(families)


def anderson_darling(draws: Counts, pooled: Counts) -> Values:
    """How differently values are spread in a part and in the rest, more sensitive at the ends.

    The two-sample statistic of Anderson and Darling for values that tie (Scholz and Stephens 1987,
    doi 10.1080/01621459.1987.10478517, equation 6), but for a factor that shuffling leaves alone.

    Args:
        draws: int64, shape (B, K): photos of each part by value.
        pooled: int64, shape (K,): of part and rest together.

    Returns:
        float64, shape (B,), of each part; 0 where it is spread as the whole.
    """
    size, taken = int(pooled.sum()), int(draws[0].sum())
    whole = np.cumsum(pooled).astype(np.float64)
    inner = (pooled > 0) & (whole < size)
    below = np.cumsum(draws, axis=1)[:, inner] / taken
    share = whole[inner] / size
    weights = pooled[inner] / (share * (1 - share))
    values: Values = ((below - share) ** 2 * weights).sum(axis=1)
    return values


def chi_square(draws: Counts, pooled: Counts) -> Values:
    """How differently classes are shared out, by Pearson's statistic but for a constant factor.

    Args:
        draws: int64, shape (B, K): photos of each part by class.
        pooled: int64, shape (K,): of part and rest together.

    Returns:
        float64, shape (B,).
    """
    there = pooled > 0
    expected = pooled[there] * (draws[0].sum() / pooled.sum())
    values: Values = ((draws[:, there] - expected) ** 2 / expected).sum(axis=1)
    return values


def _rate(limit: int) -> Statistic:
    """How far the share of photos below a step is from that of the whole, either way."""

    def statistic(draws: Counts, pooled: Counts) -> Values:
        expected = pooled[:limit].sum() * (draws[0].sum() / pooled.sum())
        values: Values = np.abs(draws[:, :limit].sum(axis=1) - expected)
        return values

    return statistic


def _shuffled(
    batch: Sequence[int],
    other: Sequence[int],
    statistics: Mapping[str, Statistic],
    shuffles: int,
    random: np.random.Generator,
) -> dict[str, Values]:
    """p-values of the batch, and of parts as large as it that chance makes of both sides.

    Args:
        batch: its photos by value or class.
        other: those of the other side, by the same.
        statistics: how differently a part and the rest are spread, by what they are called.
        shuffles: how often the photos are parted.
        random: of chance.

    Returns:
        Of each statistic float64, shape (1 + shuffles,); the first part is the batch itself.
    """
    own = np.array(batch, np.int64)
    pooled = own + np.array(other, np.int64)
    found: dict[str, list[Values]] = {what: [] for what in statistics}
    for draws in _draws(own, pooled, shuffles, random):
        for what, statistic in statistics.items():
            found[what].append(statistic(draws, pooled))
    return {what: _p_values(np.concatenate(values)) for what, values in found.items()}


def _draws(
    own: Counts, pooled: Counts, shuffles: int, random: np.random.Generator
) -> Iterator[Counts]:
    """The part that the batch itself is, and those of chance, in blocks: int64, (B, K)."""
    yield own[None]
    method: Literal["count", "marginals"] = "count" if pooled.sum() <= MOST_DEALT else "marginals"
    size = max(1, BLOCK // len(pooled))
    for begin in range(0, shuffles, size):
        yield random.multivariate_hypergeometric(
            pooled, int(own.sum()), size=min(size, shuffles - begin), method=method
        )


def _p_values(values: Values) -> Values:
    """Of each part, the share of all parts that differ at least as much; that of the first counts.

    The first part is one of them: a p-value of 0 would claim more than shuffling can know.
    """
    # Sums that differ by rounding alone are the same.
    whole = np.round(values / (values.max() or 1.0), 10)
    ordered = np.sort(whole)
    at_least = len(whole) - np.searchsorted(ordered, whole, side="left").astype(np.float64)
    return at_least / len(whole)


def _step_down(p_values: dict[str, Values]) -> list[Finding]:
    """Findings of tests of the same shuffles, corrected by the least p of each shuffle.

    Args:
        p_values: of two tests, float64, shape (1 + shuffles,).
    """
    least = np.minimum.reduce(list(p_values.values()))
    together = float((least <= least[0]).mean())
    own = {what: float(values[0]) for what, values in p_values.items()}
    first = min(own, key=lambda what: own[what])
    return [
        Finding(what, p_value, together if what == first else max(together, p_value))
        for what, p_value in own.items()
    ]


def _holm(families: list[list[Finding]]) -> tuple[Finding, ...]:
    """The findings of all families, each corrected for the number of families by Holm's steps."""

    def least(family: list[Finding]) -> float:
        return min(finding.adjusted for finding in family)

    corrected, before = {}, 0.0
    for place, family in enumerate(sorted(families, key=least)):
        factor = len(families) - place
        for finding in family:
            adjusted = min(1.0, max(before, factor * finding.adjusted))
            corrected[finding.what] = Finding(finding.what, finding.p_value, adjusted)
        before = max(before, min(1.0, factor * least(family)))
    order = (FAMILIARITY, NONE, CLASSES)
    return tuple(corrected[what] for what in order if what in corrected)


def mean_step(familiarity: Sequence[int]) -> float:
    """The mean of photos counted by hundredths, 0 to 100; 0 without photos."""
    weighted = sum(step * count for step, count in enumerate(familiarity))
    return weighted / max(1, sum(familiarity))


def shares(classes: Counter[str]) -> dict[str, float]:
    """The share of each class, of all that were taken for one."""
    total = classes.total()
    return {label: count / total for label, count in classes.items()} if total else {}
