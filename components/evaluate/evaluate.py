"""Step `evaluate`: how good is the model, on photos that it never saw? It only measures."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.common.base.errors import InputError
from components.common.base.files import write_file
from components.common.base.step import doing, step, warn
from components.common.dataset.vocabulary import (
    DEMO,
    DOUBTFUL_SUBJECT,
    OTHER_CLASS,
    TEST,
)
from components.common.model import answer_counts
from components.common.model.answer_counts import AnswerCounts
from components.common.model.learned import Learned
from components.common.model.model import TOP_K, Model
from components.common.model.model_place import CROSS_VALIDATED, EFFECTIVE_PHOTOS
from components.common.pages import training_curves
from components.common.pages.training_curves import Phase
from components.common.untrusted import sealed
from components.evaluate import cross_validated, dangers
from components.evaluate.answers import (
    Source,
    ask,
    dataset_source,
    folder_source,
    known_photos,
    mistakes,
    outcomes,
    warn_of,
)
from components.evaluate.cautions import cautions
from components.evaluate.cross_validated import CrossValidated
from components.evaluate.curves import Roc, micro_roc, risk_coverage
from components.evaluate.evaluation import (
    FOLDER,
    HELD_OUT,
    LEARNED,
    EvaluatedPhoto,
    Evaluation,
    Unusable,
)
from components.evaluate.measure import Outcomes, PartFigures, interval, measure_part
from components.evaluate.report import render

FLAGGED = frozenset({OTHER_CLASS, DOUBTFUL_SUBJECT})  # by curation, in parts that it does not prune
# The figures that KFP compares runs by; its table has a row for each. All are in the metrics file.
COMPARED = (
    *("accuracy", "accuracy_low", "accuracy_high", "photos"),
    *("macro_recall", "log_loss", "dangerous_rate"),
)


@step("evaluate")
def evaluate(
    model_dir: Path,
    training: Path | None,
    demo: Path | None,
    metrics: Path,
    html: Path,
    *,
    folder: Path | None = None,
) -> Evaluation:
    """Measure the model on the test part, the demo photos and a labelled folder.

    Where the model's head learned from the test part as well, that part is answered by the head
    that was trained without it, and the report goes into the cross-validation of the recipe.

    Args:
        model_dir: the model.
        training: dataset that the model was trained on, whose test part is used; None for none.
        demo: dataset of the held-out demo photos; None for none.
        metrics: JSON file of figures to write, finite numbers only.
        html: self-contained report to write.
        folder: folder with one subfolder of photos per class; None for none. Its photos are
            measured on their own, not as held-out ones, and apart from them those that the model
            was made of, which prove nothing.

    Raises:
        InputError: no model, no photos, or photos of classes that the model does not know.
    """
    model = Model(model_dir)
    tested = Model(model_dir, measured=True) if model.description.measured else model
    sources, held_out = [], []
    for path, part, asked in ((training, TEST, tested), (demo, DEMO, model)):
        if path is not None:
            sources.append(dataset_source(path, part, model.classes))
            held_out += ask(asked, sources[-1])[0]
    recipe = None
    if training and (recipe := cross_validated.read(model, training)):
        sources.append(recipe.source(training))
    own: list[EvaluatedPhoto] = []
    unusable: list[Unusable] = []
    seen: frozenset[str] = frozenset()
    if folder is not None:
        source, unusable = folder_source(folder, model.classes)
        own, bad = ask(model, source)
        unusable += bad
        seen = _seen_before(model, source)
        for caution in cautions([], len(seen), len(own)):
            warn(caution.text)
        warn_of(unusable)
        sources.append(source)
    if not (held_out or own or (recipe and model.description.measured)):
        raise InputError(_nothing_to_measure(training, demo, folder, unusable))
    result = _evaluation(model, sources, recipe, held_out, own, seen, unusable)
    doing("evaluate: write the report")
    sealed.dump(metrics, {**sealed.METRICS.head, **figures(result)}, what="the metrics")
    write_file(html, render(result), what="the report")
    return result


def _evaluation(
    model: Model,
    sources: Sequence[Source],
    recipe: CrossValidated | None,
    held_out: list[EvaluatedPhoto],
    own: list[EvaluatedPhoto],
    seen: Collection[str],
    unusable: Iterable[Unusable],
) -> Evaluation:
    """The figures of all parts.

    The report goes into the cross-validation where the model's head learned from all that was
    measured so; else into the held-out photos where there are any, else into those of the folder
    that the model never saw.

    Args:
        model: that answered.
        sources: of the photos.
        recipe: what cross-validation answered; None where it was not made.
        held_out: answers to the photos of datasets.
        own: answers to the photos of the folder.
        seen: paths of the folder's photos that the model was made of.
        unusable: files that were left out.
    """

    def measured(name: str, answers: Sequence[EvaluatedPhoto]) -> PartFigures:
        return measure_part(name, model.classes, arrays(answers))

    def arrays(answers: Sequence[EvaluatedPhoto]) -> Outcomes:
        # A head that had no rule gives no familiarity.
        rule = model.description.unknown is not None
        rule = rule and all(answer.familiarity is not None for answer in answers)
        return outcomes(answers, model.classes, rule=rule)

    parts = [measure_part(CROSS_VALIDATED, model.classes, recipe.outcomes)] if recipe else []
    parts += [
        measured(source.part, [answer for answer in held_out if answer.part == source.part])
        for source in sources
        if source.part not in (FOLDER, CROSS_VALIDATED)
    ]
    by_recipe = recipe if model.description.measured else None
    if held_out and not by_recipe:
        parts.append(measured(HELD_OUT, held_out))
    new = [answer for answer in own if answer.photo.path not in seen]
    learned = [answer for answer in own if answer.photo.path in seen]
    parts += [measured(name, rows) for name, rows in ((FOLDER, new), (LEARNED, learned)) if rows]
    main = held_out or new or learned
    name = HELD_OUT if held_out else FOLDER if new else LEARNED
    photos = [answer.photo for answer in main]
    of_demo = [answer for answer in held_out if answer.part == DEMO]
    if by_recipe:
        name, photos = CROSS_VALIDATED, list(by_recipe.photos)
        main = [*by_recipe.answers(model.classes), *of_demo]
    unflagged = np.array([not FLAGGED & set(photo.flags) for photo in photos])
    if by_recipe:
        found, unflagged = by_recipe.outcomes, unflagged & by_recipe.in_dataset
        kept = by_recipe.only(unflagged)
    else:
        found = arrays(main)
        kept = arrays([answer for answer, good in zip(main, unflagged, strict=True) if good])
    facts = model.description.facts
    return Evaluation(
        model=model.description,
        parts=tuple(parts),
        overall=next(part for part in parts if part.name == name),
        outcomes=found,
        curated=None
        if unflagged.all() or not unflagged.any()
        else measure_part("curated", model.classes, kept),
        mistakes=mistakes(main, sources, model.classes, facts, model),
        dangers=dangers.measure(found, model.classes, facts),
        own_dangers=dangers.measure(arrays(of_demo), model.classes, facts) if by_recipe else None,
        cautions=cautions(photos, len(learned), len(own), facts=facts),
        seen=len(learned),
        unusable=tuple(unusable),
        curves=_curves(model),
        asked=len(main),
        wrong=sum(not answer.right for answer in main),
        unsteady=sum(answer.right and bool(answer.wrong_answers) for answer in main),
        demo_answers=_counted(of_demo),
    )


def _counted(answers: Sequence[EvaluatedPhoto]) -> AnswerCounts | None:
    """The answers as numbers alone; None without any."""
    counts = AnswerCounts()
    for answer in answers:
        counts.add(None if answer.unknown else answer.predicted, answer.familiarity)
    return counts if answers else None


def _nothing_to_measure(
    training: Path | None, demo: Path | None, folder: Path | None, unusable: Sequence[Unusable]
) -> str:
    """Why there is nothing to measure, and what to do."""
    if folder is None and training is None and demo is None:
        return "no photos to measure the model: give datasets (training, demo) or a labelled folder"
    if folder is None:
        return "there are no test photos and no demo photos to measure the model"
    problem = f"there are no usable photos in the class folders of {folder}"
    if not unusable:
        return problem
    first = unusable[0]
    return f"{problem}: left out {len(unusable)}, such as {first.name} ({first.reason})"


def _curves(model: Model) -> tuple[Phase, ...]:
    """The training's curves; empty where the model has none."""
    if sealed.CURVES_FILE not in model.description.files:
        return ()
    path = model.description.check_file(model.directory, sealed.CURVES_FILE)
    try:
        return tuple(training_curves.phases(sealed.read(path, sealed.CURVES)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} was not written by a training: {error}") from error


def _seen_before(model: Model, source: Source) -> frozenset[str]:
    """The paths of the folder's photos that the model was made of."""
    return known_photos(source, Learned(model.directory, model.description))


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """The metrics file: finite numbers, the classes, and the confusion matrix.

    `accuracy` and all that names no part is over the photos that the report goes into, `basis`;
    `accuracy_low` and `accuracy_high` are its 95 % Wilson interval, that of `effective_photos`
    independent ones. What cannot be told, such as
    `unknown_rate` without a rule, is not there.
    """
    overall = evaluation.overall
    result: dict[str, Any] = {
        **interval("accuracy", overall.accuracy),
        **interval(f"top{TOP_K}_accuracy", overall.top_k),
        "effective_photos": overall.accuracy.effective,
        "macro_recall": overall.macro_recall,
        "macro_recall_low": overall.macro_recall_interval[0],
        "macro_recall_high": overall.macro_recall_interval[1],
        "macro_f1": overall.macro_f1,
        "auroc_macro": overall.macro_auroc,
        "average_precision_macro": overall.macro_average_precision,
        "aurc": risk_coverage(evaluation.outcomes).area,
    }
    for suffix, quality in (("", overall.calibrated), ("_uncalibrated", overall.uncalibrated)):
        if quality is not None:
            result[f"log_loss{suffix}"] = quality.log_loss
            result[f"brier{suffix}"] = quality.brier
            result[f"ece{suffix}"] = quality.calibration_error
    if overall.unknown is not None and overall.answered is not None:
        result |= interval("unknown_rate", overall.unknown)
        if overall.answered.total:
            result |= interval("answered_accuracy", overall.answered)
    for part in evaluation.parts:
        name = part.name.replace(" ", "_").replace("-", "_")
        result |= interval(f"{name}_accuracy", part.accuracy)
        result[f"{name}_photos"] = part.photos
    result |= dangers.figures(evaluation.dangers)
    result |= dangers.figures_of_demo(evaluation.own_dangers)
    if evaluation.curated is not None:
        result |= interval("curated_accuracy", evaluation.curated.accuracy)
        result["curated_photos"] = evaluation.curated.photos
    if evaluation.seen:
        result["folder_photos_seen"] = evaluation.seen
    if evaluation.unusable:
        result["unusable_files"] = len(evaluation.unusable)
    result["head_sha256"] = evaluation.model.head_sha256  # whose figures these are
    result["model_sha256"] = evaluation.model.identity or None
    result |= {"basis": overall.name, "rounds": overall.rounds, "photos": overall.photos}
    result["classes"] = list(evaluation.model.classes)
    result["confusion"] = overall.confusion.tolist()
    if evaluation.demo_answers:
        result[answer_counts.FIELD] = evaluation.demo_answers.to_json()
    result[EFFECTIVE_PHOTOS] = [one.recall.effective for one in overall.classes]
    return {name: value for name, value in result.items() if value is not None}


def roc_curve(evaluation: Evaluation) -> tuple[list[float], list[float], list[float]]:
    """False positive rates, recalls and thresholds, micro-averaged over the classes, all finite."""
    curve: Roc = micro_roc(evaluation.outcomes)
    return curve.false_positive_rate.tolist(), curve.recall.tolist(), curve.threshold.tolist()
