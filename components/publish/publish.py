"""Step `publish`: copies a model that was found good enough to where it is served from."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.common import model, references
from components.common.errors import InputError, WorkError
from components.common.files import atomic_directory, write_file
from components.common.model_place import LATEST, METRICS
from components.common.step import log, step
from components.publish import model_card, places
from components.publish.compare import read_metrics
from components.publish.decision import PUBLISH, Decision

DECISION = "decision.json"


@step("decide")
def decide(decision: Path) -> str:
    """The word of the step compare, "publish" or "hold", for the pipeline's condition.

    Raises:
        InputError: there is no decision.
    """
    decided = Decision.read(decision)
    log.info("%s: %s", decided.decision, decided.reason)
    return decided.decision


@step("publish")
def publish(
    model_dir: Path, metrics: Path, decision: Decision, publish_dir: Path | str, *, name: str
) -> Path:
    """Copy the model to `publish_dir/name/version/` and point `latest.json` at it, last.

    With it go its figures, the decision and a model card. The same model published twice is the
    same version, and a version is never overwritten.

    Args:
        model_dir: the model.
        metrics: its figures, from the step evaluate.
        decision: of the step compare, about this model and name.
        publish_dir: folder of published models.
        name: what it is published as.

    Returns:
        The folder of the version.

    Raises:
        InputError: no model, metrics or a decision about another model, a decision to hold it
            back, no folder, or a name that is no plain folder name.
        WorkError: since the decision another model was published as `name`.
    """
    root = places.root_of(publish_dir, name)
    description = model.read_description(model_dir)
    figures = read_metrics(metrics, description.head_sha256)
    version = places.version_of(description)
    _check(decision, version, name)
    _refuse_links(model_dir)
    root.mkdir(parents=True, exist_ok=True)
    with _alone_in(root):
        if places.published_version(root) not in (decision.champion, version):
            raise WorkError(
                f"another model was published as {name} since this one was compared with "
                f"{decision.champion or 'none'}: run again, to compare it with that one"
            )
        target = root / version
        if not (target / model.DESCRIPTION).is_file():
            with atomic_directory(
                target, what="the published model", marker=model.DESCRIPTION
            ) as new:
                shutil.copytree(model_dir, new, dirs_exist_ok=True)
                _add_papers(new, figures, decision)
        pointer = {
            "version": version,
            "classes": list(description.classes),
            "accuracy": figures["accuracy"],
            "accuracy_low": figures["accuracy_low"],
        }
        write_file(root / LATEST, json.dumps(pointer, indent=2) + "\n", what="the pointer")
    return target


def _add_papers(folder: Path, figures: dict[str, Any], decision: Decision) -> None:
    """Figures, decision and model card, beside the files of the model."""
    (folder / METRICS).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (folder / DECISION).write_text(decision.to_json(), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): _sha256(path) for path in files}
    description = model.read_description(folder)
    photos = references.References(folder / model.REFERENCES).photos
    try:
        card = model_card.render(description, figures, photos, decision, hashes)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{model.DESCRIPTION} holds what no training wrote, and no model card can be made of "
            f"it: {error}"
        ) from error
    (folder / model_card.FILE_NAME).write_text(card, encoding="utf-8")


def _check(decision: Decision, version: str, name: str) -> None:
    if (decision.version, decision.name) != (version, name):
        raise InputError(
            f"the decision is about the model {decision.version} as {decision.name}, not about "
            f"{version} as {name}: compare this one first"
        )
    if decision.decision != PUBLISH:
        raise InputError(f"the model is held back: {decision.reason}")


def _refuse_links(folder: Path) -> None:
    """A link in a model folder could bring any file of this machine into the published one."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise InputError(f"{path} is a link: a model folder holds files and folders only")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process of this machine publishes into the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the descriptor, however this ends
        yield
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
