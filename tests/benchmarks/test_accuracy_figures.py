"""Figures of cross-validated methods: as the report has them, paired, and by whole groups."""

import numpy as np
import pytest

from benchmarks.accuracy import ROWS, methods, surely_better
from benchmarks.accuracy_figures import NAMES, Measured, Photos, Result, measured
from components.evaluate.measure import quality

CLASSES = 4


def result(photos: int, *, skill: float, repeats: int = 3, seed: int = 0) -> Result:
    """Answers to photos whose classes come in turn; the more skill, the surer and better."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(repeats, photos, CLASSES))
    scores[:, np.arange(photos), np.arange(photos) % CLASSES] += skill
    shares = np.exp(scores)
    return Result("a method", shares / shares.sum(axis=2, keepdims=True))


def material(photos: int, per_group: int = 1) -> Photos:
    labels = np.arange(photos) % CLASSES
    return Photos.of(labels, np.arange(photos) // per_group)


def test_figures_are_those_of_the_report() -> None:
    found, photos = result(60, skill=2), material(60)
    value = measured(found, photos).value
    expected = [quality(photos.labels, one) for one in found.probabilities]
    right = found.probabilities.argmax(axis=2) == photos.labels
    recall = np.mean([right[:, photos.labels == label].mean() for label in range(CLASSES)])
    for name, number in zip(
        NAMES,
        [
            recall,
            np.mean([one.log_loss for one in expected]),
            np.mean([one.brier for one in expected]),
            np.mean([one.calibration_error for one in expected]),
        ],
        strict=True,
    ):
        assert value[NAMES.index(name)] == pytest.approx(number), name


def test_interval_holds_the_figure_and_narrows_with_more_photos() -> None:
    few, many = (measured(result(count, skill=2), material(count)) for count in (60, 960))
    for one in (few, many):
        assert (one.low < one.value).all()
        assert (one.value < one.high).all()
    assert ((many.high - many.low) < 0.5 * (few.high - few.low)).all()


def test_photos_of_one_group_are_drawn_together() -> None:
    once = result(60, skill=2)
    twice = Result("the same", np.repeat(once.probabilities, 2, axis=1))
    labels = np.repeat(np.arange(60) % CLASSES, 2)
    alone = measured(once, material(60))
    together = measured(twice, Photos.of(labels, np.repeat(np.arange(60), 2)))
    careless = measured(twice, Photos.of(labels, np.arange(120)))
    np.testing.assert_allclose(together.value, alone.value)
    np.testing.assert_allclose(together.high - together.low, alone.high - alone.low)
    assert (careless.high - careless.low < together.high - together.low).all()


def test_difference_is_paired_and_of_the_same_repeats() -> None:
    photos = material(60)
    reference = result(60, skill=2)
    same = measured(reference, photos, reference)
    assert not np.array([same.value, same.low, same.high]).any()
    first = Result("first repeat", reference.probabilities[:1])
    assert not measured(first, photos, reference).value.any()


def difference(recall: tuple[float, float], log_loss: tuple[float, float]) -> Measured:
    low, high = (np.array([recall[end], log_loss[end], 0, 0]) for end in (0, 1))
    return Measured((low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("recall", "log_loss", "missed"),
    [
        ((-0.02, 0.01), (-0.04, 0.02), 0),
        ((0.01, 0.03), (-0.04, 0.02), 1),
        ((-0.02, 0.01), (-0.04, -0.02), 1),
        ((-0.03, -0.01), (0.01, 0.02), 0),
    ],
)
def test_recipe_that_is_surely_better_than_ours_fails_the_benchmark(
    recall: tuple[float, float], log_loss: tuple[float, float], missed: int
) -> None:
    assert surely_better(difference(recall, log_loss)) == missed


def test_every_row_can_be_asked_for() -> None:
    nothing: object = type("Nothing", (), dict.fromkeys(("labels", "vectors", "sizes")))
    assert tuple(methods(nothing, nothing)) == ROWS  # type: ignore[arg-type]
