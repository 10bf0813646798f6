"""Photos in which the pretrained network sees no mushroom: one by one, and never a whole class.

ImageNet knows eight kinds of fungi, and a class may be none of them: "something else", a fungus
that the network takes for a bird, a set that is only partly about fungi. What a person made a class
is one. So single photos are left out of a class, and where that would take many of them, none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.dataset.class_facts import FUNGI, ClassFacts
from components.common.dataset.rows import RowsOf, numbered
from components.common.network.bottlenecks import Bottlenecks
from components.curate import suspects
from components.curate.suspects import Limits

# A class of which this share or more would go is kept whole. On 140 photos of 7 mushrooms and 200
# of flowers: of a class of fungi at most 0.20 would go, whatever classes of flowers stand beside
# it; of a class of flowers 0.30 (of ten photos) to 1, of one that is half flowers mostly 0.4, in 1
# of 10 cases 0.32 or less. With 25 flowers strewn among the 140 the share costs none of what is
# found; at a quarter, 0.73 of them would be found instead of 0.84. A class with more dirt than that
# is kept too, flagged and named, since nobody can tell it from those.
MAX_SHARE = 0.3


@dataclass(frozen=True)
class Subject:
    """What the network says of each photo's subject.

    Attributes:
        odds: natural log-odds that a photo shows a fungus, float64 (N,); NaN where that was not
            asked.
        leave_out: bool (N,), photos that surely show none.
        doubtful: bool (N,), other photos that perhaps show none.
        spared: of each class that is kept whole, how many of its photos would have gone.
        limits: of the odds, by which it was judged.
    """

    odds: NDArray[np.float64]
    leave_out: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    spared: Mapping[str, int]
    limits: Limits

    @property
    def is_judged(self) -> bool:
        """False where no photo was asked whether it shows a fungus."""
        return not bool(np.isnan(self.odds).all())


def judge(
    vectors: Bottlenecks,
    rows: Sequence[int] | NDArray[np.int64],
    labels: Sequence[str],
    groups: Sequence[str],
    facts: ClassFacts,
) -> Subject:
    """Ask the network of each photo whether it shows a fungus, where that is the question.

    Args:
        vectors: features and scores.
        rows: the places of the N photos among them.
        labels: class of each photo.
        groups: of each photo; copies say nothing about one another.
        facts: of the classes. Nothing is asked where the subject is not fungi, and nothing of
            classes that stand for something else.
    """
    nothing, limits = np.zeros(len(labels), dtype=bool), suspects.limits(vectors)
    if facts.subject != FUNGI:
        return Subject(np.full(len(labels), np.nan), nothing, nothing, {}, limits)
    names, classes = numbered(labels)
    asked = _others_than(facts.others, names)[classes]
    odds = _odds(vectors, np.asarray(rows), groups, asked)
    whole = _mostly_without(odds, names, classes, limits)
    of_others = asked & _others_than(whole, names)[classes]
    if whole and of_others.any():
        # What they show says nothing of the others: without them these are judged as by themselves.
        again = _odds(vectors, np.asarray(rows), groups, of_others)
        odds = np.where(np.isnan(again), odds, again)
        whole |= _mostly_without(again, names, classes, limits)
    out, doubtful = odds < limits.no_mushroom, odds < limits.doubtful
    if not suspects.may_leave_out(vectors):
        return Subject(odds, nothing, doubtful, {}, limits)
    spared = ~_others_than(whole, names)[classes]
    return Subject(odds, out & ~spared, doubtful & (spared | ~out), whole, limits)


def _others_than(some: Collection[str], names: Sequence[str]) -> NDArray[np.bool_]:
    """Which names are none of some: bool, one for each."""
    return np.array([name not in some for name in names], dtype=bool)


def _odds(
    vectors: Bottlenecks,
    rows: NDArray[np.int64],
    groups: Sequence[str],
    asked: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The odds of the photos that are asked about; NaN for all others, or for all."""
    odds = np.full(len(rows), np.nan)
    places = np.flatnonzero(asked)
    chosen = rows[places]
    scores = vectors.scores[np.ix_(chosen, np.array(suspects.FUNGI))]
    found = suspects.mushroom_odds(
        RowsOf(vectors.vectors, chosen), scores, [groups[place] for place in places.tolist()]
    )
    if found is not None:
        odds[places] = found
    return odds


def _mostly_without(
    odds: NDArray[np.float64], names: Sequence[str], classes: NDArray[np.intp], limits: Limits
) -> dict[str, int]:
    """Classes of which `MAX_SHARE` or more would go, with the number of those photos.

    Args:
        odds: float64 (N,); of a class all are NaN where nothing was asked, or none is.
        names: of the classes.
        classes: int (N,), the class of each photo, by its place among them.
        limits: of the odds.
    """
    found, gone = (
        np.bincount(classes[chosen], minlength=len(names)).tolist()
        for chosen in (~np.isnan(odds), odds < limits.no_mushroom)
    )
    shares = zip(names, found, gone, strict=True)
    return {label: gone for label, found, gone in shares if found and gone / found >= MAX_SHARE}
