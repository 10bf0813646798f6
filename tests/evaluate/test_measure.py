"""Figures, against what the literature and scikit-learn say."""

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from components.evaluate.measure import measure_part, share


def test_wilson_interval_is_the_published_one() -> None:
    # Brown, Cai, DasGupta 2001, and any table: 8 of 10 gives 0.490 to 0.943.
    interval = share(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert share(10, 10).high == pytest.approx(1.0)
    assert share(10, 10).low == pytest.approx(0.7225, abs=1e-4)


def test_share_of_nothing_says_nothing() -> None:
    nothing = share(0, 0)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 1.0)


def test_precision_recall_and_confusion() -> None:
    true = ["a", "a", "a", "b", "b", "c"]
    predicted = ["a", "a", "b", "b", "a", "a"]
    part = measure_part("test", ["a", "b", "c"], true, predicted)
    assert part.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert (part.accuracy.count, part.accuracy.total) == (3, 6)
    labels = ["a", "b", "c"]
    expected = precision_score(true, predicted, labels=labels, average=None, zero_division=0)
    np.testing.assert_allclose([one.precision for one in part.classes], expected)
    expected = recall_score(true, predicted, labels=labels, average=None, zero_division=0)
    np.testing.assert_allclose([one.recall.value for one in part.classes], expected)


def test_class_without_photos_and_part_without_photos_are_finite() -> None:
    part = measure_part("test", ["a", "b"], ["a"], ["a"])
    assert part.classes[1].photos == 0
    assert part.classes[1].precision == 0
    empty = measure_part("demo", ["a", "b"], [], [])
    assert empty.accuracy.total == 0
    assert empty.confusion.tolist() == [[0, 0], [0, 0]]
