"""Where published models are: `publish_dir/name/version/`, and `latest.json` that names one."""

import hashlib
import re
from pathlib import Path

from components.common import storage
from components.common.errors import InputError
from components.common.model import FORMAT_VERSION, ModelDescription
from components.common.model_place import LATEST, local_model

VERSION_DIGITS = 12


def root_of(publish_dir: Path | str, name: str) -> Path:
    """The folder of all versions of a name.

    Raises:
        InputError: no folder, one in object storage, or a name that is no plain folder name.
    """
    check_name(name)
    place = str(publish_dir)
    if place in ("", "."):
        raise InputError("no folder to publish into was given: set publish_dir")
    check_place(place)
    return Path(place).expanduser() / name


def check_place(publish_dir: str) -> None:
    """Raise `InputError` for object storage: a folder named "gs:" is what it would become."""
    # As a Path the address has lost one of its slashes.
    if storage.is_uri(publish_dir) or publish_dir.startswith(("gs:/", "s3:/")):
        raise InputError(
            f"--publish_dir is {publish_dir}: expected a folder; publish into one, and copy it to "
            "the bucket, latest.json last"
        )


def check_name(name: str) -> None:
    """Raise `InputError` unless `name` is a plain folder name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise InputError(f"--name is {name!r}: expected letters, digits, dots, dashes, underscores")


def version_of(description: ModelDescription) -> str:
    """The version that a model is published as.

    Of everything that another model would have another of: weights, photos with their credits, and
    the rule for unknown photos. The same model published twice is the same version.
    """
    content = (
        description.head_sha256,
        description.manifest_sha256,
        description.distances_sha256,
        str(FORMAT_VERSION),
    )
    return hashlib.sha256(" ".join(content).encode()).hexdigest()[:VERSION_DIGITS]


def published(root: Path) -> Path | None:
    """The folder of the version that is published now; None where none is.

    Raises:
        InputError: `latest.json` is damaged.
    """
    if not (root / LATEST).is_file():
        return None
    return root / local_model(str(root), root).name


def published_version(root: Path) -> str:
    """The version that is published now; empty where none is, or none can be told."""
    try:
        folder = published(root)
    except InputError:
        return ""
    return folder.name if folder else ""
