"""Temperature and the rule for "none of these": fitted on scores of photos that were not seen."""

import numpy as np
import pytest
from retrain_items import clusters

from components.common.model import UnknownRule, similarity, unit_length
from components.retrain.calibrate import (
    FALSE_REJECTION_RATE,
    FOLDS,
    calibrate,
    fit_rule,
    fit_temperature,
    folds,
    out_of_fold,
)
from components.retrain.head import Examples, Recipe, cross_entropy, train

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


def test_rule_rejects_no_more_than_it_states() -> None:
    generator = np.random.default_rng(0)
    probability = generator.random(400).astype(np.float32)
    alike = generator.random(400).astype(np.float32)
    rule = fit_rule(probability, alike)
    rejected = rule.rejects(probability, alike)
    assert rejected.mean() == FALSE_REJECTION_RATE == rule.false_rejection_rate
    assert (probability < rule.min_probability).sum() == 4


def test_too_few_photos_to_reject_any_reject_none() -> None:
    some = np.linspace(0.1, 0.9, 15, dtype=np.float32)
    assert not fit_rule(some, some).rejects(some, some).any()


def test_similarity_leaves_a_photo_s_own_group_out() -> None:
    unit = unit_length(np.array([[1, 0], [1, 0], [0, 1], [1, 1]], np.float32))
    with_itself = similarity(unit, unit, 1)
    np.testing.assert_allclose(with_itself, 1, atol=1e-6)
    alone = similarity(unit, unit, 1, groups=np.array([0, 0, 1, 2]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(alone, [half, half, half, half], atol=1e-6)
    two = similarity(unit[3:], unit[:3], 2)
    np.testing.assert_allclose(two, [half], atol=1e-6)


def test_photos_of_something_else_are_called_unknown() -> None:
    examples = clusters(60, seed=1)
    fold = folds(examples.labels, names(examples))
    fitted = calibrate(out_of_fold(examples, fold, 3, RECIPE), names(examples))
    assert fitted.photos == 180
    assert fitted.rejected <= FALSE_REJECTION_RATE
    assert fitted.log_loss[1] <= fitted.log_loss[0]
    generator = np.random.default_rng(9)
    elsewhere = generator.normal(0, 1, (50, 8)).astype(np.float32)
    elsewhere[:, 0] += 30
    alike = similarity(unit_length(elsewhere), unit_length(examples.vectors), 5)
    certain = np.ones(50, np.float32)
    assert fitted.unknown.rejects(certain, alike).mean() > 0.9


def test_rule_rejects_below_either_threshold() -> None:
    rule = UnknownRule(0.5, 0.6, 5, 0.05)
    probability = np.array([0.4, 0.5, 0.9, 0.9], np.float32)
    alike = np.array([0.9, 0.6, 0.5, 0.9], np.float32)
    assert rule.rejects(probability, alike).tolist() == [True, False, True, False]
