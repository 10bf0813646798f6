"""Published models as TensorFlow Serving and KServe take them: `name/serving/1/`, `2/`, ….

Both serve the SavedModel in the folder with the highest number, as soon as that is there. So a
number is given once, to what is published at that moment: a version that is rolled back to gets a
new one. The folders are beside those of the versions and not among them, because KServe fetches
everything below the address that it is given, and because the hash that names a version may be
digits alone, which these servers would take for a number.

Nothing is stored twice where that can be helped: in a folder the files are hard links, in a bucket
the store copies them by itself.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.common.base.errors import WorkError
from components.common.base.files import atomic_directory
from components.common.base.step import log
from components.common.model import layout
from components.common.store import storage
from components.publish import places

FOLDER = "serving"
SAVED_MODEL = "saved_model.pb"
# What a SavedModel's own format keeps free for others, and TensorFlow does not read.
RECORD = "assets.extra/wild-mushrooms.json"
RECORD_MAX_BYTES = 64 * 1024
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")  # of 64 bits, for the servers
MOST_TRIES = 100  # of publishers at once, each with a number


@dataclass(frozen=True)
class Numbered:
    """One folder of `serving/`.

    Attributes:
        number: its name.
        version: that it holds; empty where that is not written there.
        first: when the version was published for the first time, under this number or another;
            None where that is not written there.
        whole: whether the SavedModel is there, which comes last.
    """

    number: int
    version: str = ""
    first: datetime | None = None
    whole: bool = False


def numbered(root: str) -> list[Numbered]:
    """What is in `serving/`, by number.

    Args:
        root: the place of all versions of a name.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    whole = places.folders(f"{root}/{FOLDER}", SAVED_MODEL)
    numbers = sorted(int(name) for name in whole if _NUMBER.fullmatch(name))
    return [_read(root, number, is_whole=whole[str(number)]) for number in numbers]


def _read(root: str, number: int, *, is_whole: bool) -> Numbered:
    place = f"{root}/{FOLDER}"
    data = storage.find_place(f"{place}/{number}/{RECORD}", max_bytes=RECORD_MAX_BYTES)
    try:
        content = json.loads(data or b"")
        version, first = str(content["version"]), datetime.fromisoformat(content["first_published"])
        if first.tzinfo is None:
            raise ValueError("a time without its zone")
    except (ValueError, KeyError, TypeError):
        return Numbered(number, whole=is_whole)
    return Numbered(number, version, first, is_whole)


def newest(there: list[Numbered]) -> Numbered | None:
    """The one that the servers serve."""
    return next((one for one in reversed(there) if one.whole), None)


def give_number(
    root: str,
    version: str,
    first: datetime | None = None,
    there: list[Numbered] | None = None,
) -> int | None:
    """See to it that a version is the one with the highest number.

    Args:
        root: the place of all versions of a name.
        version: one that is there, whole.
        first: when it was published for the first time; by default as its other numbers say, or
            now.
        there: what `numbered` gives, for whoever has it already.

    Returns:
        Its number; None where the version has no SavedModel.

    Raises:
        InputError: no permission.
        WorkError: the disk is full, or the store cannot be reached.
    """
    there = numbered(root) if there is None else there
    highest = there[-1] if there else Numbered(0)
    if highest.whole and highest.version == version:
        return highest.number
    known = [one.first for one in there if one.version == version and one.first]
    record = _record(version, min([*known, first or datetime.now(UTC)]))
    if storage.is_uri(root):
        return _in_bucket(root, version, highest, record)
    return _in_folder(Path(root), version, highest.number + 1, record)


def withdraw(root: str, number: int) -> None:
    """Remove a number: at no moment is there a part of it that servers take for the whole."""
    places.remove(f"{root}/{FOLDER}/{number}", SAVED_MODEL)


def _in_folder(root: Path, version: str, number: int, record: bytes) -> int | None:
    """A new number, which appears when it is whole. Nobody else may be at work in the folder."""
    source = root / version / layout.SAVED_MODEL
    if not (source / SAVED_MODEL).is_file():
        _say_without(str(root / version))
        return None
    target = root / FOLDER / str(number)
    with atomic_directory(target, what="the model for servers", marker=SAVED_MODEL) as new:
        shutil.copytree(source, new, dirs_exist_ok=True, copy_function=_link)
        (new / RECORD).parent.mkdir(exist_ok=True)
        (new / RECORD).write_bytes(record)
    return number


def _link(source: str, target: str) -> None:
    """A second name for a file, or a copy on a disk that knows no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _in_bucket(root: str, version: str, highest: Numbered, record: bytes) -> int | None:
    source = f"{root}/{version}/{layout.SAVED_MODEL}/"
    names = [stored.uri.removeprefix(source) for stored in storage.list_objects(source)]
    if SAVED_MODEL not in names:
        _say_without(f"{root}/{version}")
        return None
    number = _claimed(root, version, highest, record)
    target = f"{root}/{FOLDER}/{number}/"
    # Servers load a folder once there is a SavedModel in it: that comes last.
    for name in sorted(names, key=lambda name: (name == SAVED_MODEL, name)):
        storage.copy(f"{source}{name}", f"{target}{name}")
    return number


def _claimed(root: str, version: str, highest: Numbered, record: bytes) -> int:
    """A number for this version alone: who writes its record first has it.

    One that an earlier try at the same version has left unfinished is used up.
    """
    number = highest.number if highest.version == version else highest.number + 1
    for _ in range(MOST_TRIES):
        place = f"{root}/{FOLDER}/{number}/{RECORD}"
        is_ours = highest.number == number or storage.write_if(place, record, None)
        if is_ours or _read(root, number, is_whole=False).version == version:
            return number
        number += 1
    raise WorkError(f"{root}/{FOLDER} has no free number: too many publish at once; try again")


def _record(version: str, first: datetime) -> bytes:
    now = datetime.now(UTC)
    times = {"published": now, "first_published": first}
    content = {"version": version, **{name: time.isoformat() for name, time in times.items()}}
    return (json.dumps(content, indent=2) + "\n").encode()


def _say_without(place: str) -> None:
    log.info("%s has no SavedModel: TensorFlow Serving and KServe do not get it", place)
