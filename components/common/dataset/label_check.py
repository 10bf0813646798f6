"""Photos that look like another of the classes, by the photos that are learned from.

What is asked of the training photos may take photos from the training part only: elsewhere it would
make the figures better than the model is.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.common.dataset import ridge
from components.common.dataset.rows import Rows, RowsOf

LABEL_STRENGTH = 1.0
# Margins below which a photo is left out of the training part, and below which a person should
# look. Chosen on 200 flowers, judged by the 60 % of them that are the training part: with right
# labels 1 % of all photos are left out (1.5 % at most, in 10 splits); with every tenth label wrong,
# 84 % of the wrong ones and 6 % of the right ones are left out or flagged (benchmarks/cleaning.py).
OTHER_CLASS_MARGIN, DOUBTFUL_MARGIN = -0.3, -0.2
# Of the training photos of a class at most this share is left out because it looks like another
# class. If more do, the labels or the classes are in doubt, and a person must look.
MAX_PRUNED_SHARE = 0.2


@dataclass(frozen=True)
class Labels:
    """What the training photos say of each photo's label.

    Attributes:
        margins: float64 (N,), the score of the photo's own class less that of the best other one,
            -2 to 2 or so; NaN where nothing was said.
        nearest: the best other class of each photo.
    """

    margins: NDArray[np.float64]
    nearest: tuple[str, ...]

    @cached_property
    def suspect(self) -> NDArray[np.bool_]:
        """Photos that a person should look at."""
        doubtful: NDArray[np.bool_] = self.margins < DOUBTFUL_MARGIN
        return doubtful

    @cached_property
    def clear(self) -> NDArray[np.bool_]:
        """Those of them that are not to be learnt from."""
        clear: NDArray[np.bool_] = self.margins < OTHER_CLASS_MARGIN
        return clear


def judge_labels(
    features: Rows[np.float32],
    labels: Sequence[str],
    groups: Sequence[str],
    training: NDArray[np.bool_],
) -> Labels:
    """Compare each photo with the training photos of all classes.

    Args:
        features: float32 (N, D).
        labels: the class of each photo.
        groups: of each photo; a training photo is judged by the training photos of other groups.
        training: bool (N,), the photos that are learnt from.

    Returns:
        Nothing (NaN margins) where fewer than two classes have training photos.
    """
    names = sorted(set(itertools.compress(labels, training)))
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers.get(label, -1) for label in labels], np.intp)
    if len(names) < 2:
        return Labels(np.full(len(labels), np.nan), ("",) * len(labels))
    learnt = np.flatnonzero(training)
    # Each class counts the same, however many photos it has.
    counts = np.bincount(classes[learnt]).astype(np.float64)
    fitted = ridge.fit(
        RowsOf(features, learnt),
        ridge.OneHot(classes[learnt], len(names)),
        [groups[row] for row in learnt.tolist()],
        strength=LABEL_STRENGTH,
        weights=1 / counts[classes[learnt]],
    )
    margins, nearest = np.empty(len(labels)), np.empty(len(labels), np.intp)

    def compare(rows: NDArray[np.intp], scores: NDArray[np.float64]) -> None:
        own = np.where(classes[rows] >= 0, scores[np.arange(len(rows)), classes[rows]], np.nan)
        known = np.flatnonzero(classes[rows] >= 0)
        scores[known, classes[rows][known]] = -np.inf
        nearest[rows] = scores.argmax(axis=1)
        margins[rows] = own - scores[np.arange(len(rows)), nearest[rows]]

    # A row at a time has as many scores as there are classes: all of them need not fit into memory.
    def predicted(block: slice) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        return np.arange(len(labels))[block], fitted.predict(features[block])

    for rows, scores in ridge.in_threads(predicted, ridge.blocks(len(labels))):
        compare(rows, scores)
    for rows, scores in fitted.left_out():
        compare(learnt[rows], scores)
    return Labels(margins, tuple(names[number] for number in nearest.tolist()))


def clearest(judged: Labels, rows: Sequence[int], photos: int) -> tuple[list[int], int]:
    """The photos of one class that are left out of those that are learned from.

    Args:
        judged: all photos.
        rows: photos of the class that may be left out.
        photos: how many of the class are learned from, those that must stay among them.

    Returns:
        The rows that look the least like their class, at most `MAX_PRUNED_SHARE` of the photos; and
        how many clearly look like another class, if those are more, else 0.
    """
    clear = judged.clear
    doubted = [row for row in rows if clear[row]]
    doubted.sort(key=lambda row: (judged.margins[row], row))
    most = math.floor(MAX_PRUNED_SHARE * photos)
    return doubted[:most], len(doubted) if len(doubted) > most else 0
