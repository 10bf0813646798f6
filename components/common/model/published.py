"""Where published models are, and whether what is published is still the same."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from components.common.base.errors import InputError
from components.common.model.model_place import find_pointer, version_in
from components.common.store import storage


def root_of(publish_dir: Path | str, name: str) -> str:
    """The place of all versions of a name: a folder, or a prefix in object storage.

    Raises:
        InputError: no place, an address that names no bucket, or a name that is no plain folder
            name.
    """
    check_name(name)
    place = str(publish_dir)
    if place in ("", "."):
        raise InputError("no place to publish to: set publish_dir")
    check_place(place)
    return f"{storage.plain(place)}/{name}"


def check_place(publish_dir: str, name: str = "--publish_dir") -> None:
    """Raise `InputError` for an address that nothing can be published to.

    Args:
        publish_dir: the address.
        name: what a person gave it as.
    """
    if storage.is_uri(publish_dir):
        if not publish_dir.partition("://")[2].partition("/")[0]:
            raise InputError(f"{name} is {publish_dir}: expected gs://bucket or s3://bucket")
    elif re.match(r"[a-z0-9]+:/", publish_dir):  # a folder named "gs:" is what it would become
        raise InputError(
            f"{name} is {publish_dir}: expected a folder, gs://bucket/folder or s3://…"
        )


def check_name(name: str, option: str = "--name") -> None:
    """Raise `InputError` unless `name` is a plain folder name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise InputError(
            f"{option} is {name!r}: expected letters, digits, dots, dashes, underscores"
        )


def mark(root: str) -> str:
    """A hash that is another one once another version is published, or its files have changed.

    Of the files the names, sizes and times of change count (in a bucket their versions): none is
    read, and nobody has to know a damaged model from a whole one.

    Args:
        root: the place of all versions of a name.

    Returns:
        Hexadecimal digits; empty where nothing is published.

    Raises:
        InputError: `latest.json` is too large, there is no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    pointer = find_pointer(root)
    if pointer is None:
        return ""
    digest = hashlib.sha256(pointer)
    try:
        version = version_in(pointer, root)
    except InputError:  # damaged; once it is mended it is another one
        return digest.hexdigest()
    for line in _files(f"{root}/{version}"):
        digest.update(f"\n{line}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(place: str) -> Iterator[str]:
    if storage.is_uri(place):
        for entry in storage.list_objects(place):
            yield f"{entry.uri[len(place) :]} {entry.size} {entry.version}"
        return
    for path in sorted(Path(place).rglob("*")):
        if path.is_file():
            about = path.stat()
            yield f"{path.relative_to(place)} {about.st_size} {about.st_mtime_ns}"
