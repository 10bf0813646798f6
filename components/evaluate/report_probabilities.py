"""The report's chapters on probabilities: can they be trusted, and what follows from them?"""

from collections.abc import Sequence

from components.common.pages.report import class_name, percent, table
from components.evaluate import charts
from components.evaluate.curves import ClassCurves, believed, class_curves, risk_coverage
from components.evaluate.evaluation import Evaluation
from components.evaluate.measure import (
    Bin,
    Outcomes,
    PartFigures,
    Quality,
    Share,
    losses,
    mean_interval,
    reliability,
    share,
)

MAX_CLASSES_DRAWN = 12  # with a ROC and a precision-recall curve each: bounds the page's size
TALLEST = 0.25  # of a reliability diagram, for the bin with the most photos
DIAGONAL = ((0.0, 0.0), (1.0, 1.0))


def probabilities(evaluation: Evaluation) -> str:
    """Calibration before and after the temperature, as a section."""
    part, temperature = evaluation.overall, evaluation.model.temperature
    if part.calibrated is None or part.uncalibrated is None:
        return ""
    outcomes = evaluation.outcomes
    if temperature is None or temperature == 1:
        why = "there were too few photos to fit one" if temperature is None else "none would help"
        about = (
            f"<p>This model has no temperature, because {why}: its probabilities are as the "
            "network gives them.</p>"
        )
        drawn = _reliability("As the network gives them", part.calibrated, outcomes, after=True)
    else:
        about = (
            f"<p>The temperature {temperature:.3g}, fitted on other photos than these, divides the "
            "scores before they become probabilities. It changes how sure an answer sounds, never "
            f"which answer it is. {_change(outcomes)}</p>"
        )
        drawn = _reliability("Before the temperature", part.uncalibrated, outcomes, after=False)
        drawn += _reliability("After the temperature", part.calibrated, outcomes, after=True)
    return (
        "<h2>Can the probabilities be trusted?</h2>"
        "<p>Of the answers that are “80 % sure”, 80 % should be right: the dots should lie on the "
        "dashed line. A dot above it is too modest, one below too sure. The upright lines are 95 % "
        "intervals, the grey columns show how many photos there are.</p>"
        f'{about}<div class="charts">{drawn}</div>'
        f"{_qualities(part, fitted=temperature not in (None, 1))}"
        f"{_bins(reliability(outcomes.confidence, outcomes.right))}"
    )


def _reliability(title: str, quality: Quality, outcomes: Outcomes, *, after: bool) -> str:
    scores = outcomes.probabilities if after else outcomes.uncalibrated
    bins = reliability(scores.max(axis=1), scores.argmax(axis=1) == outcomes.true)
    most = max(one.right.total for one in bins)
    marks = [charts.column(one.low, one.high, TALLEST * one.right.total / most) for one in bins]
    marks.append(charts.curve(DIAGONAL, "ideal"))
    marks += [charts.whisker(one.confidence, one.right.low, one.right.high) for one in bins]
    marks += [charts.dot(one.confidence, one.right.value) for one in bins]
    spoken = "; ".join(
        f"stated {percent(one.confidence)}, right {percent(one.right.value)} of {one.right.total}"
        for one in bins
    )
    drawing = charts.plot(f"{title}: {spoken}", "stated, %", "right, %", marks)
    note = f"calibration error {quality.calibration_error:.3f}, log loss {quality.log_loss:.3f}"
    return charts.figure(title, note, drawing)


def _change(outcomes: Outcomes) -> str:
    """What the temperature did to the log loss, photo by photo, and how sure that is."""
    after, before = outcomes.probabilities, outcomes.uncalibrated
    found = mean_interval(losses(outcomes.true, after) - losses(outcomes.true, before))
    if found is None:
        return ""
    middle, low, high = found
    clear = "" if low > 0 or high < 0 else " These photos are too few to tell it from none."
    return (
        f"On these photos it changed the log loss by {_signed(middle)} "
        f'<span class="whole">(95 % interval {_signed(low)} to {_signed(high)})</span>.{clear}'
    )


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _qualities(part: PartFigures, *, fitted: bool) -> str:
    """Log loss, Brier score and calibration error, with and without temperature."""
    before, after = part.uncalibrated, part.calibrated
    if not fitted or before is None or after is None:
        return ""
    rows = [
        (name, f"{old:.3f}", f"{new:.3f}")
        for name, old, new in (
            ("Log loss", before.log_loss, after.log_loss),
            ("Brier score", before.brier, after.brier),
            ("Calibration error", before.calibration_error, after.calibration_error),
        )
    ]
    caption = "Quality of the probabilities, without and with the temperature: lower is better"
    return table(caption, ("Figure", "Before", "After"), rows)


def _bins(bins: Sequence[Bin]) -> str:
    rows = [
        (
            f"{percent(one.low)} to {percent(one.high)}",
            str(one.right.total),
            percent(one.confidence),
            percent(one.right.value),
            f"{percent(one.right.low)} to {percent(one.right.high)}",
        )
        for one in bins
    ]
    headers = ("Stated", "Photos", "Mean stated", "Right", "95 % interval")
    drawn = table("The reliability diagram in figures, calibrated", headers, rows)
    return f"<details><summary>The diagram in figures</summary>{drawn}</details>"


def surest_answers(evaluation: Evaluation) -> str:
    """Risk by coverage, as a section."""
    outcomes = evaluation.outcomes
    total = len(outcomes.true)
    if not total:
        return ""
    found = risk_coverage(outcomes)
    points = list(zip(found.coverage.tolist(), found.risk.tolist(), strict=True))
    overall = found.risk[-1]
    half = found.risk[(total - 1) // 2]
    spoken = (
        f"Wrong answers among the surest: {percent(float(half))} of the surest half, "
        f"{percent(float(overall))} of all"
    )
    marks = [
        charts.area(points),
        charts.curve(((0.0, float(overall)), (1.0, float(overall))), "ideal"),
        charts.curve(points),
    ]
    drawing = charts.plot(spoken, "answered, surest first, %", "wrong among them, %", marks)
    note = f"area under the curve (AURC) {found.area:.3f}; dashed: leaving out answers at random"
    rows = [
        (
            f"at least {percent(one.threshold)}" if one.threshold else "any",
            str(one.answered),
            percent(one.answered / total),
            *_right_cells(one.right),
        )
        for one in believed(outcomes)
    ]
    headers = ("Probability", "Photos", "Answered", "Right", "95 % interval")
    return (
        "<h2>If it only answered when it is sure</h2>"
        "<p>A model that may say “I do not know” is wrong less often. The curve shows how many "
        "answers are wrong if only the surest are given, from the surest few to all.</p>"
        f'<div class="charts">{charts.figure("Risk by coverage", note, drawing)}</div>'
        f"{table('Answers that are believed from a probability on', headers, rows)}"
    )


def _right_cells(right: Share) -> tuple[str, str]:
    if not right.total:
        return "no photos", ""
    return percent(right.value), f"{percent(right.low)} to {percent(right.high)}"


def unknown_photos(evaluation: Evaluation) -> str:
    """How often photos of the classes are called none of them, as a section."""
    title = "<h2>How often it says “none of these”</h2>"
    part, rule = evaluation.overall, evaluation.model.unknown
    unknown, answered = part.unknown, part.answered
    if rule is None or unknown is None or answered is None or not unknown.total:
        why = "" if rule is not None else " because there were too few photos to fit one"
        return f"{title}<p>This model has no rule for photos of other things{why}.</p>"
    fired, right = evaluation.outcomes.unknown, evaluation.outcomes.right
    assert fired is not None
    rows = [
        (name, str(one.total), str(one.count), *_right_cells(one))
        for name, one in (
            ("All", unknown),
            ("Rightly recognised", share(int((fired & right).sum()), int(right.sum()))),
            ("Misclassified", share(int((fired & ~right).sum()), int((~right).sum()))),
        )
    ]
    headers = ("Photos", "Count", "“None of these”", "Share", "95 % interval")
    kept = (
        f"Of the {answered.total} that were answered, {answered.count} are right: "
        f'{percent(answered.value)} <span class="whole">(95 % interval {percent(answered.low)} to '
        f"{percent(answered.high)})</span>."
        if answered.total
        else "No photo was answered."
    )
    return (
        f"{title}<p>Each of these photos shows one of the classes, so each “none of these” is a "
        f"false alarm, unless the answer would have been wrong. The rule was made to turn away at "
        f"most {percent(rule.false_rejection_rate)} of photos of the classes; here it was "
        f"{percent(unknown.value)}. {kept}</p>"
        f"{table('Photos of the classes that were called none of them', headers, rows)}"
    )


def class_charts(evaluation: Evaluation) -> str:
    """ROC and precision-recall curves of the classes, hardest first, as a section."""
    curves = class_curves(evaluation.outcomes)
    if not curves:
        return ""
    figures = evaluation.overall.classes
    hardest = sorted(curves, key=lambda one: (figures[one.index].average_precision, one.index))
    shown = hardest[:MAX_CLASSES_DRAWN]
    which = (
        "The hardest class comes first."
        if len(shown) == len(curves)
        else f"The {len(shown)} hardest of {len(curves)} classes, the hardest first."
    )
    drawn = "".join(_class_chart(one, evaluation.overall) for one in shown)
    return (
        "<h2>Each class against all others</h2>"
        "<p>What if a class's probability alone decided, from strict to generous? First: how many "
        "of its photos are found (recall) for how many others wrongly taken for it. Second: how "
        "many of those taken for it are right (precision) as more of them are found. Dashed: "
        f'blind guessing. {which}</p><div class="charts pairs">{drawn}</div>'
    )


def _class_chart(curves: ClassCurves, part: PartFigures) -> str:
    figures = part.classes[curves.index]
    auroc, precision = figures.auroc or 0.0, figures.average_precision or 0.0
    roc = list(
        zip(curves.roc.false_positive_rate.tolist(), curves.roc.recall.tolist(), strict=True)
    )
    found = charts.stairs(list(zip(curves.recall.tolist(), curves.precision.tolist(), strict=True)))
    chance = figures.photos / part.accuracy.total
    left = charts.plot(
        f"ROC curve of {figures.label}, area {auroc:.3f}",
        "others taken for it, %",
        "found, %",
        [charts.area(roc), charts.curve(DIAGONAL, "ideal"), charts.curve(roc)],
    )
    right = charts.plot(
        f"Precision by recall of {figures.label}, average precision {precision:.3f}",
        "found (recall), %",
        "precision, %",
        [
            charts.area(found),
            charts.curve(((0.0, chance), (1.0, chance)), "ideal"),
            charts.curve(found),
        ],
    )
    photos = "1 photo" if figures.photos == 1 else f"{figures.photos} photos"
    note = f"{photos}; ROC area {auroc:.3f}, average precision {precision:.3f}"
    return charts.figure(class_name(figures.label), note, f'<div class="pair">{left}{right}</div>')
