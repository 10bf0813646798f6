"""report.html: the figures of one evaluation, for people.

Most words are in the template; sentences that depend on the figures, and the charts' titles
(report_charts.py), are here.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial

from components.common.base import shares
from components.common.base.shares import Share
from components.common.base.wording import named
from components.common.dataset.class_facts import FUNGI
from components.common.dataset.dangers import NAMED_FROM
from components.common.model.description import ModelDescription
from components.common.model.model import TOP_K
from components.common.model.model_place import CROSS_VALIDATED, version_of
from components.common.pages import danger_words, page, plot
from components.common.pages.text import between, percent, shortened
from components.evaluate import report_charts, report_mistakes
from components.evaluate.curves import believed, risk_coverage
from components.evaluate.evaluation import (
    FOLDER,
    HELD_OUT,
    LEARNED,
    Evaluation,
)
from components.evaluate.measure import (
    Outcomes,
    PartFigures,
    losses,
    mean_interval,
    reliability,
)

FEW_PHOTOS = 200  # below this the interval is more than 10 points wide in most cases
CLASSES_NAMED, MAX_LABEL = 10, 60  # of those with few photos, and characters of each
MIX_UPS = 3  # named above the confusion matrix
MAX_NAMED = 100  # files that were left out

Row = Sequence[object]


def render(evaluation: Evaluation) -> str:
    """The report as one self-contained HTML file."""
    model, overall, outcomes = evaluation.model, evaluation.overall, evaluation.outcomes
    coverage = risk_coverage(outcomes) if overall.accuracy.total else None
    changes = losses(outcomes.true, outcomes.probabilities) - losses(
        outcomes.true, outcomes.uncalibrated
    )
    curves = report_charts.hardest_first(evaluation)
    mistakes = report_mistakes.shown(evaluation)
    behind = report_mistakes.behind_cells(evaluation, mistakes)
    commonest = max(overall.classes, key=lambda figures: figures.photos)
    never = [
        figures.label for figures in overall.classes if figures.photos and not figures.recall.count
    ]
    return page.render(
        __file__,
        rules=report_mistakes.rules(behind),
        evaluation=evaluation,
        commonest=commonest.label,
        by_one_answer=max(
            1 / len(model.classes), commonest.photos / max(1, overall.accuracy.total)
        ),
        unrecognised=named(never, most=CLASSES_NAMED, longest=MAX_LABEL),
        version=version_of(model),
        names={
            "folder": FOLDER,
            "held_out": HELD_OUT,
            "learned": LEARNED,
            "cross_validated": CROSS_VALIDATED,
        },
        top_k=TOP_K,
        few=overall.photos < FEW_PHOTOS,
        few_photos=shares.FEW_PHOTOS,
        few_of_class=named(overall.few, most=CLASSES_NAMED, longest=MAX_LABEL),
        blind_log_loss=math.log(len(model.classes)),
        share_cells=_share_cells,
        recall_and_loss=_recall_and_loss,
        mix_ups=_mix_ups(overall),
        matrix=report_mistakes.matrix(evaluation, behind),
        behind=behind,
        not_shown=report_mistakes.NOT_SHOWN,
        change=mean_interval(changes, outcomes.groups),
        reliability=report_charts.reliability_diagrams(evaluation),
        bins=reliability(outcomes.confidence, outcomes.right, outcomes),
        coverage=coverage,
        coverage_chart=coverage and report_charts.risk_by_coverage(coverage),
        believed=believed(outcomes),
        turned_away=_turned_away(outcomes),
        class_charts=[
            report_charts.class_charts(curves_of_class, overall)
            for curves_of_class in curves[: report_charts.MAX_CLASSES_DRAWN]
        ],
        with_curves=len(curves),
        mistakes=mistakes,
        dangerous=sum(one.dangerous > 0 for one in mistakes),
        first=report_mistakes.FIRST,
        with_danger=partial(danger_words.with_danger, facts=model.facts),
        not_stated=danger_words.NOT_STATED if model.facts.subject == FUNGI else "",
        named_from=NAMED_FROM,
        unusable=[
            (shortened(file.name), shortened(file.reason))
            for file in evaluation.unusable[:MAX_NAMED]
        ],
        photos=_photo_rows(model),
    )


def _share_cells(part: Share) -> list[object]:
    """Value, interval and drawing of a share."""
    if not part.total:
        return ["no photos", "", ""]
    return [percent(part.value), between(part), plot.mini_interval(part)]


def _recall_and_loss(part: PartFigures) -> list[str]:
    return [
        percent(part.macro_recall) if part.accuracy.total else "",
        f"{part.calibrated.log_loss:.3f}" if part.calibrated else "",
    ]


def _mix_ups(part: PartFigures) -> list[tuple[str, str, float]]:
    """True class, answer and count of the most frequent confusions that happened more than once."""
    labels = [figures.label for figures in part.classes]
    counts = Counter(
        {
            (true, answer): count
            for true, row in zip(labels, part.confusion.tolist(), strict=True)
            for answer, count in zip(labels, row, strict=True)
            if true != answer and count > 1
        }
    )
    return [(true, answer, count) for (true, answer), count in counts.most_common(MIX_UPS)]


def _turned_away(outcomes: Outcomes) -> dict[str, Share]:
    """How many photos of the classes were called none of them, among right and wrong answers."""
    fired, right = outcomes.unknown, outcomes.right
    if fired is None:
        return {}
    return {
        "All": outcomes.share(fired),
        "Rightly recognised": outcomes.share(fired, right),
        "Misclassified": outcomes.share(fired, ~right),
    }


def _photo_rows(model: ModelDescription) -> list[Row]:
    """Photos of the training dataset by class and part."""
    counts = list(model.photos.values())
    rows: list[Row] = [(label, *(part.get(label, 0) for part in counts)) for label in model.classes]
    return [*rows, ("All", *(sum(part.values()) for part in counts))]
