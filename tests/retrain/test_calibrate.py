"""Temperature and the rule for "none of these": fitted on scores of photos that were not seen."""

import numpy as np
import pytest
from retrain_items import clusters

from components.common.model.model import softmax
from components.common.model.unknown import FALSE_REJECTION_RATE, ClassDistances
from components.retrain.calibrate import (
    FOLDS,
    SIGNIFICANT,
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


def drawn(photos: int, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits that are `scale` times the calibrated ones, labels, and five folds."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (photos, 4)).astype(np.float32)
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return logits * np.float32(scale), labels, np.arange(photos) % FOLDS


@pytest.mark.parametrize(
    ("photos", "scale", "least", "most"),
    [
        (200, 3.0, 2.4, 3.6),
        (5000, 3.0, 2.85, 3.15),
        (200, 0.4, 0.4, 0.8),
        (1000, 0.4, 0.4, 0.6),
        (20_000, 0.4, 0.39, 0.44),
    ],
)
def test_temperature_mends_what_is_clearly_too_sure_or_too_modest(
    photos: int, scale: float, least: float, most: float
) -> None:
    logits, labels, fold = drawn(photos, scale, seed=2)
    temperature = careful_temperature(logits, labels, fold)
    assert least <= temperature <= most
    unseen, truth, _ = drawn(5000, scale, seed=3)
    assert cross_entropy(unseen / temperature, truth) < cross_entropy(unseen, truth) - 0.02


def test_temperature_below_one_is_the_nearest_to_one_that_is_not_clearly_worse() -> None:
    logits, labels, fold = drawn(200, 0.5, seed=2)
    best, found = fit_temperature(logits, labels), careful_temperature(logits, labels, fold)
    assert best < found < 1

    def surely_worse(temperature: float) -> bool:
        losses = [
            -np.log(softmax(logits / np.float32(heat))[np.arange(200), labels])
            for heat in (temperature, best)
        ]
        more = losses[0] - losses[1]
        return bool(more.mean() > SIGNIFICANT * more.std() / np.sqrt(200))

    assert not surely_worse(found - 0.005)
    assert surely_worse(found + 0.005)


def test_temperature_stays_where_the_scores_are_calibrated() -> None:
    logits, labels, fold = drawn(5000, 1.0, seed=2)
    assert careful_temperature(logits, labels, fold) == pytest.approx(1, rel=0.06)


def test_temperature_makes_a_model_surer_only_by_folds_that_it_was_not_fitted_on() -> None:
    logits, labels, fold = drawn(5000, 0.4, seed=2)
    assert careful_temperature(logits, labels, np.zeros_like(fold)) == 1
    # In one fold the scores mean nothing: the temperature of the others costs there what they gain.
    misled = np.where(fold == 0, np.random.default_rng(5).integers(0, 4, len(labels)), labels)
    rest = fold != 0
    assert fit_temperature(logits, misled) < 0.9
    assert fit_temperature(logits[rest], labels[rest]) < 0.5
    assert careful_temperature(logits, misled, fold) == 1


@pytest.mark.parametrize("photos", [30, 100])
def test_temperature_is_left_at_one_where_it_does_not_clearly_help(photos: int) -> None:
    sets = [drawn(photos, 1.0, seed) for seed in range(300)]
    best = np.array([fit_temperature(logits, labels) for logits, labels, _ in sets])
    assert np.mean(np.abs(best - 1) > 0.05) > 0.5
    assert np.mean(best < 1) > 0.3
    found = np.array([careful_temperature(*one) for one in sets])
    assert np.mean(found != 1) <= 0.02


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
