"""report.html: the figures of one evaluation, for people."""

import math
from collections import Counter

from components.common.model.model_place import version_of
from components.common.pages.report import (
    class_name,
    escape,
    identity,
    notices,
    page,
    percent,
    table,
)
from components.common.pages.report_style import SHADES
from components.evaluate import charts, report_mistakes
from components.evaluate.curves import risk_coverage
from components.evaluate.evaluation import FOLDER, HELD_OUT, LEARNED, Evaluation
from components.evaluate.measure import TOP_K, ClassFigures, PartFigures, Share
from components.evaluate.report_mistakes import mistakes
from components.evaluate.report_model import about_model, unusable_files
from components.evaluate.report_probabilities import (
    class_charts,
    probabilities,
    surest_answers,
    unknown_photos,
)

FEW_PHOTOS = 200  # below this the interval is more than 10 points wide in most cases
MIX_UPS = 3  # named above the confusion matrix
CSS = f"""{charts.CSS}{report_mistakes.CSS}
.glance td:last-child {{ white-space: normal; min-width: 13rem; }}
@media screen and (max-width: 37.5rem) {{
  .glance tr {{ grid-template-columns: minmax(0, 1fr) auto; }}
  .glance tbody th, .glance .figure {{ grid-column: auto; }}
  .glance .figure {{ font-size: 1rem; }}
  .glance th::before, .glance .figure::before, .glance td:last-child::before {{ display: none; }}
  .glance td:not(.figure) {{ grid-column: 1 / -1; min-width: 0; color: var(--muted); }}
  .glance td::before {{ display: inline; margin-right: .4em; font-size: inherit; }}
}}
"""


def render(evaluation: Evaluation) -> str:
    """The report as one self-contained HTML file."""
    model, overall = evaluation.model, evaluation.overall
    body = [
        notices(rendered=model.rendered, cautions=evaluation.cautions),
        _headline(overall, len(model.classes), new=overall.name != LEARNED),
        _glance(evaluation),
        _parts(evaluation),
        _curated(evaluation),
        _classes(overall),
        _confusion(overall),
        probabilities(evaluation),
        surest_answers(evaluation),
        unknown_photos(evaluation),
        class_charts(evaluation),
        mistakes(evaluation),
        unusable_files(evaluation.unusable),
        about_model(model),
    ]
    subtitle = f"{_measured_on(evaluation)} {model.architecture}, {len(model.classes)} classes."
    about = identity(version_of(model), model.manifest_sha256)
    return page("How good is the model?", subtitle, "\n".join(body), css=CSS, identity=about)


def _measured_on(evaluation: Evaluation) -> str:
    """Which photos the whole report is about, as a sentence."""
    name = evaluation.overall.name
    if name == LEARNED:
        return "Measured on photos that the model learned from, which proves nothing."
    if name == FOLDER and evaluation.seen:
        return "Measured on those photos of a folder that the model never saw."
    if name == FOLDER:
        return "Measured on a folder of labelled photos."
    return "Measured on photos that were kept from the training."


def _headline(part: PartFigures, classes: int, *, new: bool) -> str:
    accuracy = part.accuracy
    if not accuracy.total:
        return '<section class="panel hero"><p>No held-out photos were measured.</p></section>'
    chance = 1 / classes
    sentence = (
        f"<strong>{accuracy.count} of {accuracy.total} {_kind(part)} right: "
        f"{percent(accuracy.value)}</strong>, "
        f'<span class="whole">{_interval(accuracy)}</span>'
    )
    return f"""<section class="panel hero" aria-label="Accuracy">
<span class="big" aria-hidden="true">{percent(accuracy.value)}</span>
<p>{sentence}</p>
{_drawn_interval(accuracy, chance)}
{_remark(accuracy) if new else ""}
<p class="scale">Guessing blindly among {classes} classes would be right {percent(chance)} of the
time.</p>
</section>"""


def _kind(part: PartFigures) -> str:
    """What the photos of the whole report are."""
    kinds = {FOLDER: "photos of the folder", LEARNED: "photos that it learned from"}
    return kinds.get(part.name, "held-out photos")


def _remark(accuracy: Share) -> str:
    """How far such a number of photos can be trusted."""
    if accuracy.total >= FEW_PHOTOS:
        return ""
    width = round(100 * accuracy.high) - round(100 * accuracy.low)  # as the figures are shown
    photos = "photo is" if accuracy.total == 1 else "photos are"
    return (
        f'<p class="scale">{accuracy.total} {photos} few: the interval is {width} percentage '
        f"points wide, so on new photos it may well do as badly as {percent(accuracy.low)} or "
        f"as well as {percent(accuracy.high)}. Four times as many photos would make the interval "
        "about half as wide.</p>"
    )


def _interval(share: Share) -> str:
    return f"95 % interval {percent(share.low)} to {percent(share.high)}"


def _drawn_interval(share: Share, chance: float) -> str:
    """The scale from 0 to 100 %, on it the interval, the accuracy and the level of guessing."""
    low, width = 100 * share.low, 100 * (share.high - share.low)
    side = "start" if chance < 0.1 else "middle"
    description = f"accuracy {percent(share.value)}, {_interval(share)}, guessing {percent(chance)}"
    anchors = {0: "start", 25: "middle", 50: "middle", 75: "middle", 100: "end"}
    ticks = "".join(
        f'<text x="{tick}%" y="62" text-anchor="{place}">{tick} %</text>'
        for tick, place in anchors.items()
    )
    return (
        f'<svg class="interval" width="100%" height="66" role="img" aria-label="{description}">'
        '<line class="axis" x1="0" x2="100%" y1="32" y2="32"/>'
        f'<rect class="band" x="{low:.1f}%" y="22" width="{width:.1f}%" height="20" rx="6"/>'
        f'<line class="chance" x1="{100 * chance:.1f}%" x2="{100 * chance:.1f}%" y1="18" y2="46"/>'
        f'<text x="{100 * chance:.1f}%" y="12" text-anchor="{side}">guessing</text>'
        f'<circle class="dot" cx="{100 * share.value:.1f}%" cy="32" r="8"/>{ticks}</svg>'
    )


def _mini_interval(share: Share) -> str:
    """The same, small, for tables: the figures stand beside it."""
    low, width = 100 * share.low, 100 * (share.high - share.low)
    return (
        '<svg class="mini" aria-hidden="true">'
        '<line class="axis" x1="0" x2="100%" y1="7" y2="7"/>'
        f'<rect class="band" x="{low:.1f}%" y="1" width="{width:.1f}%" height="12" rx="3"/>'
        f'<circle class="dot" cx="{100 * share.value:.1f}%" cy="7" r="5"/></svg>'
    )


def _share_cells(share: Share) -> tuple[str, str, str]:
    """Value, interval and drawing of a share as table cells."""
    if not share.total:
        return "no photos", "", ""
    between = f"{percent(share.low)} to {percent(share.high)}"
    return percent(share.value), between, _mini_interval(share)


def _glance(evaluation: Evaluation) -> str:
    """All figures of the whole in one table, each with what it means."""
    part, classes = evaluation.overall, len(evaluation.model.classes)
    if not part.accuracy.total:
        return ""
    caption = "The figures on one page, over all these photos. Each is explained further down."
    headers = ("Figure", "Value", "95 % interval", "Meaning")
    rows = [*_answer_rows(part, classes), *_score_rows(evaluation)]
    return f"<h2>At a glance</h2>{table(caption, headers, rows, css='glance')}"


def _answer_rows(part: PartFigures, classes: int) -> list[tuple[str, str, str, str]]:
    rows = [("Accuracy", *_share_cells(part.accuracy)[:2], "the likeliest class is the true one")]
    if classes > TOP_K:  # otherwise it is always 100 %
        meaning = f"the true class is among the {TOP_K} likeliest"
        rows.append((f"Top-{TOP_K} accuracy", *_share_cells(part.top_k)[:2], meaning))
    rows.append(
        ("Macro recall", percent(part.macro_recall), "", "mean over the classes that have photos")
    )
    rows.append(("Macro F1", percent(part.macro_f1), "", "the same, of recall and precision both"))
    if part.unknown is not None:
        meaning = "photos of the classes that were turned away as strange"
        rows.append(("Called “none of these”", *_share_cells(part.unknown)[:2], meaning))
    return rows


def _score_rows(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    part, classes = evaluation.overall, len(evaluation.model.classes)
    rows = []
    for name, value, meaning in (
        ("ROC area", part.macro_auroc, "mean over the classes; 0.5 is chance, 1 is perfect"),
        ("Average precision", part.macro_average_precision, "mean over the classes; 1 is perfect"),
    ):
        if value is not None:
            rows.append((name, f"{value:.3f}", "", meaning))
    if part.calibrated is not None:
        found = part.calibrated
        rows += [
            (
                "Log loss",
                f"{found.log_loss:.3f}",
                "",
                f"nats; 0 is perfect, blind guessing gets {math.log(classes):.2f}",
            ),
            (
                "Brier score",
                f"{found.brier:.3f}",
                "",
                f"0 is perfect, 2 the worst, blind guessing gets {1 - 1 / classes:.2f}",
            ),
            (
                "Calibration error",
                f"{found.calibration_error:.3f}",
                "",
                "how far stated and true certainty lie apart (ECE); few photos raise it",
            ),
        ]
    area = risk_coverage(evaluation.outcomes).area
    meaning = "mean share of wrong answers if only the surest are given; 0 is best"
    return [*rows, ("Risk–coverage area", f"{area:.3f}", "", meaning)]


def _parts(evaluation: Evaluation) -> str:
    rows = [
        (
            escape(part.name),
            str(part.accuracy.total),
            str(part.accuracy.count),
            *_share_cells(part.accuracy),
            percent(part.top_k.value) if part.top_k.total else "",
            percent(part.macro_recall) if part.accuracy.total else "",
            f"{part.calibrated.log_loss:.3f}" if part.calibrated else "",
        )
        for part in evaluation.parts
    ]
    headers = (
        *("Part", "Photos", "Right", "Accuracy", "95 % interval", "0 to 100 %"),
        *(f"Top-{TOP_K}", "Macro recall", "Log loss"),
    )
    names = [part.name for part in evaluation.parts]
    notes = []
    if len(names) > 1 and HELD_OUT in names:
        notes.append("“held out” is the test and demo photos together.")
    if FOLDER in names and HELD_OUT in names:
        notes.append("The folder is measured on its own; all that follows is about “held out”.")
    if LEARNED in names:
        notes.append("“learned from”: photos of the folder that the model was made of.")
    caption = " ".join(["Accuracy of each part.", *notes])
    return f"<h2>Parts</h2>{table(caption, headers, rows)}"


def _curated(evaluation: Evaluation) -> str:
    """As labelled, and without what curation doubts, side by side."""
    curated, whole = evaluation.curated, evaluation.overall
    if curated is None:
        return ""
    flagged = whole.accuracy.total - curated.accuracy.total
    rows = [
        (
            name,
            str(part.accuracy.total),
            *_share_cells(part.accuracy),
            percent(part.macro_recall) if part.accuracy.total else "",
            f"{part.calibrated.log_loss:.3f}" if part.calibrated else "",
        )
        for name, part in (("All, as labelled", whole), ("Without the flagged", curated))
    ]
    headers = ("Photos", "Count", "Accuracy", "95 % interval", "0 to 100 %", "Macro recall")
    caption = "Raw and curated figures"
    return (
        f"<h2>With and without doubtful photos <small>{flagged} flagged</small></h2>"
        "<p>Curation flagged photos that look like another of the classes, or perhaps show no "
        "mushroom at all; curation.html shows them. The figure that counts is the first: the "
        "second leaves out what is hard as well as what is wrong.</p>"
        f"{table(caption, (*headers, 'Log loss'), rows)}"
    )


def _classes(part: PartFigures) -> str:
    rows = [_class_row(figures) for figures in part.classes]
    headers = (
        *("Class", "Photos", "Recall", "95 % interval", "0 to 100 %", "Precision", "F1"),
        *("ROC area", "Average precision"),
    )
    caption = (
        "Recall: how many photos of the class were recognised. Precision: how many of the answers "
        "that name the class were right. F1: their harmonic mean. ROC area and average precision: "
        "how well the class's probability alone tells its photos from all others."
    )
    return f"<h2>Classes</h2>{table(caption, headers, rows)}"


def _class_row(figures: ClassFigures) -> tuple[str, ...]:
    areas = (
        "" if value is None else f"{value:.3f}"
        for value in (figures.auroc, figures.average_precision)
    )
    return (
        class_name(figures.label),
        str(figures.photos),
        *_share_cells(figures.recall),
        percent(figures.precision) if figures.answered else "never answered",
        percent(figures.f1) if figures.photos else "",
        *areas,
    )


def _confusion(part: PartFigures) -> str:
    labels = [figures.label for figures in part.classes]
    matrix: list[list[int]] = part.confusion.tolist()
    rows = [
        [class_name(label), *(_count(row, column, index) for column in range(len(labels)))]
        for index, (label, row) in enumerate(zip(labels, matrix, strict=True))
    ]
    columns = [f"<span>{class_name(label)}</span>" for label in labels]
    caption = (
        "Rows: what the photo shows. Columns: what the model answered. "
        "Right answers are on the diagonal."
    )
    headers = ["<span>True class</span>", *columns]
    shaded = table(caption, headers, rows, css="confusion", stacked=False)
    return f"<h2>Which classes are mixed up</h2>{_mix_ups(labels, matrix)}{shaded}"


def _count(row: list[int], column: int, diagonal: int) -> str:
    """One cell: the darker, the larger its share of the row."""
    count = row[column]
    if not count:
        return '<span class="zero">0</span>'
    shade = -(-SHADES * count // sum(row))
    return f'<span class="{"right" if column == diagonal else "wrong"}{shade}">{count}</span>'


def _mix_ups(labels: list[str], matrix: list[list[int]]) -> str:
    """A sentence about the most frequent confusions, where one happened more than once."""
    counts = Counter(
        {
            (true, answer): count
            for true, row in zip(labels, matrix, strict=True)
            for answer, count in zip(labels, row, strict=True)
            if true != answer and count > 1
        }
    )
    named = "; ".join(
        f"<b>{class_name(true)}</b> taken for <b>{class_name(answer)}</b>, {count} times"
        for (true, answer), count in counts.most_common(MIX_UPS)
    )
    return f"<p>Most frequent: {named}.</p>" if named else ""
