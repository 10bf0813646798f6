"""Step `publish`: is the model good enough? Then copy it to where it is served from."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from components.common import model
from components.common.errors import InputError
from components.common.files import atomic_directory, write_file
from components.common.step import log, step

MIN_ACCURACY = 0.6
PUBLISH, HOLD = "publish", "hold"
LATEST = "latest.json"
METRICS = "metrics.json"
VERSION_DIGITS = 12


@step("decide")
def decide(metrics: Path, min_accuracy: float = MIN_ACCURACY) -> str:
    """Say "publish" when the accuracy's 95 % interval lies above `min_accuracy`, else "hold".

    The lower bound decides: 9 right of 10 is no proof of 80 %.

    Raises:
        InputError: no metrics file, or a `min_accuracy` outside 0 to 1.
    """
    check_min_accuracy(min_accuracy)
    figures = read_metrics(metrics)
    decision = PUBLISH if figures["accuracy_low"] >= min_accuracy else HOLD
    log.info(
        "accuracy %.3f, lower bound %.3f, wanted %.3f: %s",
        figures["accuracy"],
        figures["accuracy_low"],
        min_accuracy,
        decision,
    )
    return decision


@step("publish")
def publish(model_dir: Path, metrics: Path, publish_dir: Path, *, name: str) -> Path:
    """Copy the model to `publish_dir/name/version/` and point `latest.json` at it, last.

    The version is a hash of the head and of the manifest it was trained on: the same model
    published twice is the same version, and a version is never overwritten.

    Returns:
        The folder of the version.

    Raises:
        InputError: no model, no metrics or those of another model, no folder, or a name that is
            no plain folder name.
    """
    check_name(name)
    if publish_dir == Path():
        raise InputError("no folder to publish into was given: set publish_dir")
    description = model.read_description(model_dir)
    figures = read_metrics(metrics)
    if figures.get("head_sha256") != description.head_sha256:
        raise InputError(f"the figures in {metrics} are of another model than {model_dir}")
    # Of the weights and of the photos with their credits: another provenance is another version.
    content = f"{description.head_sha256} {description.manifest_sha256}"
    version = hashlib.sha256(content.encode()).hexdigest()[:VERSION_DIGITS]
    target = publish_dir / name / version
    if not (target / model.DESCRIPTION).is_file():
        with atomic_directory(target, what="the published model", marker=model.DESCRIPTION) as new:
            shutil.copytree(model_dir, new, dirs_exist_ok=True)
            (new / METRICS).write_text(json.dumps(figures, indent=2) + "\n")
    pointer = {
        "version": version,
        "classes": list(description.classes),
        "accuracy": figures["accuracy"],
        "accuracy_low": figures["accuracy_low"],
    }
    write_file(
        publish_dir / name / LATEST, json.dumps(pointer, indent=2) + "\n", what="the pointer"
    )
    return target


def check_min_accuracy(min_accuracy: float) -> None:
    """Raise `InputError` unless `min_accuracy` is a share."""
    if not 0 <= min_accuracy <= 1:
        raise InputError(f"--min_accuracy is {min_accuracy}: expected 0 to 1")


def check_name(name: str) -> None:
    """Raise `InputError` unless `name` is a plain folder name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise InputError(f"--name is {name!r}: expected letters, digits, dots, dashes, underscores")


def read_metrics(path: Path) -> dict[str, Any]:
    """The figures of `evaluate`.

    Raises:
        InputError: the file is missing or holds no accuracy with its interval.
    """
    try:
        figures: dict[str, Any] = json.loads(path.read_text())
        low, accuracy = figures["accuracy_low"], figures["accuracy"]
        if not 0 <= low <= accuracy <= 1:
            raise ValueError(f"accuracy_low {low} and accuracy {accuracy} make no sense")
    except KeyError as error:
        raise InputError(f"{path} is no metrics file of evaluate: it lacks {error}") from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} is no metrics file of the step evaluate: {error}") from error
    return figures
