"""Writing artifacts so that each is whole or absent; hashing files."""

import errno
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.base import temporary
from components.common.base.errors import DiskFull, InputError

# Names a second cache, read only, for networks and their weights: an image carries its own.
SECOND_CACHE_VARIABLE = "MUSHROOM_BAKED_CACHE"


def is_disk_full(error: BaseException) -> bool:
    """True when `error` says that the disk or the quota is full.

    Libraries that write through C++ (TensorFlow, HDF5) raise their own types, with the system's
    text in the message, so the text is looked at too.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    text = str(error)
    short = re.search(r"\d+ requested and \d+ written", text)  # numpy.save: no error number
    return "No space left on device" in text or f"errno = {errno.ENOSPC}" in text or bool(short)


@contextmanager
def naming_full_disk(what: str, path: Path) -> Iterator[None]:
    """Turn a full disk into a `DiskFull` that names what was being written, and where."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise DiskFull(
            f"no space left on the disk while writing {what} to {os.path.abspath(path)}: "
            "free some space, or choose another disk, and run again; nothing half-written was kept"
        ) from error


@contextmanager
def atomic_directory(path: Path, *, what: str, marker: str) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that takes its name when the block ends without error.

    Args:
        path: final place of the directory. An earlier artifact of the same kind is replaced.
        what: the artifact's name for messages, such as "the dataset".
        marker: a file that every artifact of this kind holds; an existing directory that is not
            empty and lacks it is somebody's own data, and is never touched.

    Raises:
        InputError: `path` exists and is not an artifact of this kind.
        DiskFull: the disk is full.
    """
    path = Path(os.path.realpath(path))  # a link stays, what it points to is replaced
    if path.exists() and not (path / marker).is_file() and (path.is_file() or any(path.iterdir())):
        raise InputError(
            f"{path} exists and is not an earlier output of this step (no {marker} in it): "
            f"choose another place for {what}, or remove it"
        )
    with naming_full_disk(what, path):
        temporary.restore(path)
        with temporary.sibling(path, directory=True) as new:
            yield new
            temporary.replace_directory(new, path)


def write_file(path: Path, data: bytes | str, *, what: str) -> None:
    """Write one file so that it is whole or absent. Text is stored as UTF-8.

    Raises:
        DiskFull: the disk is full.
    """
    with naming_full_disk(what, path), temporary.sibling(path, directory=False) as new:
        new.write_bytes(data.encode() if isinstance(data, str) else data)
        new.replace(path)


def write_new(path: Path, data: bytes, *, what: str) -> bool:
    """Write one file, whole, unless it is there: of several writers at once, one has it.

    Returns:
        False where it is there.

    Raises:
        DiskFull: the disk is full.
    """
    with naming_full_disk(what, path), temporary.sibling(path, directory=False) as new:
        new.write_bytes(data)
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        except OSError:  # a disk that knows no second names for a file
            if path.exists():
                return False
            new.replace(path)
    return True


@contextmanager
def atomic_file(path: Path, *, what: str) -> Iterator[Path]:
    """Yield a temporary sibling, an empty file, that takes the name `path` at the end of the block.

    Raises:
        DiskFull: the disk is full.
    """
    with naming_full_disk(what, path), temporary.sibling(path, directory=False) as new:
        yield new
        new.replace(path)


def hash_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def new_place(parent: Path, name: str = "") -> Path:
    """A path in a folder where nothing is yet, such as `runs/20261123-101500`.

    Args:
        parent: the folder.
        name: that follows the time, such as "-learning-curve".

    Raises:
        InputError: it has a hundred of this second already.
    """
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}{name}"
    for suffix in ["", *(f"-{number}" for number in range(2, 100))]:
        if not (place := parent / f"{stem}{suffix}").exists():
            return place
    raise InputError(f"{parent} has a hundred folders of this second already")


def default_cache_dir() -> Path:
    """The user's cache folder for this project (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wild-mushrooms"
