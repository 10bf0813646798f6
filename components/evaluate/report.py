"""report.html: the figures of one evaluation, for people.

Most words are in the template; sentences that depend on the figures, and the charts' titles
(report_charts.py), are here.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.common.model.description import ModelDescription
from components.common.model.model import TOP_K
from components.common.model.model_place import version_of
from components.common.pages import page, plot
from components.common.pages.text import between, percent, shortened
from components.common.photos import thumbnails
from components.evaluate import report_charts
from components.evaluate.curves import believed, risk_coverage
from components.evaluate.evaluation import FOLDER, HELD_OUT, LEARNED, Evaluation, Mistake
from components.evaluate.measure import (
    ClassFigures,
    Outcomes,
    PartFigures,
    Share,
    losses,
    mean_interval,
    reliability,
    share,
)

FEW_PHOTOS = 200  # below this the interval is more than 10 points wide in most cases
MIX_UPS = 3  # named above the confusion matrix
SHADES = 4  # of the confusion matrix: classes right1 to right4 and wrong1 to wrong4
MAX_NAMED = 100  # files that were left out

Row = Sequence[object]


@dataclass(frozen=True)
class MixUp:
    """How often photos of one class were taken for another."""

    true: str
    answer: str
    count: int


@dataclass(frozen=True)
class Cell:
    """A count of the confusion matrix, and the class of its shade."""

    count: int
    css: str


def render(evaluation: Evaluation) -> str:
    """The report as one self-contained HTML file."""
    model, overall, outcomes = evaluation.model, evaluation.overall, evaluation.outcomes
    coverage = risk_coverage(outcomes) if overall.accuracy.total else None
    changes = losses(outcomes.true, outcomes.probabilities) - losses(
        outcomes.true, outcomes.uncalibrated
    )
    curves = report_charts.hardest_first(evaluation)
    return page.render(
        __file__,
        evaluation=evaluation,
        version=version_of(model),
        names={"folder": FOLDER, "held_out": HELD_OUT, "learned": LEARNED},
        top_k=TOP_K,
        few=overall.accuracy.total < FEW_PHOTOS,
        blind_log_loss=math.log(len(model.classes)),
        parts=[_part_row(part) for part in evaluation.parts],
        curated=_curated_rows(evaluation),
        classes=[_class_row(figures) for figures in overall.classes],
        mix_ups=_mix_ups(overall),
        confusion=_confusion(overall),
        change=mean_interval(changes),
        reliability=report_charts.reliability_diagrams(evaluation),
        bins=_bin_rows(outcomes),
        coverage=coverage,
        coverage_chart=coverage and report_charts.risk_by_coverage(coverage),
        believed=_believed_rows(outcomes),
        turned_away=_turned_away_rows(evaluation),
        class_charts=[
            report_charts.class_charts(one, overall)
            for one in curves[: report_charts.MAX_CLASSES_DRAWN]
        ],
        with_curves=len(curves),
        mistakes=[(mistake, _scores(mistake, model)) for mistake in _fitted(evaluation.mistakes)],
        unusable=[
            (shortened(one.name), shortened(one.reason)) for one in evaluation.unusable[:MAX_NAMED]
        ],
        photos=_photo_rows(model),
    )


def _share_cells(part: Share) -> tuple[object, object, object]:
    """Value, interval and drawing of a share."""
    if not part.total:
        return "no photos", "", ""
    return percent(part.value), between(part), plot.mini_interval(part)


def _part_row(part: PartFigures) -> Row:
    return (
        part.name,
        part.accuracy.total,
        part.accuracy.count,
        *_share_cells(part.accuracy),
        percent(part.top_k.value) if part.top_k.total else "",
        *_recall_and_loss(part),
    )


def _recall_and_loss(part: PartFigures) -> tuple[str, str]:
    return (
        percent(part.macro_recall) if part.accuracy.total else "",
        f"{part.calibrated.log_loss:.3f}" if part.calibrated else "",
    )


def _curated_rows(evaluation: Evaluation) -> list[Row]:
    """As labelled, and without what curation doubts."""
    if evaluation.curated is None:
        return []
    parts = (("All, as labelled", evaluation.overall), ("Without the flagged", evaluation.curated))
    return [
        (name, part.accuracy.total, *_share_cells(part.accuracy), *_recall_and_loss(part))
        for name, part in parts
    ]


def _class_row(figures: ClassFigures) -> Row:
    areas = (figures.auroc, figures.average_precision)
    return (
        figures.label,
        figures.photos,
        *_share_cells(figures.recall),
        percent(figures.precision) if figures.answered else "never answered",
        percent(figures.f1) if figures.photos else "",
        *("" if area is None else f"{area:.3f}" for area in areas),
    )


def _mix_ups(part: PartFigures) -> list[MixUp]:
    """The most frequent confusions that happened more than once."""
    labels = [figures.label for figures in part.classes]
    counts = Counter(
        {
            (true, answer): count
            for true, row in zip(labels, part.confusion.tolist(), strict=True)
            for answer, count in zip(labels, row, strict=True)
            if true != answer and count > 1
        }
    )
    return [MixUp(*classes, count) for classes, count in counts.most_common(MIX_UPS)]


def _confusion(part: PartFigures) -> list[tuple[str, list[Cell]]]:
    """The matrix by rows; a cell is the darker, the larger its share of the row."""
    rows = []
    for place, (figures, row) in enumerate(zip(part.classes, part.confusion.tolist(), strict=True)):
        cells = []
        for column, count in enumerate(row):
            hue = "right" if column == place else "wrong"
            shade = -(-SHADES * count // sum(row)) if count else 0
            cells.append(Cell(count, f"{hue}{shade}" if count else "zero"))
        rows.append((figures.label, cells))
    return rows


def _bin_rows(outcomes: Outcomes) -> list[Row]:
    """The calibrated reliability diagram in figures."""
    return [
        (
            f"{percent(one.low)} to {percent(one.high)}",
            one.right.total,
            percent(one.confidence),
            percent(one.right.value),
            between(one.right),
        )
        for one in reliability(outcomes.confidence, outcomes.right)
    ]


def _believed_rows(outcomes: Outcomes) -> list[Row]:
    total = len(outcomes.true)
    return [
        (
            f"at least {percent(one.threshold)}" if one.threshold else "any",
            one.answered,
            percent(one.answered / total),
            *_share_cells(one.right)[:2],
        )
        for one in (believed(outcomes) if total else ())
    ]


def _turned_away_rows(evaluation: Evaluation) -> list[Row]:
    """How many photos of the classes were called none of them, among right and wrong answers."""
    fired, right = evaluation.outcomes.unknown, evaluation.outcomes.right
    if fired is None:
        return []
    shares = {
        "All": share(int(fired.sum()), len(fired)),
        "Rightly recognised": share(int((fired & right).sum()), int(right.sum())),
        "Misclassified": share(int((fired & ~right).sum()), int((~right).sum())),
    }
    return [(name, one.total, one.count, *_share_cells(one)[:2]) for name, one in shares.items()]


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


def _photo_rows(model: ModelDescription) -> list[Row]:
    """Photos of the training dataset by class and part."""
    counts = list(model.photos.values())
    rows: list[Row] = [(label, *(part.get(label, 0) for part in counts)) for label in model.classes]
    return [*rows, ("All", *(sum(part.values()) for part in counts))]
