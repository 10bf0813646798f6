"""What `evaluate` found: the model's answers, and the figures that the report shows."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.common.dataset.photo import Photo
from components.common.model.answer_counts import AnswerCounts
from components.common.model.description import ModelDescription
from components.common.model.model_place import CROSS_VALIDATED
from components.common.pages.training_curves import Phase
from components.evaluate.dangers import Dangers
from components.evaluate.measure import Outcomes, PartFigures

# Parts beside those of the datasets, TEST and DEMO.
HELD_OUT = "held out"  # test and demo photos together
FOLDER = "folder"  # photos of a labelled folder that the model never saw
LEARNED = "learned from"  # photos of the folder that the model was made of


class RoundAnswer(NamedTuple):
    """What one model of cross-validation said of a photo: its class, and if it is none of these."""

    predicted: str
    unknown: bool


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
        maps: class activation maps, float32 (h, w), of the class that it was taken for and of the
            true one; only of misclassified photos. Those of cross-validation come from the model
            itself, since the heads of the folds are not kept.
        by_round: the answer of each round of cross-validation; empty elsewhere.
    """

    photo: Photo
    part: str
    predicted: str
    probabilities: tuple[float, ...]
    uncalibrated: tuple[float, ...]
    familiarity: float | None = None
    unknown: bool = False
    maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    by_round: tuple[RoundAnswer, ...] = ()

    @property
    def is_cross_validated(self) -> bool:
        """True where models answered that had learned from other photos."""
        return self.part == CROSS_VALIDATED

    @property
    def right(self) -> bool:
        """True where the predicted class is the photo's."""
        return self.predicted == self.photo.label

    @property
    def answers(self) -> tuple[RoundAnswer, ...]:
        """All answers to the photo: one, or one of each round."""
        return self.by_round or (RoundAnswer(self.predicted, self.unknown),)

    @property
    def wrong_answers(self) -> tuple[str, ...]:
        """The classes of the wrong ones, each once, the most frequent first."""
        wrong = Counter(one.predicted for one in self.answers if one.predicted != self.photo.label)
        return tuple(label for label, _ in wrong.most_common())

    @property
    def taken_for(self) -> str:
        """The class that it was mistaken for; the true class where no answer is wrong."""
        if not self.right:
            return self.predicted
        return self.wrong_answers[0] if self.wrong_answers else self.predicted


@dataclass(frozen=True)
class Mistake:
    """A photo with a wrong answer as the report shows it; the pictures are JPEGs.

    Attributes:
        answer: the model's.
        thumbnail: of the photo.
        for_predicted: the photo where it speaks for the class that it was taken for; empty where
            that is not known.
        for_true: the photo where it speaks for its true class.
    """

    answer: EvaluatedPhoto
    thumbnail: bytes
    for_predicted: bytes
    for_true: bytes


@dataclass(frozen=True)
class Caution:
    """What a reader must know of the photos that were measured on.

    Attributes:
        text: what it is.
        about: id of the part of the report that explains it.
        alarm: it changes how the figures are to be read.
    """

    text: str
    about: str
    alarm: bool = True


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
        mistakes: the dangerous confusions first, then the others, of each the worst first; last
            those that got a wrong answer in some rounds only.
        dangers: how often a dangerous class was taken for an edible one; None where no class's
            edibility is stated.
        own_dangers: the same of the model's own answers to the demo photos, where `dangers` is of
            cross-validation.
        cautions: what must be said of the photos themselves.
        unusable: files that were left out.
        seen: photos of the folder that the model was made of.
        curves: of the training; empty where the model has none.
        asked: how many photos the mistakes are of.
        wrong: how many of them were misclassified; of cross-validation by the mean of the answers.
        unsteady: how many others got a wrong answer in a round of cross-validation.
        demo_answers: the model's own answers to the demo photos, which later batches are compared
            with; None without demo photos.
    """

    model: ModelDescription
    parts: tuple[PartFigures, ...]
    overall: PartFigures
    outcomes: Outcomes
    curated: PartFigures | None = None
    mistakes: tuple[Mistake, ...] = ()
    dangers: Dangers | None = None
    own_dangers: Dangers | None = None
    cautions: tuple[Caution, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    seen: int = 0
    curves: tuple[Phase, ...] = ()
    asked: int = 0
    wrong: int = 0
    unsteady: int = 0
    demo_answers: AnswerCounts | None = None
