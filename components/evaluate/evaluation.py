"""What `evaluate` found: the model's answers, and the figures that the report shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription
from components.common.model.model_place import CROSS_VALIDATED
from components.common.pages.training_curves import Phase
from components.evaluate.dangers import Dangers
from components.evaluate.measure import Outcomes, PartFigures

# Parts beside those of the datasets, TEST and DEMO.
HELD_OUT = "held out"  # test and demo photos together
FOLDER = "folder"  # photos of a labelled folder that the model never saw
LEARNED = "learned from"  # photos of the folder that the model was made of


@dataclass(frozen=True)
class EvaluatedPhoto:
    """The model's answer to one photo of known class.

    Attributes:
        photo: with its true class.
        part: where it comes from: "test", "demo", "folder" or "cross-validated".
        predicted: the likeliest class.
        probabilities: calibrated, in the model's order of classes.
        uncalibrated: the same as the network gives them.
        familiarity: share of photos of the classes that look stranger, 0 to 1; None without a rule.
        unknown: True where the photo was called none of the classes.
        maps: class activation maps, float32 (h, w), of the predicted and of the true class; only of
            misclassified photos, and not of those of cross-validation, whose heads are not kept.
    """

    photo: Photo
    part: str
    predicted: str
    probabilities: tuple[float, ...]
    uncalibrated: tuple[float, ...]
    familiarity: float | None = None
    unknown: bool = False
    maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def has_maps(self) -> bool:
        """False of an answer of cross-validation, whose heads are not kept."""
        return self.part != CROSS_VALIDATED

    @property
    def right(self) -> bool:
        """True where the predicted class is the photo's."""
        return self.predicted == self.photo.label


@dataclass(frozen=True)
class Mistake:
    """A misclassified photo as the report shows it; the pictures are JPEGs.

    Attributes:
        answer: the model's.
        thumbnail: of the photo.
        for_predicted: the photo where it speaks for the class that was answered; empty where that
            is not known.
        for_true: the photo where it speaks for its true class.
    """

    answer: EvaluatedPhoto
    thumbnail: bytes
    for_predicted: bytes
    for_true: bytes


@dataclass(frozen=True)
class Unusable:
    """A file of a folder that could not be measured on.

    Attributes:
        name: class folder and file.
        reason: why, in words.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """Everything that the report shows.

    Attributes:
        model: what `model.json` says.
        parts: figures of each part; the last is `overall` unless a folder follows.
        overall: what the report goes into: all held-out photos; without any, the photos of the
            folder that the model never saw, or, if there are none either, those it was made of.
        outcomes: true classes and answers of `overall`.
        curated: `overall` without the photos that curation flagged; None where none is flagged.
        mistakes: the dangerous confusions first, then the others, of each the worst first.
        dangers: how often a dangerous class was taken for an edible one; None where no class's
            edibility is stated.
        own_dangers: the same of the model's own answers to the demo photos, where `dangers` is of
            cross-validation.
        cautions: what must be said of the photos themselves.
        unusable: files that were left out.
        seen: photos of the folder that the model was made of.
        curves: of the training; empty where the model has none.
        asked: how many photos the mistakes are of.
        wrong: how many of them were misclassified.
    """

    model: ModelDescription
    parts: tuple[PartFigures, ...]
    overall: PartFigures
    outcomes: Outcomes
    curated: PartFigures | None = None
    mistakes: tuple[Mistake, ...] = ()
    dangers: Dangers | None = None
    own_dangers: Dangers | None = None
    cautions: tuple[str, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    seen: int = 0
    curves: tuple[Phase, ...] = ()
    asked: int = 0
    wrong: int = 0
