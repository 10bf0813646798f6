"""A published model as a folder that the Hugging Face Hub takes: `publish --to hf-folder`.

It holds the version, file for file but for the page of what has changed, which shows photos, and
its Keras model unpacked beside it: that is how Keras reads a repository of the Hub
(`keras.saving.load_model("hf://you/name")`). Nothing is sent anywhere, and no token is asked for:
`hf upload` does that.
"""

import contextlib
import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.files import atomic_directory
from components.common.base.step import warn
from components.common.base.wording import counted
from components.common.model import layout, references
from components.common.model.description import ModelDescription
from components.common.model.model_place import FILE_MAX_BYTES, METRICS, pinned
from components.common.store import storage
from components.publish.decision import Decision
from components.publish.model_card import EARLIER_NAME
from components.publish.model_card import KERAS_CONFIG as CONFIG
from components.publish.publish import DECISION, PAPERS, checked, papers_of

FORM = "hf-folder"  # as the option calls it, and the folder by default
# Of a .keras file, and at most so many bytes of each.
_KERAS_FILES = {
    CONFIG: 64 * 1024**2,
    "metadata.json": 1024**2,
    "model.weights.h5": FILE_MAX_BYTES,
}
OURS = "wild_mushrooms"  # field of config.json; by it an earlier folder of ours is known
MAX_FILES = 1000  # of a version in a bucket; it has about 25
RUN_SUMMARY = "summary.json"  # of a finished run
EXPECTED = (
    "expected a run that published its model, such as runs/latest, or what publish wrote, such as "
    "runs/published/mushrooms, gs://bucket/mushrooms or one version there"
)


@dataclass(frozen=True)
class _Published:
    """The files of a published model on this machine."""

    model_dir: Path
    metrics: Path
    decision: Path


def write(place: str, output: Path) -> str:
    """Write the folder; an earlier one of this command is replaced.

    Args:
        place: a finished run, the place of a name's published versions, or one version; the latter
            two also in a bucket.
        output: the folder.

    Returns:
        The name that the model is published as.

    Raises:
        InputError: there is no published model, it is damaged, or `output` holds something else.
        WorkError: the store cannot be reached, or the disk is full.
    """
    _check_free(output)
    with tempfile.TemporaryDirectory() as scratch:
        found = _find(place, Path(scratch))
        if output.resolve().is_relative_to(found.model_dir.resolve()):
            raise InputError(f"{output} is inside the model itself: choose another --output")
        decision = Decision.read(found.decision)
        description, figures = checked(found.model_dir, found.metrics, decision, name=decision.name)
        with atomic_directory(output, what="the folder for the Hub", marker=CONFIG) as new:
            for path in found.model_dir.iterdir():
                if path.is_dir():
                    shutil.copytree(path, new / path.name)
                elif path.name not in PAPERS:
                    shutil.copyfile(path, new / path.name)
            _unpack_keras(new)
            _describe(new / CONFIG, description, decision)
            papers = papers_of(new, figures, decision)
            for name in papers.keys() - {EARLIER_NAME}:
                (new / name).write_text(papers[name], encoding="utf-8")
            _warn_of_thumbnails(new / layout.REFERENCES)
    return decision.name


def _check_free(output: Path) -> None:
    """Refuse a folder with anything in it that this command did not write, such as a clone."""
    if not output.is_dir() or not any(output.iterdir()):
        return
    content = None
    with contextlib.suppress(InputError, ValueError, RecursionError):
        content = json.loads(storage.read_place(str(output / CONFIG), max_bytes=64 * 1024**2))
    hidden = any(path.name.startswith(".") for path in output.iterdir())
    if hidden or not isinstance(content, dict) or OURS not in content:
        raise InputError(
            f"{output} is not empty, and not a folder that --to {FORM} wrote: choose another "
            "--output, or empty it"
        )


def _find(place: str, scratch: Path) -> _Published:
    run = Path(storage.plain(place))
    if not storage.is_uri(place) and (run / RUN_SUMMARY).is_file():
        return _of_run(run)
    if storage.is_uri(place):
        folder = scratch / "version"
        _fetch(pinned(place), folder)
    else:
        folder = Path(pinned(place))
        if not (folder / layout.DESCRIPTION).is_file():
            raise InputError(f"{place} is no published model: {EXPECTED}")
    if not (folder / DECISION).is_file():
        raise InputError(f"{place} is a model that is not published: {EXPECTED}")
    return _Published(folder, folder / METRICS, folder / DECISION)


def _of_run(run: Path) -> _Published:
    """The model of a finished run of this machine, if the run published it."""
    decisions = sorted(run.glob("artifacts/*/publish/comparison"))
    if len(decisions) != 1:
        raise InputError(f"{run} is no finished run that decided about its model: {EXPECTED}")
    return _Published(run / "model", run / METRICS, decisions[0])


def _fetch(uri: str, folder: Path) -> None:
    """All files of a version in a bucket."""
    folder.mkdir()
    for number, stored in enumerate(storage.list_objects(uri)):
        name = stored.uri[len(uri) + 1 :]
        parts = name.split("/")
        if number >= MAX_FILES or stored.size > FILE_MAX_BYTES:
            raise InputError(
                f"{stored.uri} is more than a version holds ({MAX_FILES} files of "
                f"{FILE_MAX_BYTES} bytes): {EXPECTED}"
            )
        if not all(parts) or {".", ".."} & set(parts):
            raise InputError(f"{stored.uri!r:.300} has no plain file name: {EXPECTED}")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        storage.download(stored.uri, folder / name)
    if not (folder / layout.DESCRIPTION).is_file():
        raise InputError(f"{uri} is no published model: {EXPECTED}")


def _unpack_keras(folder: Path) -> None:
    """The parts of the .keras file, a zip, as files beside it."""
    path = folder / layout.KERAS
    try:
        with zipfile.ZipFile(path) as packed:
            for name, most in _KERAS_FILES.items():
                member = packed.getinfo(name)
                if member.file_size > most:
                    raise InputError(f"{path.name}: {name} has more than {most} bytes")
                # zipfile gives no more bytes than the member says that it has.
                with packed.open(member) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (
        *(OSError, KeyError, ValueError, EOFError),
        *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
    ) as error:
        if isinstance(error, OSError) and error.errno and path.is_file():
            raise  # of the disk
        raise InputError(f"{layout.KERAS} cannot be unpacked: {error!r:.200}") from error


def _describe(path: Path, description: ModelDescription, decision: Decision) -> None:
    """Add to Keras's config.json what else is read of a repository: the classes by number.

    Keras passes over fields that it does not know.
    """
    try:
        config: dict[str, Any] = json.loads(path.read_bytes())
        labels = description.classes
        config |= {
            "id2label": {str(number): label for number, label in enumerate(labels)},
            "label2id": {label: number for number, label in enumerate(labels)},
            OURS: {
                "name": decision.name,
                "version": decision.version,
                "input_size": description.input_size,
                "preprocessing": description.preprocessing,
            },
        }
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{layout.KERAS} holds a damaged {path.name}: {error!r:.200}") from error


def _warn_of_thumbnails(path: Path) -> None:
    """Say which photos nobody is known to have allowed to pass on."""
    if not path.is_file():
        return
    photos = references.References(path).photos
    without = sum(not photo.licence for photo in photos)
    if without:
        warn(
            f"no licence is known of {counted(without, 'photo')} of {len(photos)}: remove "
            f"{layout.REFERENCES} before you upload the folder, unless you may publish their "
            "thumbnails",
            kind="",
        )
