"""Curves, against scikit-learn and against counting by hand."""

import numpy as np
import pytest
from evaluation_items import measured, plain_outcomes, random_outcomes
from sklearn.metrics import auc

from components.common.pages.chart import stairs
from components.evaluate import curves
from components.evaluate.measure import Outcomes


def sure(confidences: list[float], right: list[bool]) -> Outcomes:
    """Answers of two classes, so sure and so right."""
    rows = np.array([[one, 1 - one] for one in confidences])
    return Outcomes(np.array([0 if one else 1 for one in right]), rows, rows)


def test_roc_is_finite_and_spans_the_square() -> None:
    found = random_outcomes()
    part = measured(found)
    for one in curves.class_curves(found):
        rates, recall = one.roc.false_positive_rate, one.roc.recall
        assert np.isfinite([rates, recall, one.roc.threshold]).all()
        assert (rates[0], recall[0], rates[-1], recall[-1]) == (0, 0, 1, 1)
        assert one.roc.threshold.max() <= 1
        assert auc(rates, recall) == pytest.approx(part.classes[one.index].auroc)


def test_area_under_the_precision_steps_is_the_average_precision() -> None:
    found = random_outcomes()
    for one in curves.class_curves(found):
        steps = stairs(list(zip(one.recall, one.precision, strict=True)))
        across, up = zip(*steps, strict=True)
        expected = measured(found).classes[one.index].average_precision
        assert np.trapezoid(up, across) == pytest.approx(expected)


def test_class_without_photos_has_no_curves() -> None:
    found = curves.class_curves(plain_outcomes([0, 0, 1], [0, 2, 1]))
    assert [one.index for one in found] == [0, 1]
    assert curves.class_curves(plain_outcomes([0, 0], [0, 1])) == ()


def test_micro_averaged_roc_is_finite_and_thinned() -> None:
    found = curves.micro_roc(random_outcomes(photos=3000))
    points = np.stack([found.false_positive_rate, found.recall, found.threshold])
    assert np.isfinite(points).all()
    assert points.shape[1] <= curves.MAX_ROC_POINTS
    assert points[:2, 0].tolist() == [0, 0]
    assert points[:2, -1].tolist() == [1, 1]
    assert (np.diff(points[2]) <= 0).all()
    assert 0.8 < auc(found.false_positive_rate, found.recall) < 0.99


def test_risk_is_the_share_of_wrong_answers_among_the_surest() -> None:
    found = curves.risk_coverage(sure([0.6, 0.9, 0.8, 0.7], [False, True, False, True]))
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert found.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_equally_sure_answers_share_their_errors_in_any_order() -> None:
    one = curves.risk_coverage(sure([0.8, 0.8, 0.9], [True, False, True]))
    other = curves.risk_coverage(sure([0.8, 0.8, 0.9], [False, True, True]))
    assert one.risk.tolist() == other.risk.tolist() == pytest.approx([0, 1 / 4, 1 / 3])


def test_believing_only_sure_answers_leaves_fewer() -> None:
    rows = curves.believed(sure([0.55, 0.75, 0.92, 0.99], [False, True, False, True]))
    counts = [(one.threshold, one.answered, one.right.count) for one in rows]
    assert counts == [(0.0, 4, 2), (0.5, 4, 2), (0.7, 3, 2), (0.9, 2, 1), (0.95, 1, 1)]
