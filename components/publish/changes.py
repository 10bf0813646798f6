"""What has changed since the published model: photos, figures, classes, and single answers.

Both models were asked about the same demo photos. What they learned from is in the
references.parquet of each, so a model of any earlier version can be compared.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import IMAGENET
from components.common.model import references
from components.common.model.description import ModelDescription
from components.common.model.layout import REFERENCES
from components.common.model.model import Model
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.publish import paired
from components.publish.paired import Answer, Comparison

LEVEL = 0.05  # of all classes together
MOST_SHOWN = 10  # photos on which the models disagree
THUMBNAIL_SIDE = 256  # pixels


@dataclass(frozen=True)
class ClassPhotos:
    """The photos of one class that the models learned from.

    Attributes:
        label: the class.
        before: that the published model learned from.
        now: that the new model learns from.
        new: of these, those that the published model did not have in any class.
        gone: of the former, those that the new model has in no class.
        moved_in: those that were in another class before.
        moved_out: those that are in another class now.
    """

    label: str
    before: int
    now: int
    new: int
    gone: int
    moved_in: int
    moved_out: int


@dataclass(frozen=True)
class ClassFigures:
    """The answers of both models to the demo photos of one class.

    Attributes:
        label: the class.
        compared: right and wrong answers to its photos.
        adjusted: p of McNemar's test, corrected for the number of classes.
    """

    label: str
    compared: Comparison
    adjusted: float

    @property
    def is_worse(self) -> bool:
        """Whether the new model gets fewer of them right."""
        return self.compared.difference < 0

    @property
    def surely(self) -> bool:
        """Whether that is more than chance."""
        return self.adjusted <= LEVEL


@dataclass(frozen=True)
class Disagreement:
    """A photo, and what both models say of it.

    Attributes:
        photo: with its true class.
        thumbnail: JPEG; empty where it cannot be decoded, or must not be passed on.
        old: of the published model.
        new: of the new one.
        distance: of their probabilities, 0 (the same) to 1 (no class in common).
    """

    photo: Photo
    thumbnail: bytes
    old: Answer
    new: Answer
    distance: float


@dataclass(frozen=True)
class Changes:
    """Everything that the page shows.

    Attributes:
        champion: the published model.
        challenger: the new one.
        compared: right and wrong answers of both to the same demo photos.
        photos: by class, what both learned from.
        classes: the answers by class, the worst change first.
        disagreements: the photos on which they disagree most.
    """

    champion: ModelDescription
    challenger: ModelDescription
    compared: Comparison
    photos: tuple[ClassPhotos, ...]
    classes: tuple[ClassFigures, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def worse(self) -> list[ClassFigures]:
        """The classes of which the new model gets fewer photos right."""
        return [one for one in self.classes if one.is_worse]


def between(
    champion: Model,
    challenger: Model,
    compared: Comparison,
    dataset: Dataset,
    photos: Sequence[Photo],
    old: Sequence[Answer],
    new: Sequence[Answer],
    distances: Sequence[float],
) -> Changes:
    """What has changed between two models that were asked about the same photos.

    Args:
        champion: the published model.
        challenger: the new one.
        compared: their answers, counted.
        dataset: that the photos are of.
        photos: N of them.
        old: N answers of the published model.
        new: N answers of the new one.
        distances: of these N answers, as of `paired.distance`.

    Raises:
        InputError: a model does not say which photos it was made of.
    """
    return Changes(
        champion.description,
        challenger.description,
        compared,
        tuple(photo_changes(_learned(champion), _learned(challenger))),
        tuple(class_changes(photos, old, new)),
        tuple(_disagreements(dataset, photos, old, new, distances)),
    )


def photo_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[ClassPhotos]:
    """Photos by class, of what two models learned from.

    Args:
        before: class of each photo by its SHA-256.
        now: the same of the new model.
    """
    new = Counter(now[photo] for photo in now.keys() - before.keys())
    gone = Counter(before[photo] for photo in before.keys() - now.keys())
    moved = [photo for photo in now.keys() & before.keys() if now[photo] != before[photo]]
    came, left = Counter(now[photo] for photo in moved), Counter(before[photo] for photo in moved)
    of_before, of_now = Counter(before.values()), Counter(now.values())
    return [
        ClassPhotos(
            label,
            of_before[label],
            of_now[label],
            new[label],
            gone[label],
            came[label],
            left[label],
        )
        for label in sorted(of_before.keys() | of_now.keys())
    ]


def class_changes(
    photos: Sequence[Photo], old: Sequence[Answer], new: Sequence[Answer]
) -> list[ClassFigures]:
    """The answers by class, the worst change first; p-values are corrected as Holm (1979) does."""
    found = {}
    for label in sorted({photo.label for photo in photos}):
        rows = [row for row, photo in enumerate(photos) if photo.label == label]
        counts = paired.tally([old[row] for row in rows], [new[row] for row in rows])
        found[label] = Comparison(len(rows), *counts)
    adjusted = holm({label: one.p_value for label, one in found.items()})
    figures = [ClassFigures(label, one, adjusted[label]) for label, one in found.items()]
    return sorted(figures, key=lambda one: (one.compared.difference, one.label))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values corrected for their number by Holm's steps (Scandinavian J. Statistics 6, 1979)."""
    adjusted, before = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        before = max(before, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = before
    return adjusted


def _learned(model: Model) -> dict[str, str]:
    path = model.description.check_file(model.directory, REFERENCES)
    return {photo.sha256: photo.label for photo in references.References(path).photos}


def _disagreements(
    dataset: Dataset,
    photos: Sequence[Photo],
    old: Sequence[Answer],
    new: Sequence[Answer],
    distances: Sequence[float],
) -> list[Disagreement]:
    """The photos on which two models disagree most, those first."""
    apart = [row for row, distance in enumerate(distances) if distance > 0]
    order = heapq.nsmallest(MOST_SHOWN, apart, key=lambda row: (-distances[row], photos[row].path))
    return [
        Disagreement(
            photos[row], _thumbnail(dataset, photos[row]), old[row], new[row], distances[row]
        )
        for row in order
    ]


def _thumbnail(dataset: Dataset, photo: Photo) -> bytes:
    if IMAGENET in photo.flags:  # which must not be passed on, as the page is with the model
        return b""
    try:
        return images.thumbnail(dataset.read(photo), THUMBNAIL_SIDE)
    except BadPhoto:
        return b""
