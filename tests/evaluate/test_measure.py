"""Figures, against what the literature and scikit-learn say."""

import dataclasses
import math

import numpy as np
import pytest
from evaluation_items import measured, plain_outcomes, random_outcomes
from scipy.stats import ttest_1samp
from sklearn import metrics

from components.common.base.shares import Share
from components.evaluate.measure import (
    Outcomes,
    PartFigures,
    mean_interval,
    quality,
    reliability,
)


def test_wilson_interval_is_the_published_one() -> None:
    # Brown, Cai, DasGupta 2001, and any table: 8 of 10 gives 0.490 to 0.943.
    interval = Share.of(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share.of(10, 10).high == pytest.approx(1.0)
    assert Share.of(10, 10).low == pytest.approx(0.7225, abs=1e-4)


def test_share_of_nothing_says_nothing() -> None:
    nothing = Share.of(0, 0)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 1.0)


def test_confusion_precision_recall_and_f1_are_those_of_scikit_learn() -> None:
    found = random_outcomes()
    part = measured(found)
    pair = (found.true, found.predicted)
    np.testing.assert_array_equal(part.confusion, metrics.confusion_matrix(*pair))
    precision, recall, f1, photos = metrics.precision_recall_fscore_support(*pair)
    np.testing.assert_allclose([one.precision for one in part.classes], precision)
    np.testing.assert_allclose([one.recall.value for one in part.classes], recall)
    np.testing.assert_allclose([one.f1 for one in part.classes], f1)
    assert [one.photos for one in part.classes] == photos.tolist()
    assert part.macro_recall == pytest.approx(recall.mean())
    assert part.macro_f1 == pytest.approx(f1.mean())
    assert part.accuracy.value == pytest.approx(metrics.accuracy_score(*pair))


def test_top_3_and_areas_under_the_curves_are_those_of_scikit_learn() -> None:
    found = random_outcomes()
    part = measured(found)
    top = metrics.top_k_accuracy_score(found.true, found.probabilities, k=3)
    assert part.top_k.value == pytest.approx(top)
    assert part.top_k.value > part.accuracy.value
    area = metrics.roc_auc_score(found.true, found.probabilities, multi_class="ovr")
    assert part.macro_auroc == pytest.approx(area)
    belongs = np.eye(5)[found.true]
    precision = metrics.average_precision_score(belongs, found.probabilities, average="macro")
    assert part.macro_average_precision == pytest.approx(precision)


def test_log_loss_and_brier_score_are_those_of_the_literature() -> None:
    found = random_outcomes()
    part = measured(found)
    for figures, probabilities in (
        (part.calibrated, found.probabilities),
        (part.uncalibrated, found.uncalibrated),
    ):
        assert figures is not None
        assert figures.log_loss == pytest.approx(metrics.log_loss(found.true, probabilities))
        squares = [
            sum((p - (place == true)) ** 2 for place, p in enumerate(row))
            for true, row in zip(found.true, probabilities, strict=True)
        ]
        assert figures.brier == pytest.approx(np.mean(squares))
    assert part.calibrated != part.uncalibrated


def test_calibration_error_weighs_each_bin_by_its_photos() -> None:
    # Four photos stated 0.75, one right; one stated 0.95, right: (4 * 0.5 + 1 * 0.05) / 5.
    rows = np.array([[0.75, 0.25]] * 4 + [[0.95, 0.05]])
    assert quality(np.array([0, 1, 1, 1, 0]), rows).calibration_error == pytest.approx(0.41)


def test_bins_hold_each_photo_once_and_certainty_is_in_the_last() -> None:
    confidence = np.array([0.0, 0.09, 0.1, 0.55, 0.99, 1.0])
    bins = reliability(confidence, np.array([False, True, True, True, False, True]))
    assert [(one.low, one.high, one.right.total) for one in bins] == [
        (0.0, 0.1, 2),
        (0.1, 0.2, 1),
        (0.5, 0.6, 1),
        (0.9, 1.0, 2),
    ]
    assert bins[-1].confidence == pytest.approx(0.995)
    assert bins[-1].right.value == 0.5


def test_probability_of_nothing_for_the_true_class_is_a_finite_loss() -> None:
    found = quality(np.array([0]), np.array([[0.0, 1.0]]))
    assert math.isfinite(found.log_loss)
    assert found.brier == 2


def test_unknown_photos_are_counted_and_accuracy_among_the_others() -> None:
    plain = plain_outcomes([0, 0, 1, 1], [0, 1, 1, 0])
    flags = np.array([False, True, False, False])
    part = measured(Outcomes(plain.true, plain.probabilities, plain.uncalibrated, flags))
    assert part.unknown is not None
    assert part.answered is not None
    assert (part.unknown.count, part.unknown.total) == (1, 4)
    assert (part.answered.count, part.answered.total) == (2, 3)
    assert measured(plain).unknown is None
    assert measured(plain).answered is None


def test_class_without_photos_is_in_no_mean() -> None:
    part = measured(plain_outcomes([0, 0, 1], [0, 2, 1]))
    assert (part.classes[2].photos, part.classes[2].answered) == (0, 1)
    assert part.classes[2].auroc is None
    assert part.classes[2].average_precision is None
    assert part.macro_recall == pytest.approx(0.75)
    assert part.macro_f1 == pytest.approx((2 / 3 + 1) / 2)


def test_only_class_with_photos_has_no_curves() -> None:
    part = measured(plain_outcomes([0, 0], [0, 1]))
    assert part.macro_auroc is None
    assert part.macro_average_precision is None
    assert part.macro_recall == 0.5


def test_part_without_photos_is_finite() -> None:
    empty = measured(plain_outcomes([], []))
    assert empty.accuracy.total == empty.top_k.total == 0
    assert empty.confusion.tolist() == [[0] * 3] * 3
    assert empty.calibrated is None
    assert empty.macro_recall == 0


def test_interval_of_a_mean_is_students() -> None:
    values = np.random.default_rng(1).normal(size=30)
    found = mean_interval(values)
    expected = ttest_1samp(values, 0).confidence_interval()
    assert found == pytest.approx((values.mean(), expected.low, expected.high))
    assert mean_interval(values[:1]) is None
    assert mean_interval(np.zeros(5)) == (0, 0, 0)
    # Each value there twice says as much as once.
    twice = np.repeat(values, 2)
    assert mean_interval(twice, np.repeat(np.arange(30), 2)) == pytest.approx(found)
    assert mean_interval(values, np.zeros(30, np.int64)) is None


def test_photos_of_one_observation_widen_every_interval() -> None:
    whole = random_outcomes(100)
    twice = np.repeat(np.arange(100), 2)
    doubled = Outcomes(
        *(part[twice] for part in (whole.true, whole.probabilities, whole.uncalibrated)),
        whole.unknown[twice] if whole.unknown is not None else None,
        groups=twice,
    )
    once, as_groups = measured(whole), measured(doubled)
    careless = measured(dataclasses.replace(doubled, groups=None))
    assert careless.accuracy.high - careless.accuracy.low < 0.8 * (
        once.accuracy.high - once.accuracy.low
    )

    def shares(part: PartFigures) -> list[Share]:
        assert part.unknown is not None
        assert part.answered is not None
        recalls = [figures.recall for figures in part.classes]
        return [part.accuracy, part.top_k, part.unknown, part.answered, *recalls]

    # Each photo there twice says as much as once.
    for one, pair in zip(shares(once), shares(as_groups), strict=True):
        assert pair.total == 2 * one.total
        assert (pair.low, pair.high, pair.effective) == pytest.approx(
            (one.low, one.high, one.total)
        )
    bins = reliability(doubled.confidence, doubled.right, doubled)
    for one, pair in zip(reliability(whole.confidence, whole.right), bins, strict=True):
        assert pair.right.effective == pytest.approx(one.right.total)
    assert as_groups.macro_recall_interval == pytest.approx(once.macro_recall_interval)


def test_reliability_counts_photos_and_not_the_rounds_in_which_they_were_asked_about() -> None:
    once = random_outcomes(photos=60)
    thrice = Outcomes(
        np.tile(once.true, 3),
        np.tile(once.probabilities, (3, 1)),
        np.tile(once.uncalibrated, (3, 1)),
        None,
        np.tile(np.arange(60), 3),
        rounds=3,
    )
    bins = reliability(once.confidence, once.right, once)
    same = reliability(thrice.confidence, thrice.right, thrice)
    for one, other in zip(bins, same, strict=True):
        assert (other.right.count, other.right.total) == (one.right.count, one.right.total)
        assert other.right.low == pytest.approx(one.right.low)
