"""Figures about predictions: accuracy with its interval, per class, and of the probabilities."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components.common.base import shares
from components.common.base.shares import Share
from components.common.model.model import TOP_K

CONFIDENCE = 0.95
BINS = 10  # of the reliability diagram and the expected calibration error, of equal width
# Below it a probability counts as this in the log loss, so that one photo cannot make it infinite.
LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Outcomes:
    """True classes of N photos beside the model's answers.

    Attributes:
        true: int64, shape (N,), places in the model's order of classes.
        probabilities: float64, shape (N, classes), calibrated.
        uncalibrated: float64, shape (N, classes), as the network gives them.
        unknown: bool, shape (N,), called none of the classes; None where the model has no rule.
        groups: int64, shape (N,), the same number for photos that are alike, as those of one
            observation; None where each stands alone.
        rounds: how often each photo was asked about: N is so many times their number, and the
            answers to one photo are of one group. Counts are means over the rounds.
        worth: of how many photos one tells as much, where answers hang together.
    """

    true: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    uncalibrated: NDArray[np.float64]
    unknown: NDArray[np.bool_] | None = None
    groups: NDArray[np.int64] | None = None
    rounds: int = 1
    worth: float = 1.0

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The likeliest class of each photo, int64 (N,)."""
        likeliest: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return likeliest

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether that is the true class, bool (N,)."""
        is_right: NDArray[np.bool_] = self.predicted == self.true
        return is_right

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The calibrated probability of the likeliest class, float64 (N,)."""
        highest: NDArray[np.float64] = self.probabilities.max(axis=1)
        return highest

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Share:
        """The share of photos, with an interval that knows which of them are alike.

        Of several rounds the means.

        Args:
            hits: bool, shape (N,), whether a photo has what is asked.
            among: bool, shape (N,), the photos that are counted; all by default.
        """
        counted = np.ones(len(hits), bool) if among is None else among
        by_round = [
            share_of(hits[rows], None if self.groups is None else self.groups[rows], counted[rows])
            for rows in np.split(np.arange(len(hits)), self.rounds)
        ]
        # Several rounds tell no more than one: what they have in common does not average out.
        effective = self.worth * sum(share.effective for share in by_round) / self.rounds
        if self.rounds == 1:
            return Share.of(by_round[0].count, by_round[0].total, effective or None)
        count, total = (
            sum(values) / self.rounds
            for values in zip(*((share.count, share.total) for share in by_round), strict=True)
        )
        return Share.of(count, total, effective or None)


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is recognised.

    Attributes:
        label: the class.
        photos: of the class.
        answered: how many answers name the class, right or wrong.
        precision: share of them that are right; 0 where there are none.
        recall: share of the class's photos that were recognised.
        f1: harmonic mean of precision and recall.
        auroc: area under the ROC curve, this class against all others; None where there are no
            photos of the class or none of any other.
        average_precision: area under the stepped precision-recall curve; None likewise.
    """

    label: str
    photos: int
    answered: float
    precision: float
    recall: Share
    f1: float
    auroc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class Quality:
    """How good the probabilities are; 0 is best of all three.

    Attributes:
        log_loss: mean of -log(probability of the true class), nats.
        brier: mean squared distance of the probabilities from the truth, over all classes: 0 to 2.
        calibration_error: expected calibration error (Naeini et al. 2015) in `BINS` bins, 0 to 1.
    """

    log_loss: float
    brier: float
    calibration_error: float


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram: the photos whose stated probability lies in it.

    Attributes:
        low: its lower edge.
        high: its upper edge.
        confidence: mean stated probability of the likeliest class.
        right: share of these answers that are right.
    """

    low: float
    high: float
    confidence: float
    right: Share


@dataclass(frozen=True)
class PartFigures:
    """Everything measured on one part.

    Attributes:
        name: "test", "demo", "held out" or "folder".
        accuracy: share of right answers.
        top_k: share of photos whose true class is among the `TOP_K` likeliest.
        classes: per class, in the model's order.
        confusion: shape (classes, classes), int64, or float64 of several rounds; rows are the true
            classes.
        calibrated: of the probabilities; None without photos.
        uncalibrated: of those as the network gives them; None without photos.
        unknown: share of photos called none of the classes; None where the model has no rule.
        answered: share of right answers among the photos that were not.
        rounds: how often each photo was asked about; counts are means over the rounds.
    """

    name: str
    accuracy: Share
    top_k: Share
    classes: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64] | NDArray[np.float64]
    calibrated: Quality | None
    uncalibrated: Quality | None
    unknown: Share | None
    answered: Share | None
    rounds: int = 1

    @property
    def photos(self) -> int:
        """How many photos were measured on."""
        return round(self.accuracy.total)

    @property
    def macro_recall(self) -> float:
        """Mean recall of the classes that have photos."""
        return mean(figures.recall.value for figures in self.classes if figures.photos) or 0.0

    @property
    def macro_recall_interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        _, low, high = shares.mean([figures.recall for figures in self.classes if figures.photos])
        return low, high

    @property
    def few(self) -> list[str]:
        """Classes of which too few photos were held out to say much."""
        return [figures.label for figures in self.classes if figures.photos < shares.FEW_PHOTOS]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that have photos."""
        return mean(figures.f1 for figures in self.classes if figures.photos) or 0.0

    @property
    def macro_auroc(self) -> float | None:
        """Mean area under the ROC curves, of the classes that have one."""
        return mean(figures.auroc for figures in self.classes)

    @property
    def macro_average_precision(self) -> float | None:
        """Mean average precision, of the classes that have one."""
        return mean(figures.average_precision for figures in self.classes)


def share_of(
    hits: NDArray[np.bool_],
    groups: NDArray[np.int64] | None,
    among: NDArray[np.bool_] | None = None,
) -> Share:
    """As `Outcomes.share`, of photos of the given groups."""
    if among is not None:
        hits, groups = hits[among], None if groups is None else groups[among]
    if groups is None:
        return Share.of(int(hits.sum()), len(hits))
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    counts = np.bincount(places, weights=hits, minlength=len(sizes)).astype(np.int64)
    return Share.of_groups(zip(counts.tolist(), sizes.tolist(), strict=True))


def interval(name: str, share: Share) -> dict[str, float]:
    """A share and its interval as the metrics file names them."""
    return {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of those that are not None; None where all are."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def measure_part(name: str, classes: Sequence[str], outcomes: Outcomes) -> PartFigures:
    """Compare the true classes of one part with the answers."""
    right, total = outcomes.right, len(outcomes.true)
    order = np.argsort(-outcomes.probabilities, axis=1, kind="stable")[:, :TOP_K]
    among = (order == outcomes.true[:, None]).any(axis=1)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (outcomes.true, outcomes.predicted), 1)
    known = None if outcomes.unknown is None else ~outcomes.unknown
    return PartFigures(
        name=name,
        accuracy=outcomes.share(right),
        top_k=outcomes.share(among),
        classes=tuple(
            _measure_class(label, index, confusion, outcomes) for index, label in enumerate(classes)
        ),
        confusion=confusion if outcomes.rounds == 1 else confusion / outcomes.rounds,
        calibrated=quality(outcomes.true, outcomes.probabilities) if total else None,
        uncalibrated=quality(outcomes.true, outcomes.uncalibrated) if total else None,
        unknown=None if known is None else outcomes.share(~known),
        answered=None if known is None else outcomes.share(right, known),
        rounds=outcomes.rounds,
    )


def _measure_class(
    label: str, index: int, confusion: NDArray[np.int64], outcomes: Outcomes
) -> ClassFigures:
    from sklearn.metrics import average_precision_score, roc_auc_score

    hits, photos = int(confusion[index, index]), int(confusion[index].sum())
    answered = int(confusion[:, index].sum())
    auroc = precision_area = None
    rounds = outcomes.rounds
    if 0 < photos < len(outcomes.true):
        belongs, scores = outcomes.true == index, outcomes.probabilities[:, index]
        auroc = float(roc_auc_score(belongs, scores))
        precision_area = float(average_precision_score(belongs, scores))
    return ClassFigures(
        label=label,
        photos=photos // rounds,
        answered=answered if rounds == 1 else answered / rounds,
        precision=hits / answered if answered else 0.0,
        recall=outcomes.share(outcomes.right, outcomes.true == index),
        f1=2 * hits / (photos + answered) if photos + answered else 0.0,
        auroc=auroc,
        average_precision=precision_area,
    )


def quality(true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Quality:
    """Log loss, Brier score and calibration error.

    Args:
        true: int64, shape (N,), N at least 1.
        probabilities: float64, shape (N, classes).
    """
    truth = np.eye(probabilities.shape[1])[true]
    right = probabilities.argmax(axis=1) == true
    bins = reliability(probabilities.max(axis=1), right)
    return Quality(
        log_loss=float(losses(true, probabilities).mean()),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        calibration_error=sum(
            group.right.total * abs(group.right.value - group.confidence) for group in bins
        )
        / len(true),
    )


def losses(true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log loss of each photo, float64 (N,), nats."""
    of_truth = probabilities[np.arange(len(true)), true]
    nats: NDArray[np.float64] = -np.log(np.maximum(of_truth, LEAST_PROBABILITY))
    return nats


def mean_interval(
    values: NDArray[np.float64], groups: NDArray[np.int64] | None = None
) -> tuple[float, float, float] | None:
    """Mean of float64 (N,) with its 95 % interval by Student's t; None of fewer than two groups.

    The variance is that of the sums of groups, which need not be independent within.

    Args:
        values: of N photos.
        groups: as of `Outcomes`.
    """
    from scipy.stats import t

    places = np.arange(len(values))
    if groups is not None:
        places = np.unique(groups, return_inverse=True)[1]
    if not len(values) or places.max() < 1:
        return None
    middle, count = float(values.mean()), int(places.max()) + 1
    sums = np.bincount(places, weights=values - middle)
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * (count / (count - 1)) ** 0.5)
    half *= float((sums**2).sum()) ** 0.5 / len(values)
    return middle, middle - half, middle + half


def reliability(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    outcomes: Outcomes | None = None,
) -> tuple[Bin, ...]:
    """The bins of the reliability diagram that hold photos, in ascending order.

    Args:
        confidence: float64, shape (N,), stated probability of each answer.
        right: bool, shape (N,), whether it is right.
        outcomes: that they are of, which say what photos are alike and how often each was asked
            about; None where each stands alone.
    """
    share = outcomes.share if outcomes else partial(share_of, groups=None)
    places = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    return tuple(
        Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            confidence=float(confidence[places == place].mean()),
            right=share(right, among=places == place),
        )
        for place in np.unique(places).tolist()
    )
