"""A folder with one subfolder of photos per class, as retrain.py read it."""

import errno
from collections.abc import Sequence
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.step import warn
from components.common.base.wording import counted, named
from components.common.dataset import layouts
from components.common.dataset.photo import check_label, check_labels, other_spelling
from components.common.dataset.photo_files import MAX_FILE_BYTES, photo_files
from components.common.dataset.species import FILE_NAME, MAX_BYTES, SpeciesFile, parse_beside
from components.common.photos import file_types

NAMED = 3  # files in a warning
_MAX_NAME = 60  # characters of each
# No fault of a file that cannot be read: no other could be.
_OF_THIS_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class UnreadableFile(Exception):
    """A photo is there and cannot be read; says why in a few words."""


def list_classes(image_dir: Path) -> list[str]:
    """The class names of a folder: its subfolders that hold photos, sorted.

    Raises:
        InputError: no such folder, no class, only one, a class folder without photos of its own,
            two of one name, or parts such as train and val.
    """
    check_folder(image_dir)
    folders = [
        entry
        for entry in sorted(image_dir.iterdir())
        if entry.is_dir() and not entry.name.startswith((".", "__"))
    ]
    labels = check_labels([folder.name for folder in folders], str(image_dir))
    whole = all(map(photo_files, folders)) and not layouts.are_parts(labels)
    if len(labels) < 2 or not whole:
        raise InputError(layouts.why_no_classes(image_dir, folders, "--image_dir"))
    return labels


def check_folder(image_dir: Path, option: str = "--image_dir") -> None:
    """Raise `InputError` unless `image_dir`, which `option` named, is a folder."""
    if not image_dir.is_dir():
        problem = "is no folder" if image_dir.exists() else "does not exist"
        raise InputError(
            layouts.why_archive(image_dir, option)
            or f"the photo folder {image_dir} {problem}: expected a folder with one subfolder of "
            "photos per class"
        )


def class_files(image_dir: Path, label: str) -> list[Path]:
    """The photo files of one class that are not too large, sorted.

    Raises:
        InputError: the class folder is missing or empty.
    """
    check_folder(image_dir)
    folder = image_dir / check_label(label)
    if not folder.is_dir():
        names = [entry.name for entry in image_dir.iterdir() if entry.is_dir()]
        twin = other_spelling(label, names)
        hint = f", but one named {twin!a}: rename it" if twin else ""
        raise InputError(f"there is no folder for the class {label!r} in {image_dir}{hint}")
    files = photo_files(folder)
    if not files:
        raise InputError(f"{folder} holds no photos ({file_types.NAMES})")
    photos = set(files)
    beside = [
        path
        for path in sorted(folder.iterdir())
        if path not in photos and not path.name.startswith(".")
    ]
    _warn_of_deeper(folder, [path for path in beside if path.is_dir()])
    others = [path for path in beside if not path.is_dir()]
    if others:
        count = counted(len(others), "file is no photo", "files are no photos")
        warn(f"{folder}: {count}, such as {others[0].name}")
    small = [path for path in files if path.stat().st_size <= MAX_FILE_BYTES]
    if not small:
        raise InputError(f"all photos in {folder} are larger than {MAX_FILE_BYTES} bytes")
    for path in sorted(set(files) - set(small)):
        size = path.stat().st_size
        warn(f"{path} was left out: {size} bytes, more than {MAX_FILE_BYTES}")
    return small


def _warn_of_deeper(folder: Path, inside: Sequence[Path]) -> None:
    """Say how many photos lie in folders below a class folder, if any: nothing reads them."""
    below: dict[Path, int] = {}
    for place in inside:
        below.update(layouts.photos_below(place))
    if below:
        places = [str(place.relative_to(folder)) for place in below]
        told = layouts.told_unread(folder, sum(below.values()))
        warn(told + named(places, most=NAMED, longest=_MAX_NAME))


def read_photo(path: Path) -> bytes:
    """The bytes of one of the files.

    Raises:
        UnreadableFile: there is no permission, the disk is faulty, or the file is gone by now.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in _OF_THIS_MACHINE:
            raise
        raise UnreadableFile(error.strerror or str(error)) from error


def read_species_file(image_dir: Path) -> SpeciesFile:
    """What the species.yaml of a folder says of its classes; empty where there is none.

    Raises:
        InputError: it makes no sense, is too large or not readable, or lists a class without a
            folder.
    """
    path = image_dir / FILE_NAME
    if not path.is_file():
        return SpeciesFile("", ())
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    folders = [entry.name for entry in sorted(image_dir.iterdir()) if entry.is_dir()]
    return parse_beside(data, str(path), [name for name in folders if name[:1] != "."])


def warn_of_files_beside(image_dir: Path) -> None:
    """Say which files lie beside the class folders, if any: nothing reads them."""
    names = [
        entry.name
        for entry in sorted(image_dir.iterdir())
        if not entry.name.startswith((".", "__")) and not entry.is_dir()
        if entry.name != FILE_NAME
    ]
    if names:
        files = counted(
            len(names), "file beside the class folders is", "files beside the class folders are"
        )
        warn(f"{image_dir}: {files} not read: {named(names, most=NAMED, longest=_MAX_NAME)}")
