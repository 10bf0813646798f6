"""report.html: the figures of one evaluation, for people."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.common.model import ModelDescription
from components.common.photo import Photo
from components.common.report import (
    SHADES,
    attribution,
    bars,
    escape,
    notices,
    page,
    percent,
    picture,
    table,
)
from components.evaluate.measure import ClassFigures, PartFigures, Share

FEW_PHOTOS = 200  # below this the interval is more than 10 points wide in most cases
TOP_K = 3
HASH_DIGITS = 12
MIX_UPS = 3  # named above the confusion matrix


@dataclass(frozen=True)
class Answer:
    """The model's answer to one photo of known class."""

    photo: Photo
    part: str
    predicted: str
    probabilities: tuple[float, ...]  # in the model's order of classes
    thumbnail: bytes = b""  # JPEG; only of misclassified photos

    @property
    def right(self) -> bool:
        """True where the predicted class is the photo's."""
        return self.predicted == self.photo.label

    @property
    def confidence(self) -> float:
        """Probability of the predicted class."""
        return max(self.probabilities)


@dataclass(frozen=True)
class Evaluation:
    """Everything that the report shows."""

    model: ModelDescription
    parts: tuple[PartFigures, ...]
    misclassified: tuple[Answer, ...]  # the most confident mistakes first
    cautions: tuple[str, ...] = ()  # what must be said of the photos themselves

    @property
    def overall(self) -> PartFigures:
        """All held-out photos together: the last of the parts."""
        return self.parts[-1]


def render(evaluation: Evaluation) -> str:
    """The report as one self-contained HTML file."""
    model = evaluation.model
    body = [
        notices(rendered=model.rendered, cautions=evaluation.cautions),
        _headline(evaluation.overall.accuracy, len(model.classes)),
        _parts(evaluation),
        _classes(evaluation.overall),
        _confusion(evaluation.overall),
        _mistakes(evaluation),
        _model(model),
    ]
    subtitle = (
        f"Measured on photos that were kept from the training. {model.architecture}, "
        f"{len(model.classes)} classes."
    )
    return page("How good is the model?", subtitle, "\n".join(body))


def _headline(accuracy: Share, classes: int) -> str:
    if not accuracy.total:
        return '<section class="panel hero"><p>No held-out photos were measured.</p></section>'
    chance = 1 / classes
    sentence = (
        f"<strong>{accuracy.count} of {accuracy.total} held-out photos right: "
        f"{percent(accuracy.value)}</strong>, "
        f'<span class="whole">{_interval(accuracy)}</span>'
    )
    return f"""<section class="panel hero" aria-label="Accuracy">
<span class="big" aria-hidden="true">{percent(accuracy.value)}</span>
<p>{sentence}</p>
{_drawn_interval(accuracy, chance)}
{_remark(accuracy)}
<p class="scale">Guessing blindly among {classes} classes would be right {percent(chance)} of the
time.</p>
</section>"""


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


def _parts(evaluation: Evaluation) -> str:
    rows = [
        (
            escape(part.name),
            str(part.accuracy.total),
            str(part.accuracy.count),
            *_share_cells(part.accuracy),
        )
        for part in evaluation.parts
    ]
    headers = ("Part", "Photos", "Right", "Accuracy", "95 % interval", "0 to 100 %")
    caption = "Accuracy of each part. “held out” is all of them together."
    return f"<h2>Parts</h2>{table(caption, headers, rows)}"


def _classes(part: PartFigures) -> str:
    answered = part.confusion.sum(axis=0)
    rows = [
        _class_row(figures, int(count))
        for figures, count in zip(part.classes, answered, strict=True)
    ]
    headers = ("Class", "Photos", "Recall", "95 % interval", "0 to 100 %", "Precision")
    caption = (
        "All held-out photos. Recall: how many photos of the class were recognised. "
        "Precision: how many of the answers that name the class were right."
    )
    return f"<h2>Classes</h2>{table(caption, headers, rows)}"


def _class_row(figures: ClassFigures, answered: int) -> tuple[str, ...]:
    precision = percent(figures.precision) if answered else "never answered"
    cells = _share_cells(figures.recall)
    return escape(figures.label), str(figures.photos), *cells, precision


def _confusion(part: PartFigures) -> str:
    labels = [figures.label for figures in part.classes]
    matrix: list[list[int]] = part.confusion.tolist()
    rows = [
        [escape(label), *(_count(row, column, index) for column in range(len(labels)))]
        for index, (label, row) in enumerate(zip(labels, matrix, strict=True))
    ]
    columns = [f'<span title="{escape(label)}">{escape(label)}</span>' for label in labels]
    caption = (
        "All held-out photos. Rows: what the photo shows. Columns: what the model answered. "
        "Right answers are on the diagonal."
    )
    shaded = table(caption, ["<span>True class</span>", *columns], rows, css="confusion")
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
        f"<b>{escape(true)}</b> taken for <b>{escape(answer)}</b>, {count} times"
        for (true, answer), count in counts.most_common(MIX_UPS)
    )
    return f"<p>Most frequent: {named}.</p>" if named else ""


def _mistakes(evaluation: Evaluation) -> str:
    accuracy = evaluation.overall.accuracy
    wrong, shown = accuracy.total - accuracy.count, len(evaluation.misclassified)
    if not wrong:
        return "<h2>Mistakes</h2><p>None of the held-out photos was misclassified.</p>"
    which = "All of them" if shown >= wrong else f"The {shown} most confident of them"
    cards = "\n".join(
        _card(answer, evaluation.model.classes) for answer in evaluation.misclassified
    )
    return f"""<h2>Mistakes <small>{wrong} of {accuracy.total} photos</small></h2>
<p class="muted">{which}, the most confident mistake first.</p>
<ul class="cards">
{cards}
</ul>"""


def _card(answer: Answer, classes: tuple[str, ...]) -> str:
    photo, label = answer.photo, escape(answer.photo.label)
    scores = dict(zip(classes, answer.probabilities, strict=True))
    top = sorted(scores.items(), key=lambda item: -item[1])[:TOP_K]
    below = ""
    if photo.label in scores and photo.label not in dict(top):
        below = f"<p>The true class got {percent(scores[photo.label])}.</p>"
    about = attribution(photo)
    return (
        f'<li class="card">{picture(answer.thumbnail, f"Photo of {photo.label}")}<div>'
        f"<h3>{label}, taken for {escape(answer.predicted)}</h3>"
        f"{bars(top, photo.label)}{below}"
        f'<p class="source">Part: {escape(answer.part)}</p>{about}</div></li>'
    )


def _model(model: ModelDescription) -> str:
    facts: list[tuple[str, str]] = [
        ("Architecture", escape(model.architecture)),
        ("Input", f"{model.input_size} × {model.input_size} pixels"),
        ("Classes", ", ".join(escape(label) for label in model.classes)),
        ("Trained on", "rendered pictures" if model.rendered else "photographs"),
        ("Pretrained weights", _hash(model.weights_sha256)),
        ("Trained head", _hash(model.head_sha256)),
        ("Training dataset", _hash(model.manifest_sha256)),
        ("Decoder", escape(model.decoder)),
        ("Preprocessing", escape(model.preprocessing)),
        ("Program version", escape(model.version)),
    ]
    if model.fine_tuning is not None:
        steps, layers = (model.fine_tuning.get(f"fine_tune_{name}") for name in ("steps", "layers"))
        facts.append(("Fine-tuning", f"{steps} steps, the top {layers} layers"))
    if model.temperature is not None:
        facts.append(("Temperature", f"{model.temperature:.3g}"))
    if model.unknown is not None:
        facts.append(
            (
                "“None of these”",
                f"probability below {percent(model.unknown.min_probability)} or similarity to "
                f"the {model.unknown.neighbours} nearest training photos below "
                f"{model.unknown.min_similarity:.3f}",
            )
        )
    about = table("What the model is", ("Property", "Value"), facts, css="plain")
    return f"<h2>The model</h2>{about}{_recipe(model.recipe)}{_photos(model)}"


def _hash(sha256: str) -> str:
    return f'<code title="SHA-256 {escape(sha256)}">{escape(sha256[:HASH_DIGITS])}</code>'


def _recipe(recipe: Mapping[str, Any]) -> str:
    rows = [(f"<code>{escape(key)}</code>", escape(value)) for key, value in recipe.items()]
    caption = "The options that it was trained with"
    return table(caption, ("Option", "Value"), rows, css="plain") if rows else ""


def _photos(model: ModelDescription) -> str:
    """Photos of the training dataset by class and part."""
    if not model.photos:
        return ""
    parts = list(model.photos)
    rows = [
        [escape(label), *(str(model.photos[part].get(label, 0)) for part in parts)]
        for label in model.classes
    ]
    totals = (str(sum(model.photos[part].values())) for part in parts)
    headers = ["Class", *(escape(part) for part in parts)]
    return table("Photos of the training dataset", headers, [*rows, ["All", *totals]])
