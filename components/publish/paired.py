"""Two models on the same photos: how many each gets right, and how sure the difference is."""

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.shares import Z
from components.common.base.step import Progress
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.model import references
from components.common.model.description import read_description
from components.common.model.layout import REFERENCES
from components.common.model.model import Model, Prediction, top_k
from components.common.photos.images import BadPhoto

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """Right and wrong answers of two models to the same photos.

    Attributes:
        photos: how many both were asked about.
        both: photos that both get right.
        only_champion: photos that only the published model gets right.
        only_challenger: photos that only the new model gets right.
        left_out: photos that were not asked about because one of the models was made of them.
        champion_lacks: classes of the photos that the published model does not know; its answers
            to them count as wrong.
        challenger_lacks: classes that the published model knows and the new one does not.
    """

    photos: int
    both: int
    only_champion: int
    only_challenger: int
    left_out: int = 0
    champion_lacks: tuple[str, ...] = ()
    challenger_lacks: tuple[str, ...] = ()

    @property
    def champion_right(self) -> int:
        """Photos that the published model gets right."""
        return self.both + self.only_champion

    @property
    def challenger_right(self) -> int:
        """Photos that the new model gets right."""
        return self.both + self.only_challenger

    @property
    def difference(self) -> float:
        """Accuracy of the new model less that of the published one, -1 to 1; 0 without photos."""
        return (self.only_challenger - self.only_champion) / self.photos if self.photos else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference, by Agresti and Min (2005, doi 10.1002/sim.1781).

        Wald's interval after half a photo is added to each cell of the table of right and wrong.
        Unlike Wald's own it has a width where the models never disagree, and holds what it promises
        on two dozen photos.
        """
        if not self.photos:
            return -1.0, 1.0
        total = self.photos + 2
        disagreed = self.only_champion + self.only_challenger + 1
        centre = (self.only_challenger - self.only_champion) / total
        half = Z * math.sqrt(disagreed / total - centre**2) / math.sqrt(total)
        return max(-1.0, centre - half), min(1.0, centre + half)

    @property
    def p_value(self) -> float:
        """How often models that are equally good would differ at least this much.

        McNemar's test, exact and two-sided: of the photos that only one gets right, each model has
        half, by the toss of a coin.
        """
        fewer, more = sorted((self.only_champion, self.only_challenger))
        return _sign_test(fewer, more)


def unseen(photos: Sequence[Photo], models: Sequence[Path]) -> list[Photo]:
    """The photos that none of the models was made of, nor of others of their groups.

    Raises:
        InputError: a model does not say which photos it was made of.
    """
    known: set[str] = set()
    for folder in models:
        path = read_description(folder).check_file(folder, REFERENCES)
        for photo in references.References(path).photos:
            known |= {photo.sha256, photo.group} - {""}
    return [photo for photo in photos if photo.sha256 not in known and photo.group not in known]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of one photo.

    Attributes:
        right: its likeliest class is the true one. For a photo of a class that the model does not
            know, or that cannot be decoded, it is not.
        closest: its likeliest class; empty where the photo cannot be decoded.
        probability: of that class, 0 to 1.
        unknown: the model calls it none of the classes.
    """

    right: bool
    closest: str = ""
    probability: float = 0.0
    unknown: bool = False

    @classmethod
    def of(cls, prediction: Prediction | BadPhoto, model: Model, label: str) -> "Answer":
        """The answer to a photo of the class `label`."""
        if isinstance(prediction, BadPhoto):
            return cls(False)
        ((closest, probability),) = top_k(prediction.probabilities, model.classes, 1)
        return cls(closest == label, closest, probability, prediction.unknown)


def answers(
    model: Model, dataset: Dataset, photos: Sequence[Photo], labels: Sequence[str], what: str
) -> Iterator[tuple[Answer, Row]]:
    """What the model says of each photo, one after the other.

    Args:
        model: who is asked.
        dataset: that the photos are of.
        photos: that it is asked about.
        labels: its classes, and any others.
        what: the name of this work, for its progress.

    Yields:
        The answer, and its probabilities by label, float32, shape (labels,): 0 for a class that the
        model does not know, and everywhere for a photo that cannot be decoded.

    Raises:
        InputError: the dataset or the model is damaged.
    """
    places = [labels.index(label) for label in model.classes]
    progress = Progress(what, len(photos), verb="answered")
    predictions = progress.over(model.predict_each(dataset.read(photo) for photo in photos))
    for prediction, photo in zip(predictions, photos, strict=True):
        row = np.zeros(len(labels), np.float32)
        if not isinstance(prediction, BadPhoto):
            row[places] = prediction.probabilities
        yield Answer.of(prediction, model, photo.label), row


def beside(
    shown: Iterable[tuple[Answer, Row]], others: Sequence[Row]
) -> tuple[list[Answer], list[float]]:
    """A model's answers, and how far each is from another model's: no row is kept.

    Args:
        shown: of the one, as `answers` yields them.
        others: probabilities of the other, by the same labels.
    """
    kept, distances = [], []
    for (answer, row), other in zip(shown, others, strict=True):
        kept.append(answer)
        distances.append(distance(row, other))
    return kept, distances


def distance(one: Row, other: Row) -> float:
    """Total variation of two answers' probabilities by the same labels, 0 to 1."""
    return math.fsum(np.abs(one.astype(np.float64) - other).tolist()) / 2


def tally(champion: Sequence[Answer], challenger: Sequence[Answer]) -> tuple[int, int, int]:
    """How many photos both get right, only the published model, and only the new one."""
    pairs = [(old.right, new.right) for old, new in zip(champion, challenger, strict=True)]
    return pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True))


@functools.cache
def _sign_test(fewer: int, more: int) -> float:
    """How often a coin that is tossed `fewer + more` times is as uneven as that, two-sided.

    Each binomial coefficient is made of the one before, in whole numbers: nothing is rounded.
    """
    tosses, ways, together = fewer + more, 1, 1
    for count in range(fewer):
        ways = ways * (tosses - count) // (count + 1)
        together += ways
    return min(1.0, float(2 * together / 2**tosses))
