"""The new last layer: softmax regression on bottlenecks, by stochastic gradient descent.

The recipe is retrain.py's: weights from a normal distribution of standard deviation 0.001, batches
drawn with replacement (a class first, then a photo of it), plain gradient descent. It is written in
NumPy because a step on cached bottlenecks is too small for a framework.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INITIAL_DEVIATION = 0.001


@dataclass(frozen=True)
class Examples:
    """Bottlenecks with their classes.

    Attributes:
        vectors: float32, shape (N, D).
        labels: int64, shape (N,), class numbers.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Head:
    """A linear layer: float32 weights of shape (D, classes) and biases of shape (classes,)."""

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores before softmax, float32 of shape (N, classes)."""
        scores: NDArray[np.float32] = vectors @ self.weights + self.biases
        return scores


@dataclass(frozen=True)
class Recipe:
    """Options of the training, named and defaulted as retrain.py's."""

    how_many_training_steps: int = 4000
    learning_rate: float = 0.01
    train_batch_size: int = 100
    validation_batch_size: int = 100
    test_batch_size: int = -1
    eval_step_interval: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Measurement:
    """One look at the training: shares of 1 and nats."""

    step: int
    train_accuracy: float
    train_cross_entropy: float
    validation_accuracy: float
    validation_cross_entropy: float
    validation_count: int


def train(
    training: Examples,
    validation: Examples,
    classes: int,
    recipe: Recipe,
    report: Callable[[Measurement], None],
) -> Head:
    """Fit the head.

    Only `training` changes the result: batches, start and validation draws have generators of
    their own, so another validation part gives the same weights to the last bit.

    Args:
        training: what is learned from; every class occurs.
        validation: what `report` is told about; may be empty.
        classes: number of classes.
        recipe: the options.
        report: called every `eval_step_interval` steps and at the last one.
    """
    start, draw, look = np.random.SeedSequence(recipe.seed).spawn(3)
    head = _initial_head(training.vectors.shape[1], classes, np.random.default_rng(start))
    by_class = [np.flatnonzero(training.labels == number) for number in range(classes)]
    drawing = np.random.default_rng(draw)
    looking = np.random.default_rng(look)
    for step in range(recipe.how_many_training_steps):
        rows = _draw_balanced(by_class, recipe.train_batch_size, drawing)
        batch = Examples(training.vectors[rows], training.labels[rows])
        error = softmax(head.logits(batch.vectors))
        error[np.arange(len(batch)), batch.labels] -= 1
        rate = np.float32(recipe.learning_rate / len(batch))
        head.weights[...] -= rate * (batch.vectors.T @ error)
        head.biases[...] -= rate * error.sum(axis=0)
        last = step == recipe.how_many_training_steps - 1
        if step % recipe.eval_step_interval == 0 or last:
            held_out = draw_batch(validation, recipe.validation_batch_size, looking)
            report(_measure(step, head, batch, held_out))
    return head


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 of shape (N, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def score(head: Head, examples: Examples) -> tuple[float, float]:
    """Accuracy and mean cross entropy in nats; (0, 0) for no examples."""
    if not len(examples):
        return 0.0, 0.0
    logits = head.logits(examples.vectors).astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    losses = log_sum - shifted[np.arange(len(examples)), examples.labels]
    return float((logits.argmax(axis=1) == examples.labels).mean()), float(losses.mean())


def draw_batch(examples: Examples, size: int, generator: np.random.Generator) -> Examples:
    """`size` examples drawn with replacement; all of them for a size of -1."""
    if size < 0 or not len(examples):
        return examples
    rows = generator.integers(len(examples), size=size)
    return Examples(examples.vectors[rows], examples.labels[rows])


def _initial_head(inputs: int, classes: int, generator: np.random.Generator) -> Head:
    weights = generator.normal(0, INITIAL_DEVIATION, (inputs, classes)).astype(np.float32)
    return Head(weights, np.zeros(classes, np.float32))


def _draw_balanced(
    by_class: list[NDArray[np.intp]], size: int, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Row numbers: a class at random, then one of its rows at random."""
    chosen = generator.integers(len(by_class), size=size)
    share = generator.random(size)
    counts = np.array([len(rows) for rows in by_class])
    within = (share * counts[chosen]).astype(np.intp)
    offsets = np.concatenate(([0], np.cumsum(counts)[:-1]))
    rows: NDArray[np.intp] = np.concatenate(by_class)[offsets[chosen] + within]
    return rows


def _measure(step: int, head: Head, batch: Examples, held_out: Examples) -> Measurement:
    return Measurement(step, *score(head, batch), *score(head, held_out), len(held_out))
