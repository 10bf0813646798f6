"""Where published models are: `publish_dir/name/version/`, and `latest.json` that names one.

The same in a folder and in object storage.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common.base import temporary
from components.common.base.errors import InputError
from components.common.model.model_place import LATEST, find_pointer, local_model, version_in
from components.common.model.published import check_place as check_place
from components.common.model.published import root_of as root_of
from components.common.store import storage


def published(root: str, scratch: Path) -> Path | None:
    """The folder of the version that is published now; None where none is.

    Args:
        root: from `root_of`.
        scratch: folder to fetch a model from object storage into.

    Raises:
        InputError: `latest.json` or the version that it names is damaged.
        WorkError: the store cannot be reached.
    """
    if find_pointer(root) is None:
        return None
    return local_model(root, scratch)


def published_version(root: str) -> str:
    """The version that is published now; empty where none is, or the pointer is damaged.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    try:
        pointer = find_pointer(root)
    except InputError:
        if storage.is_uri(root):
            raise
        return ""
    return pointed_at(pointer)


def folders(place: str, last: str) -> dict[str, bool]:
    """The folders directly in a place, and whether each is whole.

    In a bucket only objects count: some stores list a folder longer than its last object.

    Args:
        place: a folder, or a prefix in object storage.
        last: the file that comes last into each of them.
    """
    if storage.is_uri(place):
        names = {stored.uri[len(place) + 1 :] for stored in storage.list_objects(place)}
        found = {name.partition("/")[0] for name in names if "/" in name}
        return {folder: f"{folder}/{last}" in names for folder in found}
    paths = [path for path in Path(place).glob("*") if path.is_dir()]
    return {path.name: (path / last).is_file() for path in paths}


def remove(place: str, last: str) -> None:
    """Remove a folder: at no moment is there a part of it that looks whole.

    Args:
        place: the folder, or its prefix in object storage; it may be gone.
        last: the file that came last into it, and goes first.
    """
    if not storage.is_uri(place):
        with contextlib.suppress(FileNotFoundError):
            temporary.discard(Path(place))
        return
    storage.delete(f"{place}/{last}")
    for stored in list(storage.list_objects(place)):
        storage.delete(stored.uri)


def pointer_text(content: Mapping[str, Any], number: int | None) -> str:
    """The text of a `latest.json`.

    Args:
        content: what it says of the version.
        number: of the version in `serving/`; None where it has none.
    """
    numbered = content if number is None else {**content, "serving": number}
    return json.dumps(numbered, indent=2) + "\n"


def pointed_at(pointer: bytes | None) -> str:
    """The version that the content of a `latest.json` names; empty where it names none."""
    try:
        return version_in(pointer, LATEST) if pointer is not None else ""
    except InputError:
        return ""
