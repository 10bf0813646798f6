"""Temperature and the rule for "none of these": fitted on scores of photos that were not seen."""

import numpy as np
import pytest
from retrain_items import clusters

from components.common.model.unknown import FALSE_REJECTION_RATE, ClassDistances
from components.retrain.calibrate import (
    FOLDS,
    calibrate,
    careful_temperature,
    fit_temperature,
    folds,
    out_of_fold,
)
from components.retrain.head import Examples, cross_entropy, train
from components.retrain.options import Recipe

RECIPE = Recipe(how_many_training_steps=200)


def names(examples: Examples) -> list[str]:
    return [f"{number:05d}" for number in range(len(examples))]


def test_groups_stay_in_one_fold_and_every_fold_has_every_class() -> None:
    labels = np.repeat([0, 1, 2], [20, 31, 12])
    groups = [f"{label}-{number // 3}" for number, label in enumerate(labels)]
    found = folds(labels, groups)
    assert sorted(set(found.tolist())) == list(range(4))  # class 2 has four or five groups
    for group in set(groups):
        assert len({fold for fold, name in zip(found, groups, strict=True) if name == group}) == 1
    for fold in set(found.tolist()):
        assert set(labels[found == fold]) == {0, 1, 2}
        assert set(labels[found != fold]) == {0, 1, 2}


def test_enough_groups_make_five_folds_of_about_one_size() -> None:
    labels = np.repeat([0, 1], 50)
    sizes = np.bincount(folds(labels, [str(number) for number in range(100)]))
    assert len(sizes) == FOLDS
    assert sizes.tolist() == [20] * FOLDS


def test_class_of_one_group_cannot_be_divided() -> None:
    assert not folds(np.array([0, 0, 1, 1]), ["a", "b", "c", "c"]).any()


def test_each_photo_is_scored_by_a_head_that_did_not_see_its_fold() -> None:
    examples = clusters(10, seed=1, spread=3)
    fold = folds(examples.labels, names(examples))
    found = out_of_fold(examples, fold, 3, RECIPE)
    for number in range(FOLDS):
        rest = fold != number
        nothing = Examples(examples.vectors[:0], examples.labels[:0])
        training = Examples(examples.vectors[rest], examples.labels[rest])
        fixed = Recipe(how_many_training_steps=200, eval_step_interval=200)
        head = train(training, nothing, 3, fixed, lambda _: None)
        np.testing.assert_array_equal(found.logits[~rest], head.logits(examples.vectors[~rest]))
    np.testing.assert_array_equal(found.logits_of(examples.vectors), found.logits)


def test_distorted_copies_are_learned_from_and_never_scored() -> None:
    examples = clusters(10, seed=1, spread=3)
    fold = folds(examples.labels, names(examples))
    plain = out_of_fold(examples, fold, 3, RECIPE)
    with_copies = out_of_fold(examples, fold, 3, RECIPE, [examples.vectors + 1])
    assert with_copies.logits.shape == plain.logits.shape
    assert not np.array_equal(with_copies.logits, plain.logits)


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_temperature_is_found_again(true: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (20_000, 4)).astype(np.float32)
    gumbel = generator.gumbel(size=logits.shape)
    labels = (logits / true + gumbel).argmax(axis=1)  # drawn with softmax(logits / true)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(true, rel=0.05)
    best = cross_entropy(logits / found, labels)
    for other in (0.9, 1.1):
        assert cross_entropy(logits / (found * other), labels) > best


def test_photos_of_something_else_are_called_unknown() -> None:
    examples = clusters(60, seed=1)
    fold = folds(examples.labels, names(examples))
    fitted = calibrate(out_of_fold(examples, fold, 3, RECIPE))
    assert fitted.photos == 180
    assert fitted.rejected <= FALSE_REJECTION_RATE
    assert fitted.log_loss[1] <= fitted.log_loss[0]
    elsewhere = np.random.default_rng(9).normal(0, 1, (50, 8)).astype(np.float32)
    elsewhere[:, 0] += 30
    sure = np.full(50, found_largest(examples), np.float32)
    rule = fitted.unknown
    unknown = rule.rejects(rule.familiarity(rule.score(fitted.distances(elsewhere), sure)))
    assert unknown.mean() > 0.9


def found_largest(examples: Examples) -> float:
    """A large score, as of a photo that the head is sure of."""
    fold = folds(examples.labels, names(examples))
    return float(np.median(out_of_fold(examples, fold, 3, RECIPE).logits.max(axis=1)))


@pytest.mark.parametrize(("scale", "found"), [(3.0, 3.0), (1.0, 1.0), (0.3, 1.0)])
def test_temperature_never_makes_a_model_surer_of_itself(scale: float, found: float) -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 2, (5000, 4)).astype(np.float32)
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)  # calibrated
    temperature = careful_temperature(logits * np.float32(scale), labels)
    assert temperature >= 1
    assert temperature == pytest.approx(found, rel=0.06)


def test_temperature_is_left_at_one_where_it_does_not_clearly_help() -> None:
    generator = np.random.default_rng(4)
    logits = 1.1 * generator.normal(0, 2, (100, 4)).astype(np.float32)
    labels = (logits / 1.1 + generator.gumbel(size=logits.shape)).argmax(axis=1)
    assert fit_temperature(logits, labels) > 1.02
    assert careful_temperature(logits, labels) == 1


def test_each_photo_is_measured_by_distances_that_were_fitted_without_its_fold() -> None:
    examples = clusters(10, seed=1, spread=3)
    fold = folds(examples.labels, names(examples))
    found = out_of_fold(examples, fold, 3, RECIPE)
    rule = calibrate(found).unknown
    away = np.empty(len(examples), np.float32)
    for number in range(FOLDS):
        rest = fold != number
        fitted = ClassDistances.fit(examples.vectors[rest], examples.labels[rest])
        away[~rest] = fitted(examples.vectors[~rest])
    scores = rule.score(away, found.logits.max(axis=1))
    assert rule.quantiles[0] == scores.min()
    assert rule.quantiles[100] == scores.max()
    assert rule.distance_deviation == pytest.approx(away.std())


def test_after_fine_tuning_distances_are_those_of_the_training_part() -> None:
    examples, others = clusters(10, seed=1), clusters(10, seed=2)
    fold = folds(examples.labels, names(examples))
    fitted = calibrate(out_of_fold(examples, fold, 3, RECIPE), others)
    expected = ClassDistances.fit(others.vectors, others.labels)
    np.testing.assert_array_equal(fitted.distances.means, expected.means)
    assert fitted.unknown.distance_deviation == pytest.approx(expected(examples.vectors).std())
