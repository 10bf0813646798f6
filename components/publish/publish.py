"""Step `publish`: puts a model where it is served from, if it is good enough."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.files import hash_file
from components.common.base.step import step
from components.common.model import layout, references
from components.common.model.description import ModelDescription, read_description
from components.common.model.model_place import METRICS, version_of
from components.common.store import storage
from components.common.untrusted import sealed
from components.publish import change_page, in_bucket, in_folder, licence, model_card, places
from components.publish.compare import compare, read_metrics, why_no_changes
from components.publish.decision import PUBLISH, Decision
from components.publish.memory import Learned, remember
from components.publish.options import PublishOptions, default_name

DECISION, CHANGES = "decision.json", "change.html"
# What is published beside the files of a model.
PAPERS = (
    METRICS,
    DECISION,
    CHANGES,
    model_card.FILE_NAME,
    model_card.EARLIER_NAME,
    licence.FILE_NAME,
)


@step("publish")
def publish_if_good(
    model_dir: Path,
    demo: Path,
    metrics: Path,
    options: PublishOptions,
    output: Path | None = None,
    page: Path | None = None,
    *,
    learned: Learned | None = None,
) -> tuple[Decision, str]:
    """Compare, and publish what is good enough; what is held back is no failure.

    What the run knows is kept for the next one if its model is published, or if it went on with
    what was kept: then no photo has changed its part.

    Args:
        model_dir: the new model.
        demo: dataset of the held-out demo photos.
        metrics: its figures, from the step evaluate.
        options: what is asked of it, and where it goes; without a name it gets that of its
            subject.
        output: JSON file of the decision to write.
        page: HTML file to write, as of `compare`; it goes beside the published model too.
        learned: what the run knows; None: nothing is kept.

    Returns:
        The decision, and the place of the version; empty where it is held back.

    Raises:
        InputError: as `compare` and `publish` do.
        WorkError: as `compare` and `publish` do.
    """
    if not options.name:
        about = read_description(model_dir)
        name = default_name(about.facts.subject, rendered=about.rendered)
        options = dataclasses.replace(options, name=name)
    decided = compare(model_dir, demo, metrics, options, output, page)
    place = ""
    if decided.decision == PUBLISH:
        shown = page.read_text(encoding="utf-8") if page and page.is_file() else ""
        place = publish(
            model_dir, metrics, decided, options.publish_dir, name=options.name, changes=shown
        )
    if learned and (place or learned.seen):
        remember(places.root_of(options.publish_dir, options.name), learned)
    return decided, place


def publish(
    model_dir: Path,
    metrics: Path,
    decision: Decision,
    publish_dir: Path | str,
    *,
    name: str,
    changes: str = "",
) -> str:
    """Copy the model to `publish_dir/name/version/` and point `latest.json` at it, last.

    With it go its figures, the decision and a model card. The same model published twice is the
    same version, and a version is never overwritten. Before the pointer moves, the SavedModel gets
    the next number in `publish_dir/name/serving/`, for TensorFlow Serving and KServe.

    Args:
        model_dir: the model.
        metrics: its figures, from the step evaluate.
        decision: of the step compare, about this model and name.
        publish_dir: folder of published models, gs://… or s3://….
        name: what it is published as.
        changes: page of what has changed since the version before; empty for none.

    Returns:
        The place of the version.

    Raises:
        InputError: no model, a damaged one, metrics or a decision about another model, a decision
            to hold it back, no folder or bucket, or a name that is no plain folder name.
        WorkError: since the decision another model was published as `name`, the store cannot be
            reached, or the disk is full.
    """
    root = places.root_of(publish_dir, name)
    description, figures = checked(model_dir, metrics, decision, name)
    version = decision.version
    if not changes and (model_dir / CHANGES).is_file():  # of an earlier publication of this folder
        reason = why_no_changes(decision) or "no page was made"
        changes = change_page.render_nothing(reason)
    papers = papers_of(model_dir, figures, decision, changes)
    pointer = pointer_of(version, description, figures)
    champion = decision.champion
    if storage.is_uri(root):
        done = in_bucket.put(root, version, model_dir, papers, pointer, champion=champion)
    else:
        done = in_folder.put(Path(root), version, model_dir, papers, pointer, champion=champion)
    if not done:
        raise WorkError(
            f"another model was published as {name} since this one was compared with "
            f"{decision.champion or 'none'}: run again to compare this one with that one"
        )
    return f"{root}/{version}"


def pointer_of(
    version: str, description: ModelDescription, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """What `latest.json` says of a version."""
    return {
        "version": version,
        "classes": list(description.classes),
        "accuracy": figures["accuracy"],
        "accuracy_low": figures["accuracy_low"],
    }


def checked(
    model_dir: Path, metrics: Path, decision: Decision, name: str
) -> tuple[ModelDescription, dict[str, Any]]:
    """Description and figures of a model that this decision lets be published, undamaged.

    Raises:
        InputError: as `publish` does.
    """
    description = read_description(model_dir)
    figures = read_metrics(metrics, description)
    _check(decision, version_of(description), name)
    _refuse_links(model_dir)
    description.check_files(model_dir, but=PAPERS)
    return description, figures


def papers_of(
    model_dir: Path, figures: dict[str, Any], decision: Decision, changes: str = ""
) -> dict[str, str]:
    """Figures, decision, model card, licences and the page of what has changed, by file name.

    Args:
        model_dir: the folder that they go into, with the files of the model.
        figures: of the model.
        decision: to publish it.
        changes: HTML of the page of what has changed; empty: there is none.

    Raises:
        InputError: `model.json` was not written by a training.
    """
    description = read_description(model_dir)
    photos = references.References(model_dir / layout.REFERENCES).photos
    papers = {
        METRICS: sealed.text(figures),
        DECISION: decision.to_json(),
        licence.FILE_NAME: model_card.render_licence(description, photos),
    }
    papers |= {CHANGES: changes} if changes else {}
    files = sorted(path for path in model_dir.rglob("*") if path.is_file())
    hashes = {path.relative_to(model_dir).as_posix(): hash_file(path) for path in files}
    for name in PAPERS:  # of an earlier publication of the same folder
        hashes.pop(name, None)
    hashes |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in papers.items()}
    try:
        card = model_card.render(
            description, figures, photos, decision, dict(sorted(hashes.items()))
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{layout.DESCRIPTION} was not written by a training, so no model card can be made "
            f"from it: {error}"
        ) from error
    return {**papers, model_card.FILE_NAME: card, model_card.EARLIER_NAME: card}


def _check(decision: Decision, version: str, name: str) -> None:
    if (decision.version, decision.name) != (version, name):
        raise InputError(
            f"the decision is about the model {decision.version} as {decision.name}, not about "
            f"{version} as {name}: compare this one first"
        )
    if decision.decision != PUBLISH:
        raise InputError(f"the model is held back: {decision.reason}")


def _refuse_links(folder: Path) -> None:
    """A link in a model folder could bring any file of this machine into the published one.

    A pipe or a device would never end.
    """
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            what = "a link" if path.is_symlink() else "not a regular file"
            raise InputError(f"{path} is {what}: a model folder holds files and folders only")
