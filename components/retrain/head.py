"""The new last layer: softmax regression on bottlenecks, by stochastic gradient descent.

Without options the recipe is retrain.py's: weights from a normal distribution of standard deviation
0.001, batches drawn with replacement (a class first, then a photo of it), plain gradient descent.
It is written in NumPy because a step on cached bottlenecks is too small for a framework.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from components.common.model.model import softmax
from components.retrain.options import Recipe

INITIAL_DEVIATION = 0.001
# Mean of the squared lengths of bottlenecks that are scaled: MobileNet v1 1.0/224 gives 905 on
# photos of flowers and 861 on photos of fungi, so that a penalty means there what it did unscaled.
SQUARED_LENGTH = 1000.0
MOMENTUM = 0.9
# Kingma & Ba 2014, arXiv:1412.6980; epsilon as Keras has it.
ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-7


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
class Look:
    """One look at the training: accuracies as shares of 1, cross entropies in nats.

    Attributes:
        batch: what the step learned from.
        held_out: photos of the validation part that were looked at.
        head: as it is after the step; training goes on in the same arrays.
    """

    step: int
    learning_rate: float
    train_accuracy: float
    train_cross_entropy: float
    validation_accuracy: float
    validation_cross_entropy: float
    validation_count: int
    batch: Examples
    held_out: Examples
    head: Head


def train(
    training: Examples,
    validation: Examples,
    classes: int,
    recipe: Recipe,
    report: Callable[[Look], None],
) -> Head:
    """Fit the head.

    Batches, start and validation draws have generators of their own: without early stopping only
    `training` changes the result, and another validation part gives the same weights to the last
    bit.

    With `scale_bottlenecks` the optimizer works on weights for bottlenecks whose mean squared
    length is `SQUARED_LENGTH`. Every head that is handed out is for the bottlenecks as they are:
    bottlenecks times a constant give the same probabilities, but for rounding.

    Args:
        training: what is learned from; every class occurs.
        validation: what `report` is told about; may be empty.
        classes: number of classes.
        recipe: the options.
        report: called every `eval_step_interval` steps and at the last one.
    """
    start, draw, look = np.random.SeedSequence(recipe.seed).spawn(3)
    shape = (training.vectors.shape[1], classes)
    drawn = np.random.default_rng(start).normal(0, INITIAL_DEVIATION, shape)
    weights = drawn.astype(np.float32)
    factor = scale_of(training.vectors) if recipe.scale_bottlenecks else None
    # Unscaled, these are the same arrays.
    head = Head(weights if factor is None else weights * factor, np.zeros(classes, np.float32))
    batches = _Batches(training, classes, recipe, np.random.default_rng(draw))
    looking = np.random.default_rng(look)
    update = _Optimizer(recipe.optimizer, (weights, head.biases))
    best = _Best(validation, recipe.early_stopping_patience)
    for step in range(recipe.how_many_training_steps):
        batch, targets = batches.draw()
        error = (softmax(head.logits(batch.vectors)) - targets) / np.float32(len(batch))
        slope = batch.vectors.T @ error
        if factor is not None:
            slope *= factor
        if recipe.l2:
            slope += np.float32(recipe.l2) * weights
        update((slope, error.sum(axis=0)), recipe.rate(step))
        if factor is not None:
            np.multiply(weights, factor, out=head.weights)
        last = step == recipe.how_many_training_steps - 1
        if step % recipe.eval_step_interval == 0 or last:
            held_out = draw_batch(validation, recipe.validation_batch_size, looking)
            measured = (*score(head, batch), *score(head, held_out), len(held_out))
            report(Look(step, recipe.rate(step), *measured, batch, held_out, head))
            if best.is_over(head):
                break
    return best.head or head


def scale_of(vectors: NDArray[np.float32]) -> np.float32:
    """What float32 (N, D) vectors are multiplied by for a mean squared length of `SQUARED_LENGTH`.

    1 where there are none or all are zero.
    """
    squared = float(np.einsum("nd,nd->n", vectors, vectors).sum(dtype=np.float64))
    squared /= max(1, len(vectors))
    return np.float32(math.sqrt(SQUARED_LENGTH / squared) if squared else 1)


def train_for_all_steps(
    examples: Examples,
    copies: Sequence[NDArray[np.float32]],
    chosen: NDArray[np.bool_],
    classes: int,
    recipe: Recipe,
) -> Head:
    """Fit a head to some photos and their copies, without a look at others or an early stop.

    Args:
        examples: N photos.
        copies: distorted vectors of them, float32 (N, D) each.
        chosen: bool (N,), those that are learned from.
        classes: number of classes.
        recipe: the options; those of the validation part do not count.
    """
    versions = [vectors[chosen] for vectors in (examples.vectors, *copies)]
    labels = np.tile(examples.labels[chosen], len(versions))
    nothing = Examples(examples.vectors[:0], examples.labels[:0])
    fixed = replace(
        recipe,
        early_stopping_patience=0,
        eval_step_interval=recipe.how_many_training_steps,
        validation_batch_size=-1,
    )
    return train(
        Examples(np.concatenate(versions), labels), nothing, classes, fixed, lambda _: None
    )


def score(head: Head, examples: Examples) -> tuple[float, float]:
    """Accuracy and mean cross entropy in nats; (0, 0) for no examples."""
    if not len(examples):
        return 0.0, 0.0
    logits = head.logits(examples.vectors)
    accuracy = float((logits.argmax(axis=1) == examples.labels).mean())
    return accuracy, cross_entropy(logits, examples.labels)


def cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean cross entropy in nats of float32 (N, classes) logits with int64 (N,) labels."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - right).mean())


def draw_batch(examples: Examples, size: int, generator: np.random.Generator) -> Examples:
    """`size` examples drawn with replacement; all of them for a size of -1."""
    if size < 0 or not len(examples):
        return examples
    rows = generator.integers(len(examples), size=size)
    return Examples(examples.vectors[rows], examples.labels[rows])


class _Batches:
    """Draws batches with replacement, with their smoothed targets."""

    def __init__(
        self, training: Examples, classes: int, recipe: Recipe, generator: np.random.Generator
    ) -> None:
        self._training = training
        self._size = recipe.train_batch_size
        self._generator = generator
        smoothing = np.float32(recipe.label_smoothing)
        self._targets = np.eye(classes, dtype=np.float32) * (1 - smoothing) + smoothing / classes
        counts = np.bincount(training.labels, minlength=classes)
        self._rows = np.argsort(training.labels, kind="stable")
        self._counts = counts if recipe.class_weights == "balanced" else counts.sum(keepdims=True)
        self._offsets = np.cumsum(self._counts) - self._counts

    def draw(self) -> tuple[Examples, NDArray[np.float32]]:
        """A batch and its targets, float32 (N, classes): a class first, then a photo of it."""
        chosen = self._generator.integers(len(self._counts), size=self._size)
        share = self._generator.random(self._size)
        within = (share * self._counts[chosen]).astype(np.intp)
        rows = self._rows[self._offsets[chosen] + within]
        labels = self._training.labels[rows]
        return Examples(self._training.vectors[rows], labels), self._targets[labels]


class _Optimizer:
    """Changes arrays in place by their gradients."""

    def __init__(self, name: str, parameters: tuple[NDArray[np.float32], ...]) -> None:
        self._name = name
        self._parameters = parameters
        self._first = [np.zeros_like(array) for array in parameters]
        self._second = [np.zeros_like(array) for array in parameters]
        self._steps = 0

    def __call__(self, gradients: tuple[NDArray[np.float32], ...], rate: float) -> None:
        self._steps += 1
        for number, gradient in enumerate(gradients):
            array = self._parameters[number]
            array -= np.float32(rate) * self._direction(number, gradient)

    def _direction(self, number: int, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._name == "sgd":
            return gradient
        first, second = self._first[number], self._second[number]
        if self._name == "momentum":
            first *= np.float32(MOMENTUM)
            first += gradient
            return first
        slow, slower = (np.float32(beta) for beta in ADAM_BETAS)
        first += (1 - slow) * (gradient - first)
        second += (1 - slower) * (gradient * gradient - second)
        correction = math.sqrt(1 - ADAM_BETAS[1] ** self._steps) / (
            1 - ADAM_BETAS[0] ** self._steps
        )
        direction = first / (np.sqrt(second) + np.float32(ADAM_EPSILON))
        return (np.float32(correction) * direction).astype(np.float32, copy=False)


class _Best:
    """The best head so far by cross entropy on the validation part, and when to give up."""

    def __init__(self, validation: Examples, patience: int) -> None:
        self.head: Head | None = None
        self._validation = validation
        self._patience = patience if len(validation) else 0
        self._lowest = math.inf
        self._waited = 0

    def is_over(self, head: Head) -> bool:
        """Look at the head; True after `patience` looks that found nothing better."""
        if not self._patience:
            return False
        _, cross_entropy = score(head, self._validation)
        if cross_entropy < self._lowest:
            self._lowest, self._waited = cross_entropy, 0
            self.head = Head(head.weights.copy(), head.biases.copy())
            return False
        self._waited += 1
        return self._waited >= self._patience
