"""The final head: of all photos but the demo ones, once the recipe has been measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import log
from components.common.dataset.photo import Photo
from components.retrain import calibrate
from components.retrain.artifact import Trained
from components.retrain.calibrate import OutOfFold
from components.retrain.cross_validation import Round
from components.retrain.head import Examples, Head
from components.retrain.options import Recipe
from components.retrain.pool import Mask, Pool


@dataclass(frozen=True)
class Final:
    """The final head.

    Attributes:
        head: it.
        learned: the photos that it learned from.
        vectors: their bottlenecks, float32 (N, D).
        chosen: which of the pool's photos these are.
    """

    head: Head
    learned: list[Photo]
    vectors: NDArray[np.float32]
    chosen: Mask


def train(pool: Pool, recipe: Recipe) -> Final:
    """Train on the pool, pruned as curation prunes.

    Args:
        pool: the photos; the head learns from none that curation left out.
        recipe: of the head; early stopping is left out.
    """
    chosen = pool.pruned(pool.in_dataset)
    head = pool.train(chosen, recipe)
    photos = [pool.photos[row] for row in np.flatnonzero(chosen).tolist()]
    return Final(head, photos, pool.examples.vectors[chosen], chosen)


def tell(final: Final, pool: Pool) -> None:
    """Log how many photos the final head learned from."""
    log.info(
        "Final head: trained on %d photos of the training, validation and test parts; %d that look "
        "like another class were left out",
        len(final.learned),
        int(pool.in_dataset.sum()) - len(final.learned),
    )


def calibrated(final: Final, pool: Pool, recipe: Recipe, rounds: Sequence[Round]) -> Trained:
    """The final head with temperature and rule.

    These come from the heads of the first round, which saw neither the photo that they score nor
    its group; where these leave a fold without a class, from heads that are trained for that alone.

    Args:
        final: the head.
        pool: the photos that it was trained on.
        recipe: of the head.
        rounds: of cross-validation.
    """
    trained = final.head, recipe, final.learned, final.vectors, final.learned
    scored = _scored(pool, final.chosen, recipe, rounds)
    if scored is None:
        log.info(calibrate.TOO_FEW)
        return Trained(*trained, None, None)
    fitted = calibrate.calibrate(scored)
    calibrate.tell(fitted)
    return Trained(*trained, scored, fitted)


def _scored(pool: Pool, chosen: Mask, recipe: Recipe, rounds: Sequence[Round]) -> OutOfFold | None:
    """Scores of the chosen photos by heads that had not seen them; None where none can be had."""
    scored = rounds[0].scored if rounds else None
    if scored and calibrate.divides(
        scored.examples.labels[chosen], scored.fold[chosen], pool.classes
    ):
        return OutOfFold(
            _of(scored.examples, chosen), scored.fold[chosen], scored.heads, scored.logits[chosen]
        )
    examples = _of(pool.examples, chosen)
    groups = [group for group, taken in zip(pool.groups, chosen, strict=True) if taken]
    fold = calibrate.folds(examples.labels, groups)
    if not calibrate.divides(examples.labels, fold, pool.classes):
        return None
    copies = [copy[chosen] for copy in pool.copies]
    return calibrate.out_of_fold(examples, fold, pool.classes, recipe, copies)


def _of(examples: Examples, chosen: NDArray[np.bool_]) -> Examples:
    return Examples(examples.vectors[chosen], examples.labels[chosen])
