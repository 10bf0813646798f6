"""What is published under a name: listing its versions, going back to one, removing old ones."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components.common.base.errors import InputError, WorkError
from components.common.base.files import write_file
from components.common.model import layout
from components.common.model.description import read_description
from components.common.model.model_place import (
    LATEST,
    METRICS,
    POINTER_MAX_BYTES,
    VERSION_DIGITS,
    find_pointer,
    version_in,
    version_of,
)
from components.common.store import storage
from components.common.store.alone import alone_in
from components.common.untrusted import sealed
from components.publish import in_bucket, places, serving
from components.publish.compare import read_metrics
from components.publish.publish import DECISION, PAPERS, pointer_of
from components.publish.serving import Numbered

_NAME = re.compile(rf"[0-9a-f]{{{VERSION_DIGITS}}}")  # of a version's folder; others are left alone
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Version:
    """A published version.

    Attributes:
        name: the hash that is its folder.
        published: when it was published first; None where nothing says so.
        accuracy: by its metrics.json; None where that cannot be read.
        numbers: that it has in `serving/`, ascending; without unfinished ones.
        served: whether `latest.json` names it.
        newest: whether TensorFlow Serving and KServe take it: it has the highest number.
        whole: False for one that is being published now, or whose publisher was stopped.
    """

    name: str
    published: datetime | None
    accuracy: float | None
    numbers: tuple[int, ...]
    served: bool
    newest: bool
    whole: bool


def root_at(place: str) -> str:
    """The place of all versions of a name, as other functions take it.

    Raises:
        InputError: nothing is published there.
        WorkError: the store cannot be reached.
    """
    places.check_place(place, "the place")
    root = storage.plain(place)
    pointer = find_pointer(root)
    if pointer is None:
        raise InputError(
            f"{place} is no place of published versions: there is no {LATEST} in it. Name the "
            "folder of one model, such as runs/published/mushrooms"
        )
    version_in(pointer, f"{root}/{LATEST}")
    return root


def versions(root: str) -> list[Version]:
    """All versions, oldest first.

    Raises:
        InputError: no permission.
        WorkError: the store cannot be reached.
    """
    return _listed(root, serving.numbered(root))


def _listed(root: str, there: list[Numbered]) -> list[Version]:
    """All versions, by what is in `serving/`."""
    newest = serving.newest(there)
    served = places.published_version(root)
    # The description comes last into a version's folder.
    folders = places.folders(root, layout.DESCRIPTION)
    found = [
        _version(
            f"{root}/{name}",
            [one for one in there if one.version == name],
            served,
            newest,
            is_whole=is_whole,
        )
        for name, is_whole in folders.items()
        if _NAME.fullmatch(name)
    ]
    return sorted(found, key=lambda one: (one.published or LONG_AGO, one.numbers, one.name))


def _version(
    folder: str, numbers: list[Numbered], served: str, newest: Numbered | None, *, is_whole: bool
) -> Version:
    name = folder.rpartition("/")[2]
    first = [one.first for one in numbers if one.first]
    return Version(
        name,
        min(first) if first else _stored(f"{folder}/{DECISION}"),
        _accuracy(folder),
        tuple(one.number for one in numbers if one.whole),
        served=name == served,
        newest=newest is not None and newest.version == name,
        whole=is_whole,
    )


def _stored(place: str) -> datetime | None:
    if storage.is_uri(place):
        return storage.modified(place)
    with contextlib.suppress(OSError):
        return datetime.fromtimestamp(Path(place).stat().st_mtime, UTC)
    return None


def _accuracy(folder: str) -> float | None:
    try:
        data = storage.find_place(f"{folder}/{METRICS}", max_bytes=sealed.MAX_BYTES)
        return float(json.loads(data or b"")["accuracy"])
    except (InputError, ValueError, KeyError, TypeError):
        return None


def roll_back(root: str, to: str = "", *, dry_run: bool = False) -> tuple[str, int | None]:
    """Let `latest.json` name an earlier version again.

    TensorFlow Serving and KServe serve the highest number whatever `latest.json` says. So the
    earlier version gets a new number.

    Args:
        root: from `root_at`.
        to: the version, or how its name begins; empty for the one before the one that is served.
        dry_run: only say what would be done.

    Returns:
        The version, and its new number, if it has one.

    Raises:
        InputError: there is no such version, or it is damaged.
        WorkError: somebody publishes at the same time, or the store cannot be reached.
    """
    if dry_run:
        chosen = _earlier(versions(root), to, root).name
        _checked(root, chosen)
        return chosen, None
    if storage.is_uri(root):
        # Read before the versions are: what is published after this is noticed.
        there = storage.find(f"{root}/{LATEST}", max_bytes=POINTER_MAX_BYTES)
        found = _earlier(versions(root), to, root)
        pointer = _checked(root, found.name)
        moved = in_bucket.move_pointer(
            root, found.name, pointer, *(there or (None, None)), first=found.published
        )
        if not moved:
            raise WorkError(f"another model was published at {root} meanwhile: look, and try again")
    else:
        with alone_in(Path(root)):
            found = _earlier(versions(root), to, root)
            pointer = _checked(root, found.name)
            number = serving.give_number(root, found.name, found.published)
            text = places.pointer_text(pointer, number)
            write_file(Path(root, LATEST), text, what="the pointer")
    newest = serving.newest(serving.numbered(root))
    return found.name, newest.number if newest and newest.version == found.name else None


def _earlier(there: list[Version], to: str, root: str) -> Version:
    """The version that is meant."""
    if to:
        meant = [one for one in there if one.name.startswith(to) and one.whole]
        if len(meant) != 1:
            known = ", ".join(one.name for one in there if one.whole)
            found = "no version" if not meant else f"{len(meant)} versions"
            raise InputError(f"--to is {to!r}: {found} of {root} begins so; there are {known}")
        return meant[0]
    places_of_served = [place for place, one in enumerate(there) if one.served]
    before = [one for one in there[: places_of_served[0] if places_of_served else 0] if one.whole]
    if not before:
        raise InputError(
            f"{root} has no version that was published before the one that is served: name one "
            "with --to"
        )
    return before[-1]


def _checked(root: str, version: str) -> dict[str, object]:
    """What the pointer says of a version that is whole and undamaged.

    In a folder every file is compared with its SHA-256; in a bucket the SHA-256 that each object
    was stored with, and nothing large is fetched.
    """
    folder = f"{root}/{version}"
    with _papers_of(folder) as local:
        description = read_description(local)
        if version_of(description) != version:
            raise InputError(f"{folder} holds another model than its name says")
        figures = read_metrics(local / METRICS, description)
        if not storage.is_uri(root):
            description.check_files(local, but=PAPERS)
        for name, sha256 in description.files.items() if storage.is_uri(root) else ():
            if storage.stored_sha256(f"{folder}/{name}") != sha256:
                raise InputError(
                    f"{folder}/{name} is missing, or not what {layout.DESCRIPTION} says"
                )
        return pointer_of(version, description, figures)


@contextlib.contextmanager
def _papers_of(folder: str) -> Iterator[Path]:
    """A folder of this machine with the description and the figures of a version."""
    if not storage.is_uri(folder):
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name in (layout.DESCRIPTION, METRICS):
            data = storage.read_place(f"{folder}/{name}", max_bytes=sealed.MAX_BYTES)
            Path(scratch, name).write_bytes(data)
        yield Path(scratch)


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        versions: their folders and numbers.
        numbers: folders of `serving/` that are not needed: their version has a higher number, or
            they were never finished.
    """

    versions: tuple[str, ...]
    numbers: tuple[int, ...]


def prune(
    root: str,
    *,
    keep: int = 0,
    older_than: timedelta | None = None,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Remove versions that every rule lets go; never the one that is served.

    Args:
        root: from `root_at`.
        keep: so many stay, the newest; 0 for no such rule.
        older_than: younger ones stay; None for no such rule.
        now: the time; by default the clock's.
        dry_run: only say what would be removed.

    Raises:
        InputError: no rule, or no permission.
        WorkError: another model was published meanwhile, or the store cannot be reached.
    """
    if not keep and older_than is None:
        raise InputError("no rule says what may go: give --keep, --older_than or both")
    with contextlib.nullcontext() if storage.is_uri(root) else alone_in(Path(root)):
        served = places.published_version(root)
        numbers = serving.numbered(root)
        there = _listed(root, numbers)
        doomed = _doomed(there, keep, older_than, now or datetime.now(UTC))
        replaced = _replaced(there, numbers)
        if not dry_run:
            _check_served(root, served)
        for number in () if dry_run else replaced:
            serving.withdraw(root, number)
        for one in () if dry_run else doomed:
            _check_served(root, served)
            for number in one.numbers[-1:]:
                serving.withdraw(root, number)
            places.remove(f"{root}/{one.name}", layout.DESCRIPTION)
    return Pruned(tuple(one.name for one in doomed), tuple(replaced))


def _check_served(root: str, version: str) -> None:
    if not version or places.published_version(root) != version:
        raise WorkError(f"{root}/{LATEST} changed meanwhile: look, and try again")


def _doomed(
    there: list[Version], keep: int, older_than: timedelta | None, now: datetime
) -> list[Version]:
    whole = [one for one in there if one.whole]
    kept = {one.name for one in whole[-keep:]} if keep else set()
    return [
        one
        for one in whole
        if not (one.served or one.newest or one.name in kept)
        # What nobody knows the age of is not known to be old.
        and (older_than is None or (one.published or now) < now - older_than)
    ]


def _replaced(there: list[Version], numbers: list[Numbered]) -> list[int]:
    """Numbers that are not needed: each version keeps its highest, and unfinished ones go.

    An unfinished one above all others may be at work now.
    """
    needed = {one.numbers[-1] for one in there if one.numbers}
    highest = max(needed, default=0)
    return [
        one.number
        for one in numbers
        if one.version and one.number < highest and one.number not in needed
    ]
