"""How good are models of this recipe? Cross-validation over everything but the demo photos.

Each photo is answered by a model that saw neither it nor another photo of its group: pruning, head,
temperature and rule for "none of these" are those of the other folds, and within them the latter
two come from heads that left out one more fold. So nothing that is fitted has met what it is
measured on (Varma and Simon 2006, doi 10.1186/1471-2105-7-91, on what happens otherwise).
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import Progress
from components.common.base.worker_threads import step_threads, worker_threads
from components.common.model.model import softmax
from components.retrain import calibrate
from components.retrain.calibrate import Calibration, OutOfFold
from components.retrain.head import Examples, Head
from components.retrain.options import Recipe
from components.retrain.pool import Mask, Pool

# Further rounds only change who is asked with whom. Beyond so many answers that says little, and of
# so many photos the held-out ones alone are enough.
ENOUGH_ANSWERS, MOST_PHOTOS = 1000, 3000
LEAST_NESTED = 3  # folds: with two, none is left to fit temperature and rule with


@dataclass(frozen=True)
class Round:
    """Every photo of a pool answered once.

    Attributes:
        scored: by the heads of the folds.
        learned: for each fold the photos that its head learned from, bool (N,).
        probabilities: float32 (N, classes), calibrated by the temperature of each photo's fold.
        temperature: float32 (N,), of that fold.
        unknown: bool (N,), called none of the classes; None where no rule could be fitted for one
            of the folds.
    """

    scored: OutOfFold
    learned: tuple[Mask, ...]
    probabilities: NDArray[np.float32]
    temperature: NDArray[np.float32]
    unknown: Mask | None


def rounds_for(photos: int, wanted: int) -> int:
    """How many rounds are made of so many photos, at most `wanted`: about `ENOUGH_ANSWERS`."""
    if not 0 < photos <= MOST_PHOTOS:
        return 0
    return min(wanted, max(1, round(ENOUGH_ANSWERS / photos)))


def divisions(pool: Pool, rounds: int) -> list[NDArray[np.int64]]:
    """The fold of each photo in so many rounds, int64 (N,) each.

    None where a class has a single group of photos, and so cannot be divided.
    """
    labels = pool.examples.labels
    divided = [calibrate.folds(labels, pool.groups, seed=number) for number in range(rounds)]
    return [fold for fold in divided if fold.any()]


def cross_validate(pool: Pool, recipe: Recipe, rounds: int, threads: int = 0) -> list[Round]:
    """Answer every photo of the pool so many times, each time with other folds.

    Args:
        pool: the photos.
        recipe: of the heads; early stopping is left out.
        rounds: how many.
        threads: that work; by default as many as a step has. The answers do not depend on it.

    Returns:
        The rounds; none where the photos cannot be divided.
    """
    divided = divisions(pool, rounds)
    if not divided:
        return []
    heads = sum(_heads(fold) for fold in divided)
    progress = Progress("cross-validation", heads, verb="trained", unit="head")
    threads = threads or step_threads()
    done = [_round(pool, recipe, fold, threads, progress) for fold in divided]
    progress.finish()
    return done


def _heads(fold: NDArray[np.int64]) -> int:
    folds = int(fold.max()) + 1
    return folds + math.comb(folds, 2) * (folds >= LEAST_NESTED)


def _round(
    pool: Pool, recipe: Recipe, fold: NDArray[np.int64], threads: int, progress: Progress
) -> Round:
    folds = range(int(fold.max()) + 1)
    sizes = (1, 2) if len(folds) >= LEAST_NESTED else (1,)
    left_out = list(itertools.chain(*(itertools.combinations(folds, size) for size in sizes)))

    def fitted_without(out: tuple[int, ...]) -> tuple[Mask, Head]:
        rest = pool.pruned(~np.isin(fold, out))
        return rest, pool.train(rest, recipe)

    learned: dict[tuple[int, ...], Mask] = {}
    heads: dict[tuple[int, ...], Head] = {}
    with worker_threads(threads) as workers:
        for out, (rest, head) in zip(left_out, workers.map(fitted_without, left_out), strict=True):
            learned[out], heads[out] = rest, head
            progress.advance()
    examples = pool.examples
    logits = np.empty((len(examples), pool.classes), np.float32)
    temperature, fits = np.ones(len(examples), np.float32), list[bool]()
    unknown = np.zeros(len(examples), bool)
    for number in folds:
        rows = fold == number
        logits[rows] = heads[number,].logits(examples.vectors[rows])
        if len(folds) < LEAST_NESTED:
            fits.append(False)
            continue
        fitted = _fitted(examples, fold, number, learned[number,], heads)
        fits.append(fitted is not None)
        if fitted:
            temperature[rows] = fitted.temperature
            unknown[rows] = fitted.rejects(examples.vectors[rows], logits[rows])
    return Round(
        OutOfFold(examples, fold, tuple(heads[number,] for number in folds), logits),
        tuple(learned[number,] for number in folds),
        softmax(logits / temperature[:, None]),
        temperature,
        unknown if all(fits) else None,
    )


def _fitted(
    examples: Examples,
    fold: NDArray[np.int64],
    out: int,
    learned: Mask,
    heads: dict[tuple[int, ...], Head],
) -> Calibration | None:
    """Temperature and rule for one fold, by heads that saw neither it nor the photo they score.

    None where a class would have no photo left but in one of the other folds.

    Args:
        examples: of the pool.
        fold: of each photo.
        out: the fold that is left out.
        learned: the photos that the head of the other folds learned from.
        heads: by the folds that they left out.
    """
    others = [number for number in range(int(fold.max()) + 1) if number != out]
    inner = tuple(heads[tuple(sorted((out, number)))] for number in others)
    rows = np.flatnonzero(learned)
    place = np.searchsorted(others, fold[rows]).astype(np.int64)
    labels = examples.labels[rows]
    classes = len(inner[0].biases)
    if not calibrate.divides(labels, place, classes):
        return None
    logits = np.empty((len(rows), classes), np.float32)
    for number, head in enumerate(inner):
        mine = place == number
        logits[mine] = head.logits(examples.vectors[rows[mine]])
    chosen = Examples(examples.vectors[rows], labels)
    return calibrate.calibrate(OutOfFold(chosen, place, inner, logits))
