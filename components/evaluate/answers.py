"""Asking the model: photos of a dataset's part or of a labelled folder, and its answers to them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.step import Progress, warn
from components.common.base.wording import as_text, counted, joined
from components.common.dataset import dangers, layouts, vocabulary
from components.common.dataset.class_facts import DEADLY, ClassFacts
from components.common.dataset.class_folders import check_folder
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo, check_labels, other_spelling
from components.common.dataset.photo_files import MAX_FILE_BYTES, left_out, photo_files
from components.common.model.activation import spotlight
from components.common.model.learned import Learned
from components.common.model.model import Model, Prediction
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.evaluate.evaluation import (
    FOLDER,
    EvaluatedPhoto,
    Mistake,
    RoundAnswer,
    Unusable,
)
from components.evaluate.measure import Outcomes

PICTURE_SIDE = 160  # pixels
MAX_MISTAKES = 200  # shown in the report: bounds its size
NAMED_UNUSABLE = 5  # files in the warning; the report names more


@dataclass(frozen=True)
class Source:
    """Photos of known class, and how to read one.

    Attributes:
        part: its name in the report.
        photos: with their true classes.
        read: the encoded photo.
        strict: a photo that cannot be used is an error, not one to count and to leave out.
    """

    part: str
    photos: tuple[Photo, ...]
    read: Callable[[Photo], bytes]
    strict: bool = True


def dataset_source(path: Path, part: str, classes: Sequence[str]) -> Source:
    """One part of a dataset.

    Raises:
        InputError: no dataset, or it has photos of classes that the model does not know.
    """
    dataset = Dataset(path)
    photos = tuple(photo for photo in dataset.photos if photo.split == part)
    _check_known({photo.label for photo in photos}, classes, path)
    return Source(part, photos, dataset.read)


def folder_source(folder: Path, classes: Sequence[str]) -> tuple[Source, list[Unusable]]:
    """The photos of a folder with one subfolder per class, and the files that are none.

    Raises:
        InputError: no such folder, no class folder, or one of a class that the model does not know.
    """
    check_folder(folder, "--folder")
    entries = [
        entry for entry in sorted(folder.iterdir()) if not entry.name.startswith((".", "__"))
    ]
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        raise InputError(
            f"{folder} holds no class folders: expected one subfolder of photos per class, such as "
            f"{folder / classes[0]}"
        )
    if layouts.photos_below(folder) and not any(map(photo_files, folders)):
        raise InputError(layouts.why_no_classes(folder, folders, "--folder"))
    _check_known(check_labels([entry.name for entry in folders], str(folder)), classes, folder)
    photos: dict[Photo, Path] = {}
    unusable = [
        Unusable(as_text(entry.name), "not in a class folder")
        for entry in entries
        if entry.is_file()
    ]
    for entry in folders:
        files = photo_files(entry)
        unusable += [
            Unusable(f"{entry.name}/{as_text(path.name)}", vocabulary.meaning(reason))
            for path, reason in left_out(entry)
            if reason not in (vocabulary.HIDDEN, vocabulary.TOO_LARGE)
        ]
        unusable += [
            Unusable(f"{entry.name}/{as_text(path.name)}", "a folder within the class folder")
            for path in sorted(entry.iterdir())
            if path.is_dir() and not path.name.startswith(".")
        ]
        for path in files:
            name, size = f"{entry.name}/{as_text(path.name)}", path.stat().st_size
            if size > MAX_FILE_BYTES:
                unusable.append(Unusable(name, f"larger than {MAX_FILE_BYTES} bytes"))
            else:
                photos[Photo(entry.name, path=name, size=size)] = path
    return Source(FOLDER, tuple(photos), _reader(photos), strict=False), unusable


def _reader(files: Mapping[Photo, Path]) -> Callable[[Photo], bytes]:
    def read(photo: Photo) -> bytes:
        try:
            return files[photo].read_bytes()
        except OSError as error:
            raise BadPhoto(f"unreadable: {error.strerror}") from error

    return read


def _check_known(labels: Iterable[str], classes: Sequence[str], where: Path) -> None:
    strange = sorted(set(labels) - set(classes))
    if strange:
        twins = {label: other_spelling(label, classes) for label in strange}
        spelt = [f"{label!a} is its {twin!a}" for label, twin in twins.items() if twin]
        hint = f" ({joined(spelt)}, spelt differently)" if spelt else ""
        raise InputError(
            f"the model does not know the classes {', '.join(strange)} of {where}: it knows "
            f"{', '.join(sorted(classes))}{hint}; rename them, or move other photos elsewhere"
        )


def ask(model: Model, source: Source) -> tuple[list[EvaluatedPhoto], list[Unusable]]:
    """The model's answers to the photos of a source, and which of them are no usable photos.

    Raises:
        InputError: the source is strict, and one of its photos is unusable.
    """
    answers: list[EvaluatedPhoto] = []
    unusable: list[Unusable] = []
    failed: dict[int, BadPhoto] = {}

    def encoded() -> Iterator[bytes]:
        for place, photo in enumerate(source.photos):
            try:
                yield source.read(photo)
            except BadPhoto as bad:  # of the file, before there is a photo to show to the model
                failed[place] = bad
                yield b""

    progress = Progress(f"evaluate {source.part}", len(source.photos), verb="looked at")
    predictions = progress.over(model.predict_each(encoded()))
    for place, (photo, answer) in enumerate(zip(source.photos, predictions, strict=True)):
        if isinstance(answer, Prediction):
            answers.append(_answer(model, source.part, photo, answer))
            continue
        bad = failed.get(place, answer)
        if source.strict:
            raise InputError(f"the {source.part} photo {photo.path} cannot be used ({bad})")
        unusable.append(Unusable(photo.path, vocabulary.meaning(bad.reason)))
    return answers, unusable


def warn_of(unusable: Sequence[Unusable]) -> None:
    """Say which files are left out, if any."""
    if unusable:
        named = ", ".join(f"{file.name} ({file.reason})" for file in unusable[:NAMED_UNUSABLE])
        more = len(unusable) - NAMED_UNUSABLE
        rest = f" and {more} more, which the report names" if more > 0 else ""
        files = counted(len(unusable), "file was", "files were")
        warn(f"{files} left out of the folder: {named}{rest}")


def _answer(model: Model, part: str, photo: Photo, prediction: Prediction) -> EvaluatedPhoto:
    predicted = model.classes[int(prediction.probabilities.argmax())]
    maps = None
    if predicted != photo.label:
        maps = _maps(model, prediction, predicted, photo.label)
    return EvaluatedPhoto(
        photo,
        part,
        predicted,
        tuple(map(float, prediction.probabilities)),
        tuple(map(float, prediction.uncalibrated)),
        prediction.familiarity,
        prediction.unknown,
        maps,
    )


def outcomes(answers: Sequence[EvaluatedPhoto], classes: Sequence[str], *, rule: bool) -> Outcomes:
    """The answers as arrays.

    Args:
        answers: N of them.
        classes: in the model's order.
        rule: whether the model has one for unknown photos.
    """
    places = {label: place for place, label in enumerate(classes)}
    shape = (len(answers), len(classes))
    first: dict[str, int] = {}  # photo of each group; one without a group is its own
    groups = [
        first.setdefault(answer.photo.group, row) if answer.photo.group else row
        for row, answer in enumerate(answers)
    ]
    return Outcomes(
        np.array([places[answer.photo.label] for answer in answers], np.int64),
        _shares([answer.probabilities for answer in answers], shape),
        _shares([answer.uncalibrated for answer in answers], shape),
        np.array([answer.unknown for answer in answers], bool) if rule else None,
        np.array(groups, np.int64),
    )


def _shares(rows: Sequence[tuple[float, ...]], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Probabilities as float64; float32 rounding may have left them a little above 1."""
    return np.clip(np.array(rows, np.float64).reshape(shape), 0, 1)


def mistakes(
    answers: Sequence[EvaluatedPhoto],
    sources: Sequence[Source],
    classes: Sequence[str],
    facts: ClassFacts | None = None,
    model: Model | None = None,
) -> tuple[Mistake, ...]:
    """The photos with a wrong answer and their pictures, at most `MAX_MISTAKES`, worst first.

    Before all others come the dangerous confusions, those of deadly classes first; last come photos
    that are right by the mean of the rounds. The worst is the one whose true class got the least
    probability, which costs most in the log loss.

    Args:
        answers: to all photos.
        sources: of the photos.
        classes: in the model's order.
        facts: what is known of the classes.
        model: that says where it looks in photos that come without maps; None: they get none.
    """
    known = facts or ClassFacts()

    def harm(answer: EvaluatedPhoto) -> int:
        if not dangerous_answers(answer, known):
            return 2
        return 0 if known.edibility_of(answer.photo.label) == DEADLY else 1

    places = {label: place for place, label in enumerate(classes)}
    wrong = sorted(
        (answer for answer in answers if answer.wrong_answers or not answer.right),
        key=lambda answer: (
            harm(answer),
            answer.right,
            answer.probabilities[places[answer.photo.label]],
            -max(answer.probabilities),
            answer.photo.path,
        ),
    )
    readers = {source.part: source.read for source in sources}

    def read(answer: EvaluatedPhoto) -> bytes:
        """The photo again; empty where it cannot be read any more."""
        try:
            return readers[answer.part](answer.photo)
        except BadPhoto:
            return b""

    shown = wrong[:MAX_MISTAKES]
    return tuple(_mistake(answer, read(answer)) for answer in _with_maps(shown, read, model))


def dangerous_answers(answer: EvaluatedPhoto, facts: ClassFacts) -> list[RoundAnswer]:
    """Those answers to a photo that are dangerous confusions."""
    return [
        one
        for one in answer.answers
        if dangers.is_confusion(answer.photo.label, one.predicted, facts, unknown=one.unknown)
    ]


def _with_maps(
    shown: Sequence[EvaluatedPhoto],
    read: Callable[[EvaluatedPhoto], bytes],
    model: Model | None,
) -> Iterator[EvaluatedPhoto]:
    """The answers with the model's maps where they have none of their own."""
    photos = (read(answer) for answer in shown if answer.maps is None)
    predictions = iter(model.predict_each(photos) if model else ())
    for answer in shown:
        prediction = next(predictions, None) if answer.maps is None else None
        if model and isinstance(prediction, Prediction):
            maps = _maps(model, prediction, answer.taken_for, answer.photo.label)
            yield dataclasses.replace(answer, maps=maps)
        else:
            yield answer


def _maps(
    model: Model, prediction: Prediction, *labels: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the photo speaks for each of two classes; small, unlike the feature map."""
    first, second = (model.activation_map(prediction, label).copy() for label in labels)
    return first, second


def _mistake(answer: EvaluatedPhoto, data: bytes) -> Mistake:
    if not data:
        return Mistake(answer, b"", b"", b"")
    picture = images.thumbnail(data, PICTURE_SIDE)
    if answer.maps is None:
        return Mistake(answer, picture, b"", b"")
    return Mistake(answer, picture, *(spotlight(data, one, PICTURE_SIDE) for one in answer.maps))


def known_photos(source: Source, learned: Learned) -> frozenset[str]:
    """The paths of a source's photos that the model learned from."""
    paths = set()
    for photo in source.photos:
        try:
            if learned.has(source.read(photo)):
                paths.add(photo.path)
        except BadPhoto:
            continue
    return frozenset(paths)
