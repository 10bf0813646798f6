"""Step `evaluate`: how good is the model, on photos that it never saw? It only measures."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from components.common import images, licences
from components.common.dataset import Dataset
from components.common.errors import InputError
from components.common.files import write_file
from components.common.model import Model
from components.common.photo import DOUBTFUL_SUBJECT, OTHER_CLASS, SEEN_BY_BACKBONE, Photo
from components.common.splits import DEMO, TEST
from components.common.step import Progress, step
from components.evaluate.measure import PartFigures, measure_part
from components.evaluate.report import Answer, Evaluation, render

THUMBNAIL_SIDE = 160  # pixels
MAX_MISCLASSIFIED = 200  # shown in the report: bounds its size


@step("evaluate")
def evaluate(model_dir: Path, training: Path, demo: Path, metrics: Path, html: Path) -> Evaluation:
    """Measure the model on the test part and the demo photos.

    Args:
        model_dir: the model.
        training: dataset whose test part is used.
        demo: dataset of the held-out demo photos.
        metrics: JSON file of figures to write, finite numbers only.
        html: self-contained report to write.

    Raises:
        InputError: no model, no photos, or photos of classes that the model does not know.
    """
    model = Model(model_dir)
    classes = model.description.classes
    answers = [
        *_answers(model, Dataset(training), TEST),
        *_answers(model, Dataset(demo), DEMO),
    ]
    if not answers:
        raise InputError("there are no test photos and no demo photos to measure the model on")
    parts = [
        _measure(name, classes, [answer for answer in answers if answer.part == name])
        for name in (TEST, DEMO)
    ]
    parts.append(_measure("held out", classes, answers))
    wrong = sorted(
        (answer for answer in answers if not answer.right),
        key=lambda answer: (-answer.confidence, answer.photo.sha256),
    )
    result = Evaluation(
        model.description,
        tuple(parts),
        tuple(wrong[:MAX_MISCLASSIFIED]),
        cautions(answer.photo for answer in answers),
    )
    write_file(metrics, json.dumps(figures(result), indent=2) + "\n", what="the metrics")
    write_file(html, render(result), what="the report")
    return result


def cautions(photos: Iterable[Photo]) -> tuple[str, ...]:
    """What a reader must know of the photos that were measured on."""
    measured = list(photos)
    said = []
    bound = sum(licences.is_non_commercial(photo.licence) for photo in measured)
    if bound:
        which = "All" if bound == len(measured) else bound
        said.append(
            f"{which} of these {len(measured)} photos may be used for non-commercial purposes only."
        )
    seen = sorted({photo.label for photo in measured if SEEN_BY_BACKBONE in photo.flags})
    if seen:
        said.append(
            f"The pretrained network was itself trained on ImageNet photos of {', '.join(seen)}: "
            "the figures of these classes are better than they would be on photos that are new "
            "to it."
        )
    for flag, looks in (
        (OTHER_CLASS, "look like another of the classes"),
        (DOUBTFUL_SUBJECT, "perhaps show no mushroom"),
    ):
        count = sum(flag in photo.flags for photo in measured)
        if count:
            said.append(
                f"{count} of these {len(measured)} photos {looks}, by the review page "
                "curation.html: they are counted as they are labelled."
            )
    return tuple(said)


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """The metrics file: accuracies with their intervals, and the confusion of all held-out photos.

    `accuracy` is over test and demo photos together, `accuracy_low` and `accuracy_high` its 95 %
    Wilson interval.
    """
    overall = evaluation.overall
    result: dict[str, Any] = {
        "accuracy": overall.accuracy.value,
        "accuracy_low": overall.accuracy.low,
        "accuracy_high": overall.accuracy.high,
        "macro_recall": sum(one.recall.value for one in overall.classes) / len(overall.classes),
    }
    for part in evaluation.parts:
        name = part.name.replace(" ", "_")
        result[f"{name}_accuracy"] = part.accuracy.value
        result[f"{name}_accuracy_low"] = part.accuracy.low
        result[f"{name}_accuracy_high"] = part.accuracy.high
        result[f"{name}_photos"] = part.accuracy.total
    result["head_sha256"] = evaluation.model.head_sha256  # whose figures these are
    result["classes"] = list(evaluation.model.classes)
    result["confusion"] = overall.confusion.tolist()
    return result


def _answers(model: Model, dataset: Dataset, part: str) -> list[Answer]:
    """The model's answers to the photos of one part, with thumbnails of the mistakes."""
    photos = [photo for photo in dataset.photos if photo.split == part]
    unknown = sorted({photo.label for photo in photos} - set(model.description.classes))
    if unknown:
        raise InputError(f"the model does not know the classes {unknown} of {dataset.path}")
    classes: Sequence[str] = model.description.classes
    answers = []
    progress = Progress(f"evaluate {part}", len(photos))
    predictions = progress.over(model.predict(dataset.read(photo) for photo in photos))
    for photo, probabilities in zip(photos, predictions, strict=True):
        predicted = classes[int(probabilities.argmax())]
        small = b""
        if predicted != photo.label:
            small = images.thumbnail(dataset.read(photo), THUMBNAIL_SIDE)
        answers.append(Answer(photo, part, predicted, tuple(map(float, probabilities)), small))
    return answers


def _measure(name: str, classes: Sequence[str], answers: Sequence[Answer]) -> PartFigures:
    true = [answer.photo.label for answer in answers]
    return measure_part(name, classes, true, [answer.predicted for answer in answers])
