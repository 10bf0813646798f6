"""The softmax head: it learns, it is the same every time, and it sees the training part only."""

import numpy as np
import pytest
from retrain_items import clusters
from sklearn.linear_model import LogisticRegression

from components.common.model.model import softmax
from components.retrain.head import (
    SQUARED_LENGTH,
    Examples,
    Head,
    Look,
    draw_batch,
    scale_of,
    score,
    train,
)
from components.retrain.options import Recipe


def fit(training: Examples, validation: Examples, **options: float) -> tuple[object, list]:
    seen: list[Look] = []
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


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_every_optimizer_learns(optimizer: str) -> None:
    head, seen = fit(clusters(30, seed=1), clusters(30, seed=2), optimizer=optimizer)
    assert score(head, clusters(200, seed=3))[0] > 0.95
    assert seen[-1].train_cross_entropy < seen[0].train_cross_entropy


def test_penalty_leads_to_scikit_learn_s_optimum() -> None:
    training = clusters(100, seed=1, spread=4)
    l2 = 0.03
    head, _ = fit(
        training,
        training,
        how_many_training_steps=6000,
        optimizer="adam",
        learning_rate=0.01,
        learning_rate_schedule="cosine",
        l2=l2,
    )
    # scikit-learn divides the penalty by C and by nothing else: C = 1 / (N l2).
    peer = LogisticRegression(C=1 / (len(training) * l2), max_iter=5000, tol=1e-10)
    peer.fit(training.vectors, training.labels)
    centred = head.weights - head.weights.mean(axis=1, keepdims=True)
    expected = peer.coef_.T - peer.coef_.T.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, expected, atol=0.01)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("constant", [0.02, 50.0])
def test_scaled_bottlenecks_times_a_constant_give_the_same_probabilities(
    optimizer: str, constant: float
) -> None:
    training, test = clusters(30, seed=1, spread=3), clusters(30, seed=2, spread=3)
    options = {
        "optimizer": optimizer,
        "learning_rate": 0.01 if optimizer == "adam" else 0.0001,
        "l2": 0.05,
        "validation_batch_size": -1,
    }

    def probabilities(times: float, **more: bool) -> tuple[np.ndarray, list[Look]]:
        longer = Examples(training.vectors * np.float32(times), training.labels)
        asked = Examples(test.vectors * np.float32(times), test.labels)
        head, seen = fit(longer, asked, **options, **more)
        return softmax(head.logits(asked.vectors)), seen

    (plain, seen), (times, seen_times) = (
        probabilities(value, scale_bottlenecks=True) for value in (1, constant)
    )
    np.testing.assert_allclose(times, plain, atol=2e-4)
    # Each look on the way is for the bottlenecks as they are, too.
    for one, other in zip(seen, seen_times, strict=True):
        assert other.validation_cross_entropy == pytest.approx(
            one.validation_cross_entropy, abs=1e-3
        )
        assert score(one.head, one.held_out)[1] == pytest.approx(seen[-1].validation_cross_entropy)
    assert not np.allclose(probabilities(constant)[0], probabilities(1)[0], atol=0.01)


def test_penalty_on_scaled_bottlenecks_is_counted_at_the_stated_length() -> None:
    training = clusters(100, seed=1, spread=4)
    options = {
        "how_many_training_steps": 6000,
        "optimizer": "adam",
        "learning_rate": 0.003,
        "learning_rate_schedule": "cosine",
    }
    head, _ = fit(training, training, **options, l2=0.5, scale_bottlenecks=True)
    squared = float((training.vectors**2).sum(axis=1).mean())
    same, _ = fit(training, training, **options, l2=0.5 * squared / SQUARED_LENGTH)
    found, expected = (softmax(one.logits(training.vectors)) for one in (head, same))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_vectors_of_no_length_are_left_as_they_are() -> None:
    assert scale_of(np.zeros((3, 8), np.float32)) == 1
    assert scale_of(np.zeros((0, 8), np.float32)) == 1
    scaled = clusters(9, seed=1).vectors * scale_of(clusters(9, seed=1).vectors)
    assert (scaled**2).sum(axis=1).mean() == pytest.approx(SQUARED_LENGTH, rel=1e-5)


def test_original_command_is_trained_on_bottlenecks_as_they_are() -> None:
    """Plain gradient descent without penalty, as retrain.py's, step by step."""
    assert not Recipe().scale_bottlenecks
    training = clusters(20, seed=1)
    seen: list[Look] = []
    heads = []

    def look(one: Look) -> None:
        seen.append(one)
        heads.append(Head(one.head.weights.copy(), one.head.biases.copy()))

    train(training, training, 3, Recipe(how_many_training_steps=5, eval_step_interval=1), look)
    for before, after, one in zip(heads, heads[1:], seen[1:], strict=False):
        error = softmax(before.logits(one.batch.vectors)) - np.eye(3)[one.batch.labels]
        slope = one.batch.vectors.T @ error / len(one.batch)
        np.testing.assert_allclose(after.weights, before.weights - 0.01 * slope, atol=1e-6)


def test_smoothed_labels_keep_the_head_from_certainty() -> None:
    training = clusters(30, seed=1, spread=0.1)
    options = {"how_many_training_steps": 3000, "optimizer": "adam"}
    plain, _ = fit(training, training, **options)
    smoothed, _ = fit(training, training, **options, label_smoothing=0.3)
    likeliest = softmax(smoothed.logits(training.vectors)).max(axis=1)
    np.testing.assert_allclose(likeliest, 0.8, atol=0.05)
    assert softmax(plain.logits(training.vectors)).max(axis=1).min() > 0.95


def test_cosine_schedule_falls_from_the_rate_to_nothing() -> None:
    recipe = Recipe(how_many_training_steps=100, learning_rate=0.2, learning_rate_schedule="cosine")
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[0] == 0.2
    assert rates[50] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.001
    assert Recipe(learning_rate=0.2).rate(3999) == 0.2


def test_photos_are_drawn_equally_often_without_class_weights() -> None:
    large, small = clusters(90, seed=1), clusters(10, seed=1)
    training = Examples(
        np.concatenate([large.vectors[large.labels == 0], small.vectors[small.labels == 1]]),
        np.concatenate([large.labels[large.labels == 0], small.labels[small.labels == 1]]),
    )
    shares = {}
    for weights in ("none", "balanced"):
        drawn: list[Look] = []
        recipe = Recipe(
            how_many_training_steps=50,
            class_weights=weights,
            train_batch_size=1000,
            eval_step_interval=1,
        )
        train(training, training, 2, recipe, drawn.append)
        shares[weights] = float(np.mean([(look.batch.labels == 0).mean() for look in drawn]))
    assert shares["none"] == pytest.approx(0.9, abs=0.01)
    assert shares["balanced"] == pytest.approx(0.5, abs=0.01)


def test_early_stopping_keeps_the_best_head_by_the_whole_validation_part() -> None:
    training, validation = clusters(5, seed=1, spread=6), clusters(60, seed=2, spread=6)
    options = {"learning_rate": 0.5, "how_many_training_steps": 3000}
    stopped, seen = fit(training, validation, **options, early_stopping_patience=5)
    to_the_end, _ = fit(training, validation, **options)
    assert seen[-1].step < 2999
    assert score(stopped, validation)[1] < score(to_the_end, validation)[1]
    whole = [
        fit(training, validation, **{**options, "how_many_training_steps": look.step + 1})[0]
        for look in seen
    ]
    assert score(stopped, validation)[1] == min(score(head, validation)[1] for head in whole)


def test_early_stopping_without_a_validation_part_is_never() -> None:
    training = clusters(20, seed=1)
    nothing = Examples(np.zeros((0, 8), np.float32), np.zeros(0, np.int64))
    _, seen = fit(training, nothing, early_stopping_patience=1)
    assert seen[-1].step == 299


def test_score_is_accuracy_and_mean_cross_entropy() -> None:
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
