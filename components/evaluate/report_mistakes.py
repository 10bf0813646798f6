"""The mistakes of the report: their photos, and the confusion matrix whose cells lead to them.

A cell is a link to a line above the photos, and that line, while it is the target of the address,
hides the photos of all other cells. So the page needs no script.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from components.common.model.description import ModelDescription
from components.common.model.model_place import CROSS_VALIDATED
from components.common.photos import thumbnails
from components.evaluate.answers import dangerous_answers
from components.evaluate.evaluation import Evaluation, Mistake

FIRST = 12  # photos that are shown before a reader asks for all; the dangerous ones always are
SHADES = 4  # of the confusion matrix: classes right1 to right4 and wrong1 to wrong4
NOT_SHOWN = "not-shown"  # where cells lead whose photos have no picture on the page


@dataclass(frozen=True)
class Shown:
    """A mistake on the page.

    Attributes:
        mistake: the photo, its answers and its pictures.
        scores: all classes with their probabilities, likeliest first.
        css: the classes of its card: those of its cells among them.
        dangerous: how many of the answers are dangerous confusions.
    """

    mistake: Mistake
    scores: list[tuple[str, float]]
    css: str
    dangerous: int


@dataclass(frozen=True)
class Cell:
    """One cell of the confusion matrix.

    Attributes:
        count: of photos; a mean where there were several rounds.
        css: its colour, the darker the larger its share of the row.
        behind: id of the line that it leads to; empty where it leads nowhere.
    """

    count: float
    css: str
    behind: str


@dataclass(frozen=True)
class Behind:
    """The photos behind a cell.

    Attributes:
        place: id of the line that tells of them.
        label: their true class.
        answer: the class that they were taken for.
        photos: how many there are.
        shown: how many of them are on the page.
    """

    place: str
    label: str
    answer: str
    photos: int
    shown: int


def shown(evaluation: Evaluation) -> list[Shown]:
    """The mistakes in their order, with pictures small enough for one page."""
    found: list[Shown] = []
    for mistake in _fitted(evaluation.mistakes):
        dangerous = len(dangerous_answers(mistake.answer, evaluation.model.facts))
        css = ["dangerous"] if dangerous else ["more"] if len(found) >= FIRST else []
        css += sorted(_cells_of(mistake, evaluation))
        scores = _scores(mistake, evaluation.model)
        found.append(Shown(mistake, scores, " ".join(css), dangerous))
    return found


def behind_cells(evaluation: Evaluation, mistakes: Sequence[Shown]) -> list[Behind]:
    """The cells that have photos on the page, row by row."""
    outcomes, labels = evaluation.outcomes, evaluation.model.classes
    predicted = outcomes.predicted.reshape(outcomes.rounds, -1)
    true = outcomes.true.reshape(outcomes.rounds, -1)[0] if len(outcomes.true) else outcomes.true
    on_page: dict[tuple[int, int], int] = {}
    places = {label: place for place, label in enumerate(labels)}
    for one in mistakes:
        if _is_in_matrix(one.mistake, evaluation):
            answer = one.mistake.answer
            for label in answer.wrong_answers:
                pair = places[answer.photo.label], places[label]
                on_page[pair] = on_page.get(pair, 0) + 1
    return [
        Behind(
            _place(row, column),
            labels[row],
            labels[column],
            int(((true == row) & (predicted == column).any(axis=0)).sum()),
            count,
        )
        for (row, column), count in sorted(on_page.items())
    ]


def matrix(evaluation: Evaluation, behind: Collection[Behind]) -> list[list[Cell]]:
    """The confusion matrix: true classes by answers."""
    known = {one.place for one in behind}
    counts = np.asarray(evaluation.overall.confusion)
    rows = []
    for row, values in enumerate(counts.tolist()):
        total, cells = sum(values), []
        for column, count in enumerate(values):
            colour = "right" if row == column else "wrong"
            css = f"{colour}{-int(-SHADES * count // total)}" if count else "zero"
            place = _place(row, column)
            leads = bool(count) and row != column
            cells.append(Cell(count, css, (place if place in known else NOT_SHOWN) * leads))
        rows.append(cells)
    return rows


def rules(behind: Collection[Behind]) -> str:
    """The style by which a line hides the photos of other cells; it is made of numbers alone."""
    if not behind:
        return ""
    lines = [(f"#{one.place}:target ~ .mistakes >", f".{one.place}") for one in behind]
    others = ", ".join(f"{line} :not({own})" for line, own in lines)
    own_cards = ", ".join(f"{line} {own}" for line, own in lines)
    return f"@media screen {{ {others} {{ display: none }} {own_cards} {{ display: flex }} }}\n"


def _place(row: int, column: int) -> str:
    return f"mixed-{row}-{column}"


def _is_in_matrix(mistake: Mistake, evaluation: Evaluation) -> bool:
    """The matrix of cross-validation does not count the demo photos."""
    by_recipe = evaluation.overall.name == CROSS_VALIDATED
    return mistake.answer.is_cross_validated or not by_recipe


def _cells_of(mistake: Mistake, evaluation: Evaluation) -> set[str]:
    if not _is_in_matrix(mistake, evaluation):
        return set()
    classes, answer = evaluation.model.classes, mistake.answer
    row = classes.index(answer.photo.label)
    return {_place(row, classes.index(label)) for label in answer.wrong_answers}


def _fitted(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """The mistakes with pictures small enough for one page."""
    pictures = [
        picture
        for mistake in mistakes
        for picture in (mistake.thumbnail, mistake.for_predicted, mistake.for_true)
    ]
    small = iter(thumbnails.fit(pictures))
    return [Mistake(mistake.answer, next(small), next(small), next(small)) for mistake in mistakes]


def _scores(mistake: Mistake, model: ModelDescription) -> list[tuple[str, float]]:
    """All classes with their probabilities, likeliest first."""
    scores = zip(model.classes, mistake.answer.probabilities, strict=True)
    return sorted(scores, key=lambda score: -score[1])
