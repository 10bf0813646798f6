"""What there is in a place, and whether it may go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components.common.base.wording import counted
from components.common.store import storage


@dataclass(frozen=True)
class Entry:
    """Something that goes as a whole, or not at all.

    Attributes:
        name: below the place.
        size: in bytes.
        since: when it was last of use to somebody, UTC; None where nobody knows.
        stays: why it never goes; empty where its age decides.
        group: what it is one of, in a word or two.
        modified: when it was changed; it is not removed where that is another by then.
    """

    name: str
    size: int
    since: datetime | None
    stays: str = ""
    group: str = ""
    modified: datetime | None = None


@dataclass(frozen=True)
class Judged:
    """An entry with the reason why it stays; empty for one that may go."""

    entry: Entry
    stays: str


def judge(
    entries: Sequence[Entry], age: timedelta, keep: int, now: datetime, youngest: timedelta
) -> list[Judged]:
    """Which of these may go, oldest first.

    Args:
        entries: of one place.
        age: what is younger stays.
        keep: so many of each group stay, the newest; 0 for no such rule.
        now: the time.
        youngest: what is younger than this stays, whatever is asked: somebody may be at work.
    """
    dated = sorted(entries, key=lambda one: (one.since or now, one.name))
    newest: set[str] = set()
    for group in {one.group for one in dated}:
        mine = [one.name for one in dated if one.group == group]
        newest |= set(mine[-keep:]) if keep else set()
    return [Judged(one, _why(one, newest, age, now, youngest)) for one in dated]


def _why(entry: Entry, newest: set[str], age: timedelta, now: datetime, youngest: timedelta) -> str:
    if entry.stays:
        return entry.stays
    if entry.since is None:
        return "its age is not known"
    if entry.name in newest:
        return "one of the newest (--keep)"
    if entry.since > now - age:
        return "younger than --older_than"
    if entry.since > now - youngest:
        hours = round(youngest / timedelta(hours=1))
        return f"it may be in use: at least {counted(hours, 'hour')} must have passed"
    return ""


@dataclass(frozen=True)
class File:
    """A file or object: its name below the place, size in bytes, and when it was changed, UTC."""

    name: str
    size: int
    modified: datetime


def files_in(place: str) -> Iterator[File]:
    """All files of a folder, or objects below a prefix, sorted; links are not followed.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    if storage.is_uri(place):
        for one in storage.list_objects(place):
            yield File(one.uri.removeprefix(f"{place}/"), one.size, one.modified)
        return
    for path in sorted(Path(place).rglob("*")):
        if path.is_file() and not path.is_symlink():
            about = path.stat()
            yield File(path.relative_to(place).as_posix(), about.st_size, at(about.st_mtime))


def at(seconds: float) -> datetime:
    """A file's time."""
    return datetime.fromtimestamp(seconds, UTC)


def remove_file(place: str, name: str) -> None:
    """Remove a file or object, if it is there."""
    if storage.is_uri(place):
        storage.delete(f"{place}/{name}")
    else:
        Path(place, name).unlink(missing_ok=True)
