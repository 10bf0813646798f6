"""Answers to photos, and how they are written: as text for people, as JSON lines, as CSV."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.wording import as_text
from components.common.dataset import dangers
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dangers import Danger
from components.common.model.model import Prediction, top_k
from components.common.pages import danger_words
from components.common.pages.danger_words import NO_LEAVE

FORMATS = ("text", "json", "csv")
ONE_TOP_K = 5  # classes that are named of one photo, as label_image.py did
NONE_OF_THESE = "none of these"
LEARNED_FROM = "the model was trained on this photo: the answer does not show how good the model is"
MAX_COLUMN = 32  # characters of a class name in the lines of many photos

Write = Callable[["PhotoAnswer"], None]


@dataclass(frozen=True)
class Guess:
    """What a model says of one photo.

    Attributes:
        probabilities: float32, shape (classes,).
        unknown: True where the photo is probably none of the classes.
        familiarity: which share of photos of the classes looks stranger, 0 to 1; None if not known.
        learned_from: True where the model learned from this very photo.
    """

    probabilities: NDArray[np.float32]
    unknown: bool = False
    familiarity: float | None = None
    learned_from: bool = False

    @classmethod
    def of(cls, prediction: Prediction, *, learned_from: bool = False) -> "Guess":
        """Without the last feature map, 200 KB of which nobody here asks for."""
        return cls(
            prediction.probabilities, prediction.unknown, prediction.familiarity, learned_from
        )


@dataclass(frozen=True)
class PhotoAnswer:
    """The answer to one photo.

    Attributes:
        file: what the photo is called.
        top: likeliest classes with probabilities, likeliest first; empty where there is an error.
        unknown: True where the photo is probably none of the classes.
        familiarity: which share of photos of the classes looks stranger, 0 to 1; None if not known.
        error: why there is no answer; empty if there is one.
        dangers: the deadly and poisonous classes that it could show.
        states_edibility: whether the model knows which classes are such.
        learned_from: True where the model learned from this very photo.
    """

    file: str
    top: tuple[tuple[str, float], ...] = ()
    unknown: bool = False
    familiarity: float | None = None
    error: str = ""
    dangers: tuple[Danger, ...] = ()
    states_edibility: bool = False
    learned_from: bool = False

    @property
    def caution(self) -> str:
        """What is to be said of the dangers, in one phrase; empty where nothing is."""
        return danger_words.caution(self.dangers, self.predicted)

    @property
    def predicted(self) -> str | None:
        """The likeliest class; None where the photo is probably none of them, or failed."""
        return None if self.unknown or not self.top else self.top[0][0]


def answer(
    file: str,
    guess: Guess,
    classes: Sequence[str],
    count: int,
    facts: ClassFacts | None = None,
) -> PhotoAnswer:
    """The answer with its `count` likeliest classes, and the dangerous ones by the facts."""
    if not np.isfinite(guess.probabilities).all():
        return PhotoAnswer(file, error="the model gives no finite probabilities for it")
    top = top_k(guess.probabilities, classes, count)
    known = facts or ClassFacts()
    return PhotoAnswer(
        file,
        tuple(top),
        guess.unknown,
        guess.familiarity,
        dangers=dangers.possible(guess.probabilities.tolist(), classes, known),
        states_edibility=known.states_edibility,
        learned_from=guess.learned_from,
    )


def as_label_image_py(answer: PhotoAnswer, seconds: float) -> list[str]:
    """The lines that label_image.py printed: `label (score=0.89511)`, likeliest first.

    Where the photo is probably none of the classes, or the model learned from it, lines before the
    labels say so. Where the model knows which classes are dangerous, one after them says which of
    these it could be.
    """
    return [
        f"Evaluation time (1-image): {seconds:.3f}s",
        "",
        *([LEARNED_FROM] if answer.learned_from else []),
        *_unknown(answer),
        *(f"{printable(label)} (score={score:0.5f})" for label, score in answer.top),
        *_cautions(answer),
    ]


def _unknown(answer: PhotoAnswer) -> list[str]:
    if not answer.unknown or answer.familiarity is None:
        return []
    share = f"{100 * (1 - answer.familiarity):.0f} %"
    return [f"{NONE_OF_THESE} (more unusual than {share} of known photos). Closest classes:"]


def _cautions(answer: PhotoAnswer) -> list[str]:
    """The dangers; without any, that even this is no leave to eat."""
    if not answer.states_edibility:
        return []
    return [f"{answer.caution}. {NO_LEAVE}" if answer.caution else NO_LEAVE]


def writer(
    form: str, classes: Sequence[str], count: int | None, stream: TextIO, *, model: str = ""
) -> Write:
    """A function that writes one answer after the other.

    Args:
        form: "text", "json" (a JSON object a line) or "csv" (a row a photo, after a header).
        classes: of the model.
        count: how many classes are named; None: one in text, `ONE_TOP_K` elsewhere.
        stream: to write to.
        model: its version, for JSON and CSV, where answers are kept and compared; empty for none.

    Raises:
        InputError: there is no such format.
    """
    if form == "text":
        return _text_writer(classes, stream, alternatives=count is not None)
    if form == "json":
        of_model = {"model": model} if model else {}
        return lambda answer: _write(stream, json.dumps({**_fields(answer), **of_model}))
    if form == "csv":
        return _csv_writer(min(count or ONE_TOP_K, len(classes)), stream, model)
    raise InputError(f"--format is {form!r}: expected one of {', '.join(FORMATS)}")


def _write(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")


def _text_writer(classes: Sequence[str], stream: TextIO, *, alternatives: bool) -> Write:
    """Lines in columns: probability, class, file; further classes below, where asked for."""
    names = [NONE_OF_THESE, *map(_column, classes)]
    width = max(map(len, names))

    def write(answer: PhotoAnswer) -> None:
        if answer.error:  # named on standard error
            return
        lines = [(f"{100 * share:5.1f} %", _column(label)) for label, share in answer.top]
        if answer.unknown:
            lines = [(f"{'-':>5}  ", NONE_OF_THESE), *lines]
        written = lines if alternatives else lines[:1]
        name = printable(answer.file)
        for place, (share, label) in enumerate(written):
            _write(stream, f"{share}  {label:<{width}}  {'' if place else name}".rstrip())
        if answer.caution:
            _write(stream, f"{'':>9}{answer.caution}")

    return write


def _column(label: str) -> str:
    text = printable(label)
    return text if len(text) <= MAX_COLUMN else f"{text[: MAX_COLUMN - 1]}…"


def _fields(answer: PhotoAnswer) -> dict[str, object]:
    """The object of the JSON form; json writes all but ASCII as escapes, whatever a name holds."""
    return {
        "file": answer.file,
        "predicted": answer.predicted,
        "unknown": None if answer.error else answer.unknown,
        "familiarity": answer.familiarity,
        "probabilities": {label: round(share, 6) for label, share in answer.top} or None,
        "error": answer.error or None,
        "dangers": [
            {**asdict(one), "probability": round(one.probability, 6)} for one in answer.dangers
        ],
        "caution": answer.caution,
        "learned_from": None if answer.error else answer.learned_from,
    }


def _csv_writer(columns: int, stream: TextIO, model: str) -> Write:
    rows = csv.writer(stream, lineterminator="\n")
    ranked = [
        f"{name}_{place + 1}" for place in range(columns) for name in ("label", "probability")
    ]
    head = ["file", "predicted", "unknown", "familiarity", "error", "learned_from"]
    rows.writerow([*head, *ranked, "caution", *(["model"] if model else [])])

    def write(answer: PhotoAnswer) -> None:
        top = [value for label, share in answer.top for value in (label, f"{share:.6f}")]
        unknown = "" if answer.error else str(answer.unknown).lower()
        familiarity = "" if answer.familiarity is None else f"{answer.familiarity:.2f}"
        learned = "" if answer.error else str(answer.learned_from).lower()
        row = [answer.file, answer.predicted or "", unknown, familiarity, answer.error, learned]
        row += top
        empty = [""] * (2 * columns - len(top))
        last = [as_text(answer.caution), *([model] if model else [])]
        rows.writerow([*(as_text(value) for value in row), *empty, *last])

    return write


def printable(text: str) -> str:
    """A stranger's text for a terminal: control characters would move the cursor."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
