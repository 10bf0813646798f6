"""Curves over all thresholds: ROC, precision and recall, and risk by coverage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.shares import Share
from components.evaluate.measure import Outcomes

# Of a curve that is handed to Kubeflow, whose metadata store keeps it in one database field.
MAX_ROC_POINTS = 200
# An answer is believed from here on: rows of the report's table.
THRESHOLDS = (0.0, 0.5, 0.7, 0.9, 0.95)


@dataclass(frozen=True)
class Roc:
    """A receiver operating characteristic, from (0, 0) to (1, 1).

    Attributes:
        false_positive_rate: float64, shape (P,), ascending.
        recall: float64, shape (P,), the true positive rate, ascending.
        threshold: float64, shape (P,), descending, all finite: scikit-learn's first is infinity,
            here 1, which no probability exceeds.
    """

    false_positive_rate: NDArray[np.float64]
    recall: NDArray[np.float64]
    threshold: NDArray[np.float64]


@dataclass(frozen=True)
class ClassCurves:
    """The curves of one class against all others.

    Attributes:
        index: the class's place in the model's order.
        roc: its ROC curve.
        recall: float64, shape (P,), ascending, all that can be reached, above 0.
        precision: float64, shape (P,), the best at each of these.
    """

    index: int
    roc: Roc
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True)
class RiskCoverage:
    """How many answers are wrong if only the surest are given (Geifman and El-Yaniv 2017).

    Attributes:
        coverage: float64, shape (N,), share of photos answered: 1/N to 1.
        risk: float64, shape (N,), share of these answers that are wrong.
        area: under the curve (AURC), the mean risk over all coverages.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    area: float


@dataclass(frozen=True)
class Believed:
    """What one gets who believes only answers at least so sure."""

    threshold: float
    answered: int
    right: Share


def roc(belongs: NDArray[np.bool_], scores: NDArray[np.float64]) -> Roc:
    """The ROC curve of N scores, where some belong and some do not."""
    from sklearn.metrics import roc_curve

    false_positive_rate, recall, thresholds = roc_curve(belongs, scores)
    return Roc(false_positive_rate, recall, np.minimum(thresholds, 1.0))


def class_curves(outcomes: Outcomes) -> tuple[ClassCurves, ...]:
    """The curves of each class that has photos and is not the only one that has."""
    from sklearn.metrics import precision_recall_curve

    curves = []
    for index in range(outcomes.probabilities.shape[1]):
        belongs, scores = outcomes.true == index, outcomes.probabilities[:, index]
        if belongs.any() and not belongs.all():
            precision, recall, _ = precision_recall_curve(belongs, scores)
            # Where recall rises precision is at its best; below lies what adds no photo of the
            # class, which average precision does not count either. The end at recall 0 is made up.
            steps, places = np.unique(recall, return_inverse=True)
            best = np.zeros(len(steps))
            np.maximum.at(best, places, precision)
            curves.append(ClassCurves(index, roc(belongs, scores), steps[1:], best[1:]))
    return tuple(curves)


def micro_roc(outcomes: Outcomes) -> Roc:
    """One ROC curve of all pairs of photo and class (micro-averaged), of at most so many points."""
    classes = outcomes.probabilities.shape[1]
    belongs = np.eye(classes, dtype=bool)[outcomes.true].ravel()
    whole = roc(belongs, outcomes.probabilities.ravel())
    kept = np.unique(np.linspace(0, len(whole.recall) - 1, MAX_ROC_POINTS).round().astype(np.int64))
    return Roc(whole.false_positive_rate[kept], whole.recall[kept], whole.threshold[kept])


def risk_coverage(outcomes: Outcomes) -> RiskCoverage:
    """Answers in the order of their calibrated probability, surest first.

    Answers that are equally sure share their errors evenly, so that the order of the photos does
    not matter.
    """
    _, places, counts = np.unique(-outcomes.confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(places, weights=~outcomes.right) / counts
    ranks = np.arange(1, len(places) + 1)
    risk = np.cumsum(wrong[np.sort(places)]) / ranks
    return RiskCoverage(ranks / len(ranks), risk, float(risk.mean()))


def believed(outcomes: Outcomes) -> tuple[Believed, ...]:
    """What is left, and how much of it is right, at each of `THRESHOLDS`."""
    rows = []
    for threshold in THRESHOLDS:
        sure = outcomes.confidence >= threshold
        count = int(sure.sum())
        rows.append(Believed(threshold, count, outcomes.share(outcomes.right, sure)))
    return tuple(rows)
