"""The new model beside the published one, on the same photos: which is to serve?"""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.files import hash_file, write_file
from components.common.base.step import log, warn
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.model.description import ModelDescription
from components.common.model.model import Model
from components.common.model.model_place import (
    CROSS_VALIDATED,
    EFFECTIVE_PHOTOS,
    version_of,
)
from components.common.untrusted import sealed
from components.publish import change_page, changes, paired, places
from components.publish import decision as decisions
from components.publish.changes import Changes
from components.publish.dangers import Dangers
from components.publish.decision import Decision
from components.publish.options import PublishOptions
from components.publish.paired import Comparison
from components.publish.recalls import Recalls

MAX_PROBLEM = 300  # characters of what is wrong with a stranger's model


def compare(
    model_dir: Path,
    demo: Path,
    metrics: Path,
    options: PublishOptions,
    output: Path | None = None,
    page: Path | None = None,
) -> Decision:
    """Ask both models about the demo photos, and decide which is to be published.

    Args:
        model_dir: the new model, the challenger.
        demo: dataset of photos that neither model should have seen; those that one was made of
            are left out.
        metrics: figures of the new model, from the step evaluate.
        options: what is asked of the model; the champion is the one published in their place
            under their name.
        output: JSON file of the decision to write.
        page: HTML file to write, of what has changed since the published model. Without a published
            model that can be asked there is none, and an earlier file there is removed.

    Raises:
        InputError: an option that makes no sense, no model, photos or figures of this model, or no
            such bucket.
        WorkError: the store cannot be reached.
    """
    options.check()
    root = places.root_of(options.publish_dir, options.name)
    challenger, photos = Model(model_dir), Dataset(demo)
    figures = read_metrics(metrics, challenger.description)
    known = Decision(
        decision=decisions.HOLD,
        reason="",
        name=options.name,
        version=version_of(challenger.description),
        accuracy=figures["accuracy"],
        accuracy_low=figures["accuracy_low"],
        recalls=_recalls(challenger.classes, figures),
        cross_validated=figures.get("basis") == CROSS_VALIDATED,
        demo_accuracy_high=figures["demo_accuracy_high"] if figures.get("demo_photos") else 1.0,
        min_accuracy=options.min_accuracy,
        min_macro_recall=options.min_macro_recall,
        min_class_recall=options.min_class_recall,
        dangers=Dangers.of(figures),
        max_dangerous=options.max_dangerous,
        max_regression=options.max_regression,
        demo_manifest_sha256=hash_file(demo / MANIFEST),
        champion=places.published_version(root),
    )
    changed = None
    if known.champion != known.version:
        with tempfile.TemporaryDirectory() as scratch:
            known, changed = _beside_champion(known, challenger, photos, root, Path(scratch))
    decided = decisions.weigh(known)
    if page and changed:
        write_file(page, change_page.render(changed, decided), what="the page of changes")
    elif page:
        if page.is_file():  # of an earlier comparison: it would pass for the page of this one
            page.unlink()
        log.info("no page of changes: %s", why_no_changes(decided))
    if output:
        log.info("%s: %s", decided.decision, decided.reason)
        write_file(output, decided.to_json(figures), what="the decision")
    return decided


def read_metrics(path: Path, model: ModelDescription) -> dict[str, Any]:
    """The figures of `evaluate` on this model.

    Raises:
        InputError: the file is missing or damaged, holds no accuracy with its interval, or is of
            another model.
    """
    figures = sealed.read(path, sealed.METRICS)
    try:
        low, accuracy = figures["accuracy_low"], figures["accuracy"]
        if not (figures.get("held_out_photos") or figures.get("cross_validated_photos")):
            raise ValueError("it has no figures of held-out photos (test part and demo photos)")
        if not 0 <= low <= accuracy <= 1:
            raise ValueError(f"accuracy_low {low} and accuracy {accuracy} make no sense")
        _recalls(model.classes, figures)
        if not 0 <= figures.get("demo_accuracy_high", 1.0) <= 1:
            raise ValueError("demo_accuracy_high makes no sense")
        Dangers.of(figures)
    except KeyError as error:
        raise InputError(f"{path} is not a metrics file of evaluate: it lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is not a metrics file of the step evaluate: {error}") from error
    own = (model.head_sha256, model.identity)
    if (figures.get("head_sha256"), figures.get("model_sha256", model.identity)) != own:
        raise InputError(f"{path} holds the figures of another model, not of the one to publish")
    return figures


def _recalls(classes: Sequence[str], figures: Mapping[str, Any]) -> Recalls:
    return Recalls.of(classes, figures["confusion"], figures.get(EFFECTIVE_PHOTOS))


def _beside_champion(
    known: Decision, challenger: Model, photos: Dataset, root: str, scratch: Path
) -> tuple[Decision, Changes | None]:
    """The decision with the answers of both, or with why the champion could not be asked.

    With it comes what has changed, where both were asked.
    """
    try:
        folder = places.published(root, scratch)
        if folder is None:
            return known, None
        champion = Model(folder)
        if not set(champion.classes) & set(challenger.classes):
            raise InputError(decisions.OTHER_CLASSES)
        fair = paired.unseen(photos.photos, [folder])
    except InputError as error:
        return _unreadable(known, error, root), None
    fair = paired.unseen(fair, [challenger.directory])
    # First the new model: what is wrong with the photos is not to be blamed on the other.
    labels = sorted({*champion.classes, *challenger.classes})
    what = "compare: photos shown to the {} model"
    told = list(paired.answers(challenger, photos, fair, labels, what.format("new")))
    new, rows = [answer for answer, _ in told], [row for _, row in told]
    try:
        shown = paired.answers(champion, photos, fair, labels, what.format("published"))
        old, distances = paired.beside(shown, rows)
    except (InputError, ValueError, RuntimeError, LookupError, TypeError) as error:
        # LiteRT and numpy say many things of a damaged one
        return _unreadable(known, error, root), None
    asked = {photo.label for photo in fair}
    compared = Comparison(
        len(fair),
        *paired.tally(old, new),
        left_out=len(photos.photos) - len(fair),
        champion_lacks=tuple(sorted(asked - set(champion.classes))),
        challenger_lacks=tuple(sorted(set(champion.classes) - set(challenger.classes))),
    )
    changed = changes.between(champion, challenger, compared, photos, fair, old, new, distances)
    return dataclasses.replace(known, comparison=compared), changed


def say_without_changes(decided: Decision, page: Path) -> None:
    """Write a line where there is no page of changes: Kubeflow shows an error for a missing one."""
    if reason := why_no_changes(decided):
        write_file(page, change_page.render_nothing(reason), what="the page of changes")


def why_no_changes(decided: Decision) -> str:
    """Why there is nothing to say of what has changed, in words; empty where there is."""
    if decided.comparison:
        return ""
    if decided.champion_problem:
        return f"the published model could not be asked ({decided.champion_problem})"
    if decided.champion:
        return "this same model is published already"
    return f"no model was published as {decided.name} before"


def _unreadable(known: Decision, error: Exception, root: str) -> Decision:
    """The decision with what is wrong with the published model, without places of this machine."""
    problem = str(error).replace(f"{root}/", "").replace(root, known.name)
    problem = "".join(filter(str.isprintable, problem))[:MAX_PROBLEM]
    warn(f"no comparison with the published model: {problem}")
    return dataclasses.replace(known, champion_problem=problem)
