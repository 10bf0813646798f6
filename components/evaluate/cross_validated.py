"""The recipe's figures: what cross-validation answered when the model was trained."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.files import hash_file
from components.common.base.step import warn
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import OTHER_CLASS
from components.common.model import layout, out_of_fold
from components.common.model.model import Model
from components.common.model.model_place import CROSS_VALIDATED
from components.common.model.out_of_fold import OutOfFoldAnswers
from components.evaluate.answers import Source
from components.evaluate.evaluation import EvaluatedPhoto, RoundAnswer
from components.evaluate.measure import Outcomes

# Of one independent photo: heads of different folds learned from mostly the same photos, and err
# together (Bengio and Grandvalet 2004, JMLR 5: no estimate from the answers themselves can tell how
# much). With this the interval holds the accuracy of the final head about as often as it says:
# benchmarks/cross_validation.py.
WORTH = 0.8


@dataclass(frozen=True)
class CrossValidated:
    """The answers, and the photos as the dataset describes them.

    Attributes:
        outcomes: of all rounds.
        photos: N of them, in the order of each round; those that are not in the dataset are known
            by label and hash only, and flagged as another class.
        in_dataset: bool (N,).
    """

    outcomes: Outcomes
    photos: tuple[Photo, ...]
    in_dataset: NDArray[np.bool_]

    def answers(self, classes: Sequence[str]) -> list[EvaluatedPhoto]:
        """The mean answer to each photo that is in the dataset, with those of the rounds."""
        outcomes, rounds = self.outcomes, self.outcomes.rounds
        shape = rounds, len(self.photos), -1
        means = [
            array.reshape(shape).mean(axis=0)
            for array in (outcomes.probabilities, outcomes.uncalibrated)
        ]
        likeliest = outcomes.predicted.reshape(rounds, -1)
        called_unknown = np.zeros(likeliest.shape, bool)
        if outcomes.unknown is not None:
            called_unknown = outcomes.unknown.reshape(rounds, -1)
        unknown = called_unknown.mean(axis=0)
        return [
            EvaluatedPhoto(
                photo,
                CROSS_VALIDATED,
                classes[int(means[0][row].argmax())],
                tuple(means[0][row].tolist()),
                tuple(means[1][row].tolist()),
                unknown=bool(unknown[row] > 0.5),
                by_round=tuple(
                    RoundAnswer(classes[int(place)], bool(strange))
                    for place, strange in zip(
                        likeliest[:, row], called_unknown[:, row], strict=True
                    )
                ),
            )
            for row, photo in enumerate(self.photos)
            if self.in_dataset[row]
        ]

    def source(self, training: Path) -> Source:
        """Where the pictures of those photos are."""
        photos = [photo for photo, there in zip(self.photos, self.in_dataset, strict=True) if there]
        return Source(CROSS_VALIDATED, tuple(photos), Dataset(training).read)

    def only(self, photos: NDArray[np.bool_]) -> Outcomes:
        """The outcomes of some of the photos, bool (N,)."""
        outcomes = self.outcomes
        rows = np.tile(photos, outcomes.rounds)
        return Outcomes(
            outcomes.true[rows],
            outcomes.probabilities[rows],
            outcomes.uncalibrated[rows],
            None if outcomes.unknown is None else outcomes.unknown[rows],
            None if outcomes.groups is None else outcomes.groups[rows],
            outcomes.rounds,
            outcomes.worth,
        )


def read(model: Model, training: Path) -> CrossValidated | None:
    """What a model holds of its cross-validation; None where it was not made, or of other photos.

    Args:
        model: the model.
        training: the dataset that it was trained on.

    Raises:
        InputError: the file is damaged, or of another model.
    """
    if layout.OUT_OF_FOLD not in model.description.files:
        return None
    if hash_file(training / MANIFEST) != model.description.manifest_sha256:
        warn(
            f"{training} is not the dataset that the model was trained on: the answers of its "
            "cross-validation are left out"
        )
        return None
    path = model.description.check_file(model.directory, layout.OUT_OF_FOLD)
    answers = out_of_fold.read(path, model.classes)
    known = {photo.sha256: photo for photo in Dataset(training).photos}
    # What is not in the dataset was left out of the training part as another class.
    photos = tuple(
        known.get(photo.sha256) or dataclasses.replace(photo, flags=(OTHER_CLASS,))
        for photo in answers.photos
    )
    in_dataset = np.array([photo.sha256 in known for photo in answers.photos])
    rule = bool((model.description.cross_validation or {}).get("rule"))
    return CrossValidated(_outcomes(answers, model.classes, rule=rule), photos, in_dataset)


def _outcomes(answers: OutOfFoldAnswers, classes: tuple[str, ...], *, rule: bool) -> Outcomes:
    rounds, photos, _ = answers.probabilities.shape
    places = {label: place for place, label in enumerate(classes)}
    names = [photo.own_group for photo in answers.photos]
    _, groups = np.unique(np.array(names), return_inverse=True)
    return Outcomes(
        np.tile([places[photo.label] for photo in answers.photos], rounds).astype(np.int64),
        answers.probabilities.reshape(rounds * photos, -1),
        answers.uncalibrated.reshape(rounds * photos, -1),
        answers.unknown.ravel() if rule else None,
        np.tile(groups, rounds).astype(np.int64),
        rounds,
        WORTH,
    )
