"""The charts of the report: reliability, risk by coverage, and the curves of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.wording import amount
from components.common.pages import plot
from components.common.pages.chart import (
    SQUARE,
    Chart,
    Interval,
    Line,
    Point,
    quarters_axis,
    stairs,
)
from components.common.pages.text import percent
from components.evaluate.curves import ClassCurves, RiskCoverage, class_curves
from components.evaluate.evaluation import Evaluation
from components.evaluate.measure import ClassFigures, Outcomes, PartFigures, Quality, reliability

MAX_CLASSES_DRAWN = 12  # with a ROC and a precision-recall curve each: bounds the page's size
TALLEST = 0.25  # of a reliability diagram, for the bin with the most photos
DIAGONAL = ((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True)
class Diagram:
    """A reliability diagram and what it is of."""

    title: str
    quality: Quality
    drawing: str


@dataclass(frozen=True)
class ClassCharts:
    """The ROC and the precision-recall curve of a class."""

    figures: ClassFigures
    roc: str
    precision: str


def reliability_diagrams(evaluation: Evaluation) -> list[Diagram]:
    """Before and after the temperature; one alone where there is none, and none without photos."""
    part, outcomes = evaluation.overall, evaluation.outcomes
    if part.calibrated is None or part.uncalibrated is None:
        return []
    after = outcomes.probabilities
    if evaluation.model.temperature in (None, 1):
        return [_reliability("As the network gives them", part.calibrated, outcomes, after)]
    return [
        _reliability("Before the temperature", part.uncalibrated, outcomes, outcomes.uncalibrated),
        _reliability("After the temperature", part.calibrated, outcomes, after),
    ]


def _reliability(
    title: str, quality: Quality, outcomes: Outcomes, scores: NDArray[np.float64]
) -> Diagram:
    right = scores.argmax(axis=1) == outcomes.true
    bins = reliability(scores.max(axis=1), right, outcomes)
    most = max(group.right.total for group in bins)
    spoken = "; ".join(
        f"stated {percent(group.confidence)}, "
        f"right {percent(group.right.value)} of {amount(group.right.total)}"
        for group in bins
    )
    dots = Line(
        points=(),
        whiskers=[(group.confidence, group.right.low, group.right.high) for group in bins],
        dots=[(group.confidence, group.right.value) for group in bins],
    )
    columns = [(group.low, group.high, TALLEST * group.right.total / most) for group in bins]
    axes = ("stated, %", "right, %")
    drawing = _square(f"{title}: {spoken}", axes, dots, reference=DIAGONAL, columns=columns)
    return Diagram(title, quality, drawing)


def risk_by_coverage(found: RiskCoverage) -> str:
    """Wrong answers among the surest, by how many are answered."""
    overall, half = float(found.risk[-1]), float(found.risk[(len(found.risk) - 1) // 2])
    points = list(zip(found.coverage.tolist(), found.risk.tolist(), strict=True))
    return _square(
        f"Wrong answers among the surest: {percent(half)} of the surest half, "
        f"{percent(overall)} of all",
        ("answered, surest first, %", "wrong among them, %"),
        Line(points, area=True),
        reference=_level(overall),
    )


def hardest_first(evaluation: Evaluation) -> list[ClassCurves]:
    """The curves of the classes that have any, by their average precision."""
    figures = evaluation.overall.classes
    curves = class_curves(evaluation.outcomes)
    return sorted(curves, key=lambda curve: (figures[curve.index].average_precision, curve.index))


def class_charts(curves: ClassCurves, part: PartFigures) -> ClassCharts:
    """A class against all others."""
    figures = part.classes[curves.index]
    auroc, precision = figures.auroc or 0.0, figures.average_precision or 0.0
    roc = list(
        zip(curves.roc.false_positive_rate.tolist(), curves.roc.recall.tolist(), strict=True)
    )
    steps = stairs(list(zip(curves.recall.tolist(), curves.precision.tolist(), strict=True)))
    left = _square(
        f"ROC curve of {figures.label}, area {auroc:.3f}",
        ("others taken for it, %", "found, %"),
        Line(roc, area=True),
        reference=DIAGONAL,
    )
    right = _square(
        f"Precision by recall of {figures.label}, average precision {precision:.3f}",
        ("found (recall), %", "precision, %"),
        Line(steps, area=True),
        reference=_level(figures.photos / part.accuracy.total),
    )
    return ClassCharts(figures, left, right)


def _square(
    description: str,
    labels: tuple[str, str],
    line: Line,
    *,
    reference: tuple[Point, Point],
    columns: Sequence[Interval] = (),
) -> str:
    """A square chart of shares by shares."""
    across, up = map(quarters_axis, labels)
    chart = Chart(description, across, up, [line], columns, reference, size=SQUARE)
    return plot.svg(chart)


def _level(value: float) -> tuple[Point, Point]:
    return ((0.0, value), (1.0, value))
