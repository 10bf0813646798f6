"""What processes of their own do while `retrain` trains the head and writes the model's forms."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from components.common.base import worker_process
from components.common.base.step import log
from components.common.base.worker_process import Work
from components.common.base.worker_threads import step_threads
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.retrain import calibrate, final, quantize
from components.retrain.calibrate import Calibration, OutOfFold
from components.retrain.cross_validation import Round, cross_validate, divisions, rounds_for
from components.retrain.final import Final
from components.retrain.head import Examples
from components.retrain.material import Material
from components.retrain.options import ALL, Measuring, Recipe
from components.retrain.pool import Pool
from components.retrain.quantize import Tried


@dataclass(frozen=True)
class Works:
    """What can be begun once the head of the training part is there.

    Attributes:
        calibration: temperature and rule by heads of a recipe; None where a fold lacks a class.
        final_head: the final head.
        int8: the int8 form; None where it is not wanted.
    """

    calibration: Work[[Recipe], tuple[OutOfFold, Calibration] | None]
    final_head: Work[[Pool, Recipe], Final]
    int8: Work[[Path, Dataset, Sequence[Photo], int], Tried] | None


def prepare(opened: ExitStack, material: Material, *, int8: bool) -> Works:
    """The processes; TensorFlow must not have computed anything yet.

    Args:
        opened: what ends them.
        material: what is trained on.
        int8: whether its form is wanted.
    """
    return Works(
        opened.enter_context(
            worker_process.beside(partial(_calibration, material), "fitting the temperature")
        ),
        opened.enter_context(worker_process.beside(final.train, "the final head")),
        opened.enter_context(worker_process.beside(quantize.tried, "the int8 model"))
        if int8
        else None,
    )


def measured(
    opened: ExitStack, material: Material, measuring: Measuring, recipe: Recipe
) -> tuple[Pool | None, Callable[[], list[Round]]]:
    """Begin the rounds that were asked for; none where there are too many photos or too few.

    Without them the final head is that of the training part: had it learned from the test photos,
    too, nothing but the demo photos would be left to tell how good it is.

    Args:
        opened: what ends them, where the training fails.
        material: what is trained on.
        measuring: what was asked for.
        recipe: of the heads.

    Returns:
        The photos of cross-validation, and what waits for its rounds; None and no rounds without.
    """
    wanted, what = measuring.cross_validation_rounds, "no cross-validation"
    if measuring.final_fit == ALL:
        what += ", so the final head learns from the training part alone"
    if not wanted:
        if measuring.final_fit == ALL:
            log.info("%s: --cross_validation_rounds is 0", what)
        return None, list
    pool = Pool.of(material)
    number = rounds_for(len(pool.photos), wanted)
    if divisions(pool, number):
        # One core is for this process, which makes the forms of the model in the meantime.
        threads = max(1, step_threads() - 1)
        work = partial(cross_validate, pool, recipe, number, threads)
        begun = opened.enter_context(worker_process.beside(work, "cross-validation"))
        begun.begin()
        return pool, begun.result
    many = f"the held-out ones of {len(pool.photos)} photos are enough"
    log.info("%s: %s", what, "a class has only one group of photos" if number else many)
    return None, list


def _calibration(material: Material, recipe: Recipe) -> tuple[OutOfFold, Calibration] | None:
    """Temperature and rule by heads of this recipe; None where a fold would lack a class."""
    both = Examples(material.learned_vectors, material.learned_labels)
    fold = calibrate.folds(both.labels, material.learned_groups)
    if not fold.any():
        return None
    classes, copies = len(material.dataset.labels), material.learned_copies
    scored = calibrate.out_of_fold(both, fold, classes, recipe, copies)
    return scored, calibrate.calibrate(scored)
