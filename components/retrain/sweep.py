"""A handful of learning rates and penalties, compared by grouped cross-validation."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from components.common.base.step import log
from components.retrain import calibrate
from components.retrain.head import Examples, cross_entropy
from components.retrain.material import Material
from components.retrain.options import PIPELINE, Recipe

RATES = (0.3, 1.0, 3.0)  # times the recipe's
# The pipeline's, a third of it and three times it. With `scale_bottlenecks` they mean the same for
# every network; without it, what they do depends on the length of its bottlenecks.
PENALTIES = (0.0, PIPELINE.l2 / 3, PIPELINE.l2, PIPELINE.l2 * 3)


@dataclass(frozen=True)
class Trial:
    """One recipe and how its heads do on photos that they have not seen.

    Attributes:
        recipe: what was tried.
        accuracy: share of 1.
        cross_entropy: nats; the least is the best.
    """

    recipe: Recipe
    accuracy: float
    cross_entropy: float


def run(material: Material, recipe: Recipe) -> list[Trial]:
    """Try all pairs of rate and penalty, on the training and validation parts.

    Args:
        material: the photos; the test and demo parts take no part.
        recipe: everything but rate and penalty.

    Returns:
        the trials, best first; none where a class has a single photo.
    """
    labels, groups = material.learned_labels, material.learned_groups
    fold = calibrate.folds(labels, groups)
    if not fold.any():
        log.info("no sweep: a class has only one photo")
        return []
    examples = Examples(material.learned_vectors, labels)
    classes, copies = len(material.dataset.labels), material.learned_copies
    trials = []
    for factor in RATES:
        for penalty in PENALTIES:
            tried = dataclasses.replace(
                recipe, learning_rate=recipe.learning_rate * factor, l2=penalty
            )
            # A rate that is too high overflows; its cross entropy then says so.
            with np.errstate(over="ignore", invalid="ignore"):
                scored = calibrate.out_of_fold(examples, fold, classes, tried, copies)
                loss = cross_entropy(scored.logits, labels)
            right = float((scored.logits.argmax(axis=1) == labels).mean())
            trials.append(Trial(tried, right, loss if np.isfinite(loss) else float("inf")))
    trials.sort(key=lambda trial: trial.cross_entropy)
    for trial in trials:
        log.info(
            "Sweep: learning_rate %-8.3g l2 %-6.3g cross entropy %.4f, accuracy %.1f%%",
            trial.recipe.learning_rate,
            trial.recipe.l2,
            trial.cross_entropy,
            trial.accuracy * 100,
        )
    return trials
