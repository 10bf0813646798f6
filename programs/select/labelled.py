"""The chosen photos in class folders, by a person's answers: what `make run IMAGES=` reads.

The photos are copied byte for byte, with their EXIF, as in any folder of photos: what a run stores
of them has none. Nothing that is there is overwritten. `copied.json` says which copies were made:
where an answer has changed since, that copy is removed, if it still has the photo's content, and
nothing else ever is.
"""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.files import naming_full_disk, write_new
from components.common.base.step import warn
from components.common.dataset.photo import check_label, other_spelling
from components.common.dataset.photo_files import MAX_FILE_BYTES
from components.common.untrusted import sealed
from programs.select.answers import NONE, Answers
from programs.select.selection import Selected, Selection

FOLDER, COPIES = "labelled", "copied.json"
KIND = sealed.Kind("the copies", "wild-mushrooms-copies", (1,), sealed_since=1)

Copy = tuple[str, str, str]  # folder of class folders, class, name of the file


@dataclass(frozen=True)
class Placed:
    """What came of the answers.

    Attributes:
        folder: of the class folders.
        classes: photos of each class that are there now, of those with an answer.
        new_classes: of them, those that the model does not know.
        none: photos that were left out.
        undecided: photos without an answer.
    """

    folder: Path
    classes: dict[str, int]
    new_classes: tuple[str, ...]
    none: int
    undecided: int


def place(home: Path, selection: Selection, answers: Answers, into: Path | None = None) -> Placed:
    """Copy the photos that have an answer into the folder of their class.

    Args:
        home: the folder of the selection.
        selection: what is in it.
        answers: of a person; what they say of other photos counts for nothing.
        into: the folder of class folders; None for `labelled` in `home`.

    Raises:
        InputError: a photo is missing or was changed, or a class folder's name is taken by a file.
        DiskFull: the disk is full.
    """
    folder = into or home / FOLDER
    names = list(dict.fromkeys([*_class_folders(folder), *selection.classes]))
    root, made = os.path.realpath(folder), _read_copies(home)
    counts: Counter[str] = Counter()
    for photo in selection.photos:
        label = answers.labels.get(photo.sha256, NONE)
        name = Path(photo.file).name
        if label:
            label = other_spelling(label, names) or label
            names += [label] if label not in names else []
            if _copy(home, photo, folder / label):
                made.add((root, label, name))
                _write_copies(home, made)
            counts[label] += 1
        for copy in sorted(made):
            if copy[0] == root and copy[2] == name and copy[1] != label:
                _remove(folder / copy[1] / name, photo)
                made.remove(copy)
    _write_copies(home, made)
    said = [photo for photo in selection.photos if photo.sha256 in answers.labels]
    return Placed(
        folder,
        dict(sorted(counts.items())),
        tuple(sorted(set(counts) - set(selection.classes))),
        sum(answers.labels[photo.sha256] == NONE for photo in said),
        len(selection.photos) - len(said),
    )


def _class_folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(
        one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")
    )


def _copy(home: Path, photo: Selected, folder: Path) -> bool:
    """Copy a photo into a class folder; False where it is there."""
    source, target = home / photo.file, folder / Path(photo.file).name
    data = _read(source)
    if data is None or hashlib.sha256(data).hexdigest() != photo.sha256:
        raise InputError(f"{source} is missing or was changed: run select again")
    try:
        with naming_full_disk("a labelled photo", target):
            folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder} is no folder: expected one for the photos of a class") from None
    if write_new(target, data, what="a labelled photo"):
        return True
    if not _is(target, photo):
        warn(f"{target} is another photo by now, and stays as it is")
    return False


def _remove(path: Path, photo: Selected) -> None:
    """Remove a copy of a photo that is of another class by now."""
    if _is(path, photo):
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()  # an empty class folder would stop the next run
    elif path.exists():
        warn(f"{path} is another photo by now, and stays as it is")


def _read_copies(home: Path) -> set[Copy]:
    """The copies that were made.

    Raises:
        InputError: the file is damaged or was edited.
    """
    path = home / COPIES
    if not path.exists():
        return set()
    try:
        return {
            (str(root), check_label(label), Path(name).name)
            for root, label, name in sealed.read(path, KIND)["copies"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _write_copies(home: Path, made: set[Copy]) -> None:
    content = {**KIND.head, "copies": sorted(map(list, made))}
    sealed.dump(home / COPIES, content, what="the list of copies")


def _is(path: Path, photo: Selected) -> bool:
    data = _read(path)
    return data is not None and hashlib.sha256(data).hexdigest() == photo.sha256


def _read(path: Path) -> bytes | None:
    """The content of a file; None where there is none, or only a link or what is too large."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        return None
    return path.read_bytes()
