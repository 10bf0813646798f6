"""The softmax head: it learns, it is the same every time, and it sees the training part only."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from components.retrain.head import Examples, Measurement, Recipe, draw_batch, score, train


def clusters(per_class: int, *, seed: int, spread: float = 1.0) -> Examples:
    """Three clouds of points in eight dimensions."""
    centres = np.random.default_rng(0).normal(0, 2, (3, 8))
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class)
    vectors = centres[labels] + generator.normal(0, spread, (len(labels), 8))
    return Examples(vectors.astype(np.float32), labels)


def fit(training: Examples, validation: Examples, **options: float) -> tuple[object, list]:
    seen: list[Measurement] = []
    recipe = Recipe(**{"how_many_training_steps": 300, **options})  # type: ignore[arg-type]
    return train(training, validation, 3, recipe, seen.append), seen


def test_head_learns_separable_classes() -> None:
    head, seen = fit(clusters(30, seed=1), clusters(30, seed=2))
    assert score(head, clusters(200, seed=3))[0] > 0.95
    assert seen[-1].train_cross_entropy < seen[0].train_cross_entropy


def test_head_is_as_good_as_logistic_regression_on_hard_classes() -> None:
    training, test = clusters(100, seed=1, spread=4), clusters(500, seed=2, spread=4)
    head, _ = fit(training, training, how_many_training_steps=4000)
    peer = LogisticRegression(max_iter=1000).fit(training.vectors, training.labels)
    assert score(head, test)[0] >= peer.score(test.vectors, test.labels) - 0.02


def test_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    training = clusters(20, seed=1)
    first, again = fit(training, training)[0], fit(training, training)[0]
    other = fit(training, training, seed=1)[0]
    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.biases.tobytes() == again.biases.tobytes()
    assert first.weights.tobytes() != other.weights.tobytes()


def test_validation_part_does_not_touch_the_weights() -> None:
    training = clusters(20, seed=1)
    one = fit(training, clusters(5, seed=2))[0]
    two = fit(training, clusters(50, seed=3))[0]
    none = fit(training, Examples(np.zeros((0, 8), np.float32), np.zeros(0, np.int64)))[0]
    assert one.weights.tobytes() == two.weights.tobytes() == none.weights.tobytes()


def test_measurements_come_at_the_interval_and_at_the_last_step() -> None:
    _, seen = fit(
        clusters(5, seed=1), clusters(5, seed=2), how_many_training_steps=25, eval_step_interval=10
    )
    assert [one.step for one in seen] == [0, 10, 20, 24]


def test_classes_are_drawn_equally_often_however_unequal_they_are() -> None:
    small, large = clusters(4, seed=1), clusters(400, seed=1)
    keep = np.concatenate([np.flatnonzero(large.labels != 0), []]).astype(int)
    training = Examples(
        np.concatenate([small.vectors[small.labels == 0], large.vectors[keep]]),
        np.concatenate([small.labels[small.labels == 0], large.labels[keep]]),
    )
    head, _ = fit(training, training, how_many_training_steps=1000)
    test = clusters(200, seed=5)
    only = test.labels == 0
    assert score(head, Examples(test.vectors[only], test.labels[only]))[0] > 0.8


def test_score_is_accuracy_and_mean_cross_entropy() -> None:
    from components.retrain.head import Head

    head = Head(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    examples = Examples(np.array([[2, 0], [0, 2], [3, 0]], np.float32), np.array([0, 1, 1]))
    accuracy, cross_entropy = score(head, examples)
    right = np.log(1 + np.exp(-2))
    assert accuracy == pytest.approx(2 / 3)
    assert cross_entropy == pytest.approx((right + right + np.log(1 + np.exp(3))) / 3)


def test_batch_size_of_minus_one_is_everything() -> None:
    examples = clusters(4, seed=1)
    assert draw_batch(examples, -1, np.random.default_rng(0)) is examples
    assert len(draw_batch(examples, 7, np.random.default_rng(0))) == 7
