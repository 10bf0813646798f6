"""Publishing into object storage: where nobody can lock, the store itself decides who was first."""

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from components.common.base.errors import WorkError
from components.common.base.step import log
from components.common.model import layout
from components.common.model.description import DESCRIPTION_MAX_BYTES
from components.common.model.model_place import LATEST, POINTER_MAX_BYTES
from components.common.store import storage
from components.publish import places, serving


def put(
    root: str,
    version: str,
    model_dir: Path,
    papers: Mapping[str, str],
    pointer: Mapping[str, Any],
    *,
    champion: str,
) -> bool:
    """Upload the model to `root/version/` unless it is there, number it, and move the pointer.

    The pointer moves only from what was read before anything was uploaded, so that of two
    publishers at once one is told. One that ends half-way leaves it where it was; the next goes on
    with the same version, and uploads what is missing.

    Returns:
        False where neither `champion` nor this version is the one published now.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached, or holds an object of the version that is another.
    """
    place = f"{root}/{LATEST}"
    before, read = storage.find(place, max_bytes=POINTER_MAX_BYTES) or (None, None)
    if places.pointed_at(before) not in (champion, version):
        return False
    _upload(f"{root}/{version}", model_dir, papers)
    return move_pointer(root, version, pointer, before, read)


def move_pointer(
    root: str,
    version: str,
    pointer: Mapping[str, Any],
    before: bytes | None,
    read: str | None,
    *,
    first: datetime | None = None,
) -> bool:
    """Number a version that is there, and let the pointer name it.

    Args:
        root: the place of all versions of a name.
        version: to name.
        pointer: what else the pointer says.
        before: the pointer's content as it was read.
        read: the version of that object; None where there was none.
        first: when it was published for the first time, as `give_number` takes it.

    Returns:
        False where the pointer has moved since, and does not name this version.
    """
    place = f"{root}/{LATEST}"
    now = storage.find(place, max_bytes=POINTER_MAX_BYTES)
    if (now and now[1]) != read and places.published_version(root) != version:
        return False  # before TensorFlow Serving would see it
    there = serving.numbered(root)
    number = serving.give_number(root, version, first, there)
    content = places.pointer_text(pointer, number).encode()
    if before == content or storage.write_if(place, content, read):
        _check_there(root, version)
        return True
    if places.published_version(root) == version:
        return True
    if number is not None and number not in [one.number for one in there]:
        serving.withdraw(root, number)
    return False


def _check_there(root: str, version: str) -> None:
    """Notice that somebody removed old versions at this very moment, this one among them.

    Raises:
        WorkError: the pointer names a version that is not there.
    """
    description = f"{root}/{version}/{layout.DESCRIPTION}"
    if storage.find_place(description, max_bytes=DESCRIPTION_MAX_BYTES) is None:
        raise WorkError(f"{root}/{version} was removed while it was published: publish it again")


def _upload(place: str, model_dir: Path, papers: Mapping[str, str]) -> None:
    """Upload a version, the model's description last: where that is, the version is whole."""
    description = {layout.DESCRIPTION: model_dir / layout.DESCRIPTION}
    if storage.find_place(f"{place}/{layout.DESCRIPTION}", max_bytes=DESCRIPTION_MAX_BYTES):
        log.info("%s is there already", place)
        return
    paths = {path.relative_to(model_dir).as_posix(): path for path in model_dir.rglob("*")}
    files = {name: path for name, path in paths.items() if path.is_file()}
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in papers.items():
            files[name] = Path(scratch) / name
            files[name].write_text(text, encoding="utf-8")
        storage.upload_files({name: files[name] for name in files.keys() - description}, place)
    storage.upload_files(description, place)
