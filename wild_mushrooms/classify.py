"""Classifying photos with a trained model."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError, WorkError
from components.common.base.files import default_cache_dir
from components.common.base.worker_threads import cores, map_in_threads
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dangers import Danger
from components.common.model import activation
from components.common.model import model as artifact
from components.common.model.description import ModelDescription
from components.common.model.learned import Learned
from components.common.model.model_place import local_model
from components.common.pages import danger_words
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.label_image.answers import Guess, PhotoAnswer
from components.label_image.answers import answer as answer_of
from components.label_image.crew import Crew
from components.label_image.label_image import answers
from components.label_image.photos import AHEAD, READERS, Reader, find, is_address
from components.label_image.stored import Unreadable

SIDE = 512  # pixels of the longer side of a picture of where the network looked


@dataclass(frozen=True)
class Answer:
    """What a model says of one photo.

    Attributes:
        photo: the path or address as it was given; empty where bytes were given.
        probabilities: of every class, 0 to 1, calibrated, likeliest first; they add up to 1. Empty
            where there is an error.
        unknown: True where the photo probably shows none of the classes.
        familiarity: share of photos of the classes that look more unusual than this one, 0 to 1;
            None where the model has no rule for unknown photos.
        dangers: the deadly and poisonous classes that the photo could show, the deadly first.
        caution: the dangers in one sentence; empty where there are none.
        learned_from: True where the model was trained on this very photo, so that the answer does
            not show how good the model is.
        error: why there is no answer; empty where there is one.
    """

    photo: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    unknown: bool = False
    familiarity: float | None = None
    dangers: tuple[Danger, ...] = ()
    caution: str = ""
    learned_from: bool = False
    error: str = ""

    @property
    def label(self) -> str | None:
        """The likeliest class; None where the photo is probably none of them, or failed."""
        return None if self.unknown else self.likeliest

    @property
    def likeliest(self) -> str | None:
        """The likeliest class, also where the photo is probably none of them; None for an error."""
        return next(iter(self.probabilities), None)

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` likeliest classes with their probabilities, likeliest first."""
        return list(self.probabilities.items())[:count]


class Model:
    """A trained model, which LiteRT runs on the CPU. Several threads may use it.

    Args:
        place: the model's folder (`runs/latest/model`), the folder that it was published in, or
            either of them as gs://bucket/folder or s3://bucket/folder, which is fetched first.
        int8: use the int8 form, which is faster and answers a little differently.
        cache_dir: folder for what is fetched; None for the user's cache folder.
        allow_private_hosts: hosts that photos may be fetched from although they are not public.

    Attributes:
        directory: the model's folder on this machine.
        description: what model.json says, with the fields of `ModelDescription`.

    Raises:
        InputError: there is no model, it is damaged, or it has no int8 form.
        WorkError: the store cannot be reached.

    Example:
        >>> model = Model("runs/latest/model")
        >>> answer = model.classify("photo.jpg")
        >>> answer.label, answer.top(1)
        ('fly agaric', [('fly agaric', 0.97)])
    """

    def __init__(
        self,
        place: Path | str,
        *,
        int8: bool = False,
        cache_dir: Path | str | None = None,
        allow_private_hosts: Collection[str] = (),
    ) -> None:
        cache = default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser()
        self.directory = local_model(str(place), cache)
        self._model = artifact.Model(self.directory, threads=cores(), int8=int8)
        self._learned = Learned(self.directory, self._model.description)
        self._cache, self._hosts = cache, allow_private_hosts
        self._lock = threading.Lock()  # LiteRT takes one batch at a time

    def __repr__(self) -> str:
        return f"Model({str(self.directory)!r})"

    @property
    def description(self) -> ModelDescription:
        """What model.json says."""
        return self._model.description

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order in which the model was trained on them."""
        return self._model.classes

    def classify(self, photo: Path | str | bytes) -> Answer:
        """Classify one photo.

        Args:
            photo: path or http(s) address of a photo, or the bytes of its file.

        Raises:
            InputError: there is no such file, or it is no usable photo.
            WorkError: an address gives no photo.
        """
        data = self._read(photo)
        prediction = self._predict(photo, data)
        guess = Guess.of(prediction, learned_from=self._learned.has(data))
        found = answer_of(_name(photo), guess, self.classes, len(self.classes), self._facts)
        if found.error:
            raise InputError(f"{_shown(photo)}: {found.error}")
        return _answer(found)

    def classify_each(self, photos: Path | str | Iterable[Path | str | bytes]) -> Iterator[Answer]:
        """Classify many photos on all cores; answers come in the photos' order, as they are ready.

        A photo that cannot be read or decoded has an answer with an `error`: the others go on.

        Args:
            photos: a folder (with those below it) or a pattern such as "photos/*.jpg"; or single
                photos, each as `classify` takes it, which may be a generator.

        Raises:
            InputError: a folder or pattern holds no photo, or something is neither path nor bytes.
        """
        listed: Iterable[Path | str | bytes]
        listed = find([str(photos)]) if isinstance(photos, Path | str) else photos
        if isinstance(listed, bytes):
            raise InputError("classify_each takes several photos: expected a list of them")
        crew = Crew(self.directory, cores(), int8=self._model.int8)
        with Reader(self._cache, self._hosts) as reader:

            def load(photo: Path | str | bytes) -> tuple[str, bytes | Unreadable]:
                try:
                    return _name(photo), _bytes(photo, reader)
                except Unreadable as failure:
                    return _name(photo), failure

            loaded = map_in_threads(load, listed, threads=READERS, ahead=AHEAD)
            for found in answers(crew, self.classes, loaded, len(self.classes), self._facts):
                yield _answer(found)

    def activation_map(
        self, photo: Path | str | bytes, label: str | None = None
    ) -> NDArray[np.float32]:
        """Where a photo speaks for a class: the class activation map (Zhou et al. 2016).

        Its mean plus the class's bias is the class's logit (arXiv:1512.04150).

        Args:
            photo: as `classify` takes it.
            label: the class; None for the likeliest one.

        Returns:
            float32, shape (h, w), such as (7, 7), over the whole photo; in logits.

        Raises:
            InputError: as of `classify`, or the model has no such class.
            WorkError: as of `classify`.
        """
        return self._map(photo, self._read(photo), label)

    def spotlight(
        self, photo: Path | str | bytes, label: str | None = None, *, side: int = SIDE
    ) -> bytes:
        """The photo, grey and dark where it does not speak for a class, as a JPEG file's bytes.

        Args:
            photo: as `classify` takes it.
            label: the class; None for the likeliest one.
            side: pixels of the longer side, at most.

        Raises:
            InputError: as of `activation_map`.
            WorkError: as of `classify`.
        """
        data = self._read(photo)
        return activation.spotlight(data, self._map(photo, data, label), side)

    def features(self, photo: Path | str | bytes) -> NDArray[np.float32]:
        """The network's features of a photo (its bottleneck), from which the last layer answers.

        Returns:
            float32, shape (D,): D is 1024 for MobileNet v1 at width 1.0.

        Raises:
            InputError: as of `classify`.
            WorkError: as of `classify`.
        """
        return self._predict(photo, self._read(photo)).bottleneck

    @property
    def _facts(self) -> ClassFacts:
        return self._model.description.facts

    def _read(self, photo: Path | str | bytes) -> bytes:
        with Reader(self._cache, self._hosts) as reader:
            try:
                return _bytes(photo, reader)
            except Unreadable as failure:
                kind = WorkError if is_address(_name(photo)) else InputError
                raise kind(f"{_shown(photo)}: {failure}") from failure

    def _predict(self, photo: Path | str | bytes, data: bytes) -> artifact.Prediction:
        try:
            pixels = images.model_input(data, self.description.input_size)
        except BadPhoto as bad:
            raise InputError(f"{_shown(photo)}: no usable photo ({bad})") from bad
        with self._lock:
            return self._model.judge(self._model(pixels[np.newaxis]))[0]

    def _map(
        self, photo: Path | str | bytes, data: bytes, label: str | None
    ) -> NDArray[np.float32]:
        if label is not None and label not in self.classes:
            raise InputError(f"no class {label!r}: expected one of {', '.join(self.classes)}")
        prediction = self._predict(photo, data)
        chosen = label or self.classes[int(prediction.probabilities.argmax())]
        return self._model.activation_map(prediction, chosen)


def _name(photo: Path | str | bytes) -> str:
    return "" if isinstance(photo, bytes) else str(photo)


def _shown(photo: Path | str | bytes) -> str:
    return _name(photo) or "the photo"


def _bytes(photo: Path | str | bytes, reader: Reader) -> bytes:
    """The bytes of a photo.

    Raises:
        InputError: it is neither a path, an address nor bytes.
        Unreadable: there is no such file, or it is empty or too large.
    """
    if isinstance(photo, bytes):
        return photo
    if not isinstance(photo, Path | str):
        raise InputError(
            f"a photo is {type(photo).__name__}: expected a path, an address or the file's bytes"
        )
    # The reader takes "-" for standard input.
    return reader.read("./-" if str(photo) == "-" else str(photo))


def _answer(found: PhotoAnswer) -> Answer:
    return Answer(
        found.file,
        dict(found.top),
        found.unknown,
        found.familiarity,
        found.dangers,
        danger_words.caution(found.dangers, found.predicted),
        found.learned_from,
        found.error,
    )
