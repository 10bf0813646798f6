"""How far to trust the scores: a temperature, and a rule for "none of these".

Both are fitted on photos that the scoring head has not seen: the training and validation parts are
divided into folds of whole groups, and each fold is scored by a head trained on the others with the
same recipe. The test and demo parts take no part in it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import log
from components.common.model.model import softmax
from components.common.model.unknown import ClassDistances, UnknownRule
from components.retrain.head import Examples, Head, cross_entropy, train_for_all_steps
from components.retrain.options import Recipe

FOLDS = 5
MIN_HELD_OUT = 20  # photos; with fewer, nothing is fitted after fine-tuning
TEMPERATURES = (0.05, 20.0)
LEAST = 1e-30  # probability whose logarithm is taken instead of that of 0
SIGNIFICANT = 1.645  # standard errors: one-sided at 5 %
TOO_FEW = "no temperature and no rule for unknown photos: a class has only one group of photos"
ITERATIONS = 60  # of the golden section: the interval shrinks by 0.618 each time


@dataclass(frozen=True)
class OutOfFold:
    """Scores of photos by heads that did not see them.

    Attributes:
        examples: the photos, N of them.
        fold: int64, shape (N,), which fold each is in.
        heads: the head of each fold, trained on the other folds.
        logits: float32, shape (N, classes).
    """

    examples: Examples
    fold: NDArray[np.int64]
    heads: tuple[Head, ...]
    logits: NDArray[np.float32]

    def logits_of(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of the same photos by the same heads, from other vectors of them."""
        scores = np.empty((len(vectors), self.logits.shape[1]), np.float32)
        for number, head in enumerate(self.heads):
            scores[self.fold == number] = head.logits(vectors[self.fold == number])
        return scores


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and how it does on the photos that it was fitted on.

    Attributes:
        temperature: divides the logits (Guo et al. 2017, arXiv:1706.04599).
        unknown: when to answer "none of these".
        distances: what the rule asks: how far a photo is from the classes.
        photos: how many photos it was fitted on.
        log_loss: nats, before and after the temperature.
        rejected: share of these photos that the rule rejects.
    """

    temperature: float
    unknown: UnknownRule
    distances: ClassDistances
    photos: int
    log_loss: tuple[float, float]
    rejected: float

    def rejects(
        self, vectors: NDArray[np.float32], logits: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether each photo is none of the classes: bool (N,), of (N, D) and (N, classes)."""
        scores = self.unknown.score(self.distances(vectors), logits.max(axis=1))
        return self.unknown.rejects(self.unknown.familiarity(scores))


def folds(
    labels: NDArray[np.int64], groups: Sequence[str], *, seed: int | None = None
) -> NDArray[np.int64]:
    """The fold of each photo: whole groups, each class dealt out in turn.

    Args:
        labels: int64, shape (N,).
        groups: the group of each photo; a group belongs to one class.
        seed: of the order in which they are dealt out; by default it is that of their names.

    Returns:
        int64, shape (N,), from 0; with fewer than `FOLDS` groups in a class, so many folds. All
        zero where a class has a single group: there is nothing to divide.
    """
    members = sorted({(int(label), group) for label, group in zip(labels, groups, strict=True)})
    if seed is not None:
        chance = np.random.default_rng(seed).random(len(members)).tolist()
        order = sorted(range(len(members)), key=lambda row: (members[row][0], chance[row]))
        members = [members[row] for row in order]
    counts = np.bincount([label for label, _ in members])
    number = max(1, min(FOLDS, int(counts.min())))
    place = {member: index % number for index, member in enumerate(members)}
    pairs = zip(labels.tolist(), groups, strict=True)
    return np.array([place[pair] for pair in pairs], dtype=np.int64)


def divides(labels: NDArray[np.int64], fold: NDArray[np.int64], classes: int) -> bool:
    """Whether every class has photos beside each of the folds, as fitting without a fold needs."""
    return bool(fold.any()) and all(
        len(set(labels[fold != number].tolist())) == classes for number in np.unique(fold).tolist()
    )


def out_of_fold(
    examples: Examples,
    fold: NDArray[np.int64],
    classes: int,
    recipe: Recipe,
    copies: Sequence[NDArray[np.float32]] = (),
) -> OutOfFold:
    """Train a head for each fold on the other folds, and score the fold with it.

    Args:
        examples: the photos of the training and validation parts.
        fold: of each photo, from `folds`; at least two of them.
        classes: number of classes.
        recipe: as of the head itself; early stopping is left out.
        copies: distorted vectors of the same photos, learned from besides.
    """
    heads = []
    logits = np.empty((len(examples), classes), np.float32)
    for number in range(int(fold.max()) + 1):
        held_out = fold == number
        head = train_for_all_steps(examples, copies, ~held_out, classes, recipe)
        logits[held_out] = head.logits(examples.vectors[held_out])
        heads.append(head)
    return OutOfFold(examples, fold, tuple(heads), logits)


def held_out(examples: Examples, head: Head) -> OutOfFold:
    """Scores of photos that took no part in the training at all, by the trained head itself."""
    fold = np.zeros(len(examples), np.int64)
    return OutOfFold(examples, fold, (head,), head.logits(examples.vectors))


def calibrate(scored: OutOfFold, references: Examples | None = None) -> Calibration:
    """Fit temperature and rule.

    Args:
        scored: the scores.
        references: photos that the distances are fitted to; by default those of `scored`, and each
            is then measured by distances that were fitted to the other folds.
    """
    examples, labels = scored.examples, scored.examples.labels
    temperature = careful_temperature(scored.logits, labels, scored.fold)
    known = references or examples
    distances = ClassDistances.fit(known.vectors, known.labels)
    if references is None:
        away = np.empty(len(labels), np.float32)
        for number in range(len(scored.heads)):
            rest, held = scored.fold != number, scored.fold == number
            away[held] = ClassDistances.fit(examples.vectors[rest], labels[rest])(
                examples.vectors[held]
            )
    else:
        away = distances(examples.vectors)
    rule, rejected = UnknownRule.fit(away, scored.logits.max(axis=1))
    return Calibration(
        temperature,
        rule,
        distances,
        len(labels),
        (cross_entropy(scored.logits, labels), cross_entropy(scored.logits / temperature, labels)),
        rejected,
    )


def careful_temperature(
    logits: NDArray[np.float32], labels: NDArray[np.int64], fold: NDArray[np.int64]
) -> float:
    """The temperature of least log loss where it is clearly better, else 1; carefully below 1.

    On a hundred photos the best temperature of a head that is calibrated already, as one trained
    with a penalty is, is mostly noise. One below 1 makes the model surer of itself than the network
    is, and what it is asked about later is harder than what it learned from, where curation has
    left out what looks mislabelled. So it must prove better on photos that it was not fitted on:
    each fold is scored with the temperature of the other folds. And then it is not the best one,
    but the one nearest to 1 that is not clearly worse than the best.
    `benchmarks/temperature.py` measures what comes of it.

    Args:
        logits: float32, shape (N, classes), of photos that the head had not seen.
        labels: int64, shape (N,).
        fold: int64, shape (N,), as `folds` gives them; where there is one alone, nothing can be
            proved, and the temperature is 1 or more.
    """
    best = fit_temperature(logits, labels)
    gain = _gain(logits, labels, np.float32(1), np.float32(best))
    if best >= 1 or not _clear(gain):
        return best if _clear(gain) else 1.0
    if not fold.any():
        return 1.0
    others = np.empty((len(labels), 1), np.float32)
    for number in np.unique(fold).tolist():
        rest = fold != number
        others[~rest] = fit_temperature(logits[rest], labels[rest])
    if not _clear(_gain(logits, labels, np.float32(1), others)):
        return 1.0
    low, high = math.log(best), 0.0
    for _ in range(ITERATIONS):
        middle = (low + high) / 2
        tried = np.float32(math.exp(middle))
        worse = _clear(_gain(logits, labels, tried, np.float32(best)))
        low, high = (low, middle) if worse else (middle, high)
    return math.exp(low)


def _gain(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    before: np.float32,
    after: np.float32 | NDArray[np.float32],
) -> NDArray[np.float32]:
    """By how much each photo's log loss falls from one temperature to another, float32 (N,)."""
    rows = np.arange(len(labels))
    old, new = (softmax(logits / heat)[rows, labels] for heat in (before, after))
    fall: NDArray[np.float32] = np.log(np.maximum(new, LEAST)) - np.log(np.maximum(old, LEAST))
    return fall


def _clear(gain: NDArray[np.float32]) -> bool:
    """Whether the mean of the gains, float32 (N,), is surely above 0."""
    return float(gain.mean()) > SIGNIFICANT * float(gain.std()) / math.sqrt(len(gain))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature of least log loss, by golden section over its logarithm.

    The log loss is convex in the temperature's inverse, so that there is one minimum.
    """
    low, high = (math.log(bound) for bound in TEMPERATURES)
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(ITERATIONS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        losses = [cross_entropy(logits / math.exp(at), labels) for at in (left, right)]
        low, high = (low, right) if losses[0] < losses[1] else (left, high)
    return math.exp((low + high) / 2)


def tell(fitted: Calibration) -> None:
    """Log what was fitted."""
    log.info(
        "Temperature %.3f: cross entropy of %d photos by heads that had not seen them %.4f, "
        "before %.4f; %.1f%% of them would be called unknown",
        fitted.temperature,
        fitted.photos,
        fitted.log_loss[1],
        fitted.log_loss[0],
        fitted.rejected * 100,
    )
