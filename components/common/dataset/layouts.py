"""A folder that is not one subfolder of photos per class: what it holds instead, and what to type.

One rule holds for every command: the photos of a class lie directly in its folder. What lies deeper
is not read, and is named: as photos of one class it may be another year, or another class.
"""

import collections
import os
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.common.base.wording import as_text, counted, joined
from components.common.dataset.photo import label_key
from components.common.dataset.photo_files import photo_files
from components.common.untrusted import archive

# What people call the parts of a data set, above its classes, as `label_key` gives them.
LEARNED = ("train", "training")
PARTS = {*LEARNED, "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation"}
OWN_PARTS = "a run divides the photos itself into training, validation and test parts"
EXAMPLE = "such as photos/daisy/*.jpg and photos/roses/*.jpg"
MAX_FOLDERS = 10_000  # looked at for a message
_ARCHIVES = (".7z", ".rar", ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst")
_SHOWN = 4  # places in a message

Counts = Mapping[Path, int]  # photos directly in each folder that holds some


def are_parts(names: Sequence[str]) -> bool:
    """True where all of these are names of parts, such as train and val, and not of classes."""
    return bool(names) and all(label_key(name) in PARTS for name in names)


def part_to_learn_from(names: Sequence[str]) -> str:
    """Of names of parts the one to learn from."""
    return next((name for name in names if label_key(name) in LEARNED), names[0])


def told_unread(where: Path | str, count: int) -> str:
    """That photos lie deeper than a class's are read; which, is for the caller to add."""
    photos = counted(count, "photo in a folder below is", "photos in folders below are")
    return f"{where}: {photos} not read, only those directly in it: "


def photos_below(folder: Path) -> Counts:
    """How many photos lie directly in a folder, and in each below it that holds some.

    Hidden folders are passed over, links are not followed, and after `MAX_FOLDERS` it ends.
    """
    found: dict[Path, int] = {}
    for number, (place, below, _) in enumerate(os.walk(folder)):
        below[:] = sorted(name for name in below if not name.startswith((".", "__")))
        count = len(photo_files(Path(place)))
        if count:
            found[Path(place)] = count
        if number >= MAX_FOLDERS:
            break
    return found


def why_no_classes(folder: Path, tops: Sequence[Path], option: str) -> str:
    """Why a folder is no set of classes, where its photos are, and what to do.

    Args:
        folder: that was named.
        tops: its subfolders that could be classes, sorted.
        option: that named the folder, such as "--image_dir".
    """
    photos = {folder: len(photo_files(folder))} if photo_files(folder) else {}
    for top in tops:  # each by itself: it may be a link
        photos |= photos_below(top)
    bare = [top for top in tops if not photo_files(top)]
    if tops and not bare and are_parts([top.name for top in tops]):
        return (
            f"{_text(folder)} holds parts and no folder for a class: {_places(folder, photos)}. "
            f"The photos do not say what they show: put them into one folder per class, {EXAMPLE}; "
            f"{OWN_PARTS}"
        )
    lacking = set(bare)
    deeper = {place: count for place, count in photos.items() if lacking & set(place.parents)}
    if deeper:
        return _why_deeper(folder, tops, deeper, option)
    if folder in photos and len(tops) < 2:
        return _why_flat(folder, tops, option)
    if len(tops) >= 2:
        return (
            f"{_text(bare[0])} holds no photos: add some, or move that folder elsewhere"
            f"{_unpacking(bare[0])}"
        )
    contents = f"only the class {tops[0].name!r}" if tops else "no class folders"
    return (
        f"{_text(folder)} holds {contents}: a classifier needs at least two folders of photos, one "
        f"per class, {EXAMPLE}{_unpacking(folder)}"
    )


def _why_deeper(folder: Path, tops: Sequence[Path], deeper: Counts, option: str) -> str:
    bare = [top for top in tops if any(top in place.parents for place in deeper)]
    names = joined([_text(top.name) for top in bare[:_SHOWN]])
    told = (
        f"{_text(folder)}: there are no photos directly in {names}, but deeper: "
        f"{_places(folder, deeper)}. "
    )
    roots = collections.Counter(place.parent for place in deeper)
    classes = [root for root, count in roots.items() if count > 1]
    if classes:
        # Of parts the one to learn from, else the folder with most photos.
        best = max(
            classes,
            key=lambda root: (
                label_key(root.name) in LEARNED,
                sum(count for place, count in deeper.items() if root == place.parent),
            ),
        )
        told += f"If the folders in {_text(best.relative_to(folder))} are the classes, type "
        told += f"{_typed(best, option)}. "
    if classes and option == "--image_dir" and are_parts([top.name for top in bare]):
        return f"{told}{OWN_PARTS[0].upper()}{OWN_PARTS[1:]}."
    if classes and (len(tops) == 1 or are_parts([top.name for top in bare])):
        return told.rstrip()
    place = shlex.quote(_text(bare[0]))
    return (
        f"{told}If {_text(bare[0].name)} is a class: put its photos directly into its folder, "
        f"since only those are read: find {place} -mindepth 2 -type f -exec mv -n {{}} {place}/ \\;"
    )


def _why_flat(folder: Path, tops: Sequence[Path], option: str) -> str:
    photos = counted(len(photo_files(folder)), "photo")
    folders = f"only the folder {_text(tops[0].name)}" if tops else "no folders"
    told = f"{_text(folder)} holds {photos} and {folders} for classes: "
    here = folder.absolute()
    if any(photo_files(entry) for entry in _folders(here.parent) if entry != here):
        told += f"if it is one class itself, take the folder above: {_typed(here.parent, option)}; "
        told += "else "
    place = shlex.quote(_text(folder))
    return (
        f"{told}make one folder per class in it, {EXAMPLE}, and move the photos there: "
        f"mkdir {place}/daisy {place}/roses"
    )


def why_archive(path: Path, option: str) -> str:
    """What to do with an archive that was named as a folder; empty where it is none."""
    if not _is_archive(path):
        return ""
    name = path.name
    while name.lower().endswith(_ARCHIVES):
        name = name.rpartition(".")[0]
    target = path.with_name(name if name not in ("", path.name) else "photos")
    return (
        f"{_text(path)} is an archive, and photos are read from folders: unpack it, "
        f"{_command(path, target)}, then {_typed(target, option)}"
    )


def _is_archive(path: Path) -> bool:
    return path.is_file() and (
        path.name.lower().endswith(_ARCHIVES)
        or zipfile.is_zipfile(path)
        or archive.is_archive(path)
    )


def _command(path: Path, target: Path) -> str:
    packed, folder = shlex.quote(_text(path)), shlex.quote(_text(target))
    if zipfile.is_zipfile(path):
        return f"unzip {packed} -d {folder}"
    if path.name.lower().endswith((".7z", ".rar")):
        return f"into {folder}"
    return f"mkdir -p {folder} && tar -xf {packed} -C {folder}"


def _unpacking(folder: Path) -> str:
    """What to add where the photos of a folder are packed."""
    packed = [entry for entry in sorted(folder.iterdir()) if _is_archive(entry)]
    if not packed:
        return ""
    names = joined([_text(entry.name) for entry in packed[:_SHOWN]])
    target = folder if len(packed) == 1 else folder / packed[0].stem
    return f"; archives are not read ({names}): {_command(packed[0], target)}"


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())[:MAX_FOLDERS]
    except OSError:
        return []


def _typed(folder: Path, option: str) -> str:
    place = shlex.quote(_text(folder))
    return f"IMAGES={place} ({option})" if option == "--image_dir" else f"{option} {place}"


def _places(folder: Path, photos: Counts) -> str:
    shown = [
        f"{counted(count, 'photo')} in {_text(place.relative_to(folder))}"
        for place, count in sorted(photos.items())[:_SHOWN]
    ]
    more = len(photos) - _SHOWN
    return ", ".join(shown) + (f" and in {counted(more, 'more folder')}" if more > 0 else "")


def _text(place: Path | str) -> str:
    return as_text(os.fspath(place))
