"""The cache: everything in it is fetched or computed again where it is needed."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from components.common.base import temporary
from components.common.store import storage
from programs.tidy.entries import Entry, at

# What goes as a whole, by its path in the cache; each folder's meaning is in docs/operations.md.
# `weights`, the counts of today's requests and a person's own files are none of them.
UNITS = (
    re.compile(r"(fetched)/(?:urls|objects)/[0-9a-f]{2}/[0-9a-f]{64}"),
    re.compile(r"(bottlenecks)/[0-9a-f]{64}/[0-9a-f]{16}\.npz"),
    re.compile(r"(backbones)/[A-Za-z0-9_.]{1,80}-[0-9a-f]{16}"),
    re.compile(r"(models)/[0-9a-f]{32}"),
)
WEIGHTS = "weights"
DEEPEST = 4  # parts of such a path
_PARTIAL = re.compile(rf"\..*\.{temporary.PARTIAL}-[0-9a-f]{{8}}")
SIGNS = ("fetched/urls", "fetched/objects", "bottlenecks", "backbones")


def is_cache(place: str) -> bool:
    """Whether this is a cache."""
    if storage.is_uri(place):
        return False
    return any(
        kind.match(f"{one.relative_to(place).as_posix()}")
        for sign in SIGNS
        for one in _below(Path(place), Path(place, sign))
        for kind in UNITS
    )


def entries(place: str) -> list[Entry]:
    """Everything that may go, and the pretrained weights, which every run needs."""
    root = Path(place)
    found = []
    for path in _below(root, root):
        name = path.relative_to(root).as_posix()
        match = next((match for kind in UNITS if (match := kind.fullmatch(name))), None)
        if match:
            size, used = _measured(path)
            found.append(Entry(name, size, used, "", match[1], used))
        elif _PARTIAL.fullmatch(path.name) and "/" in name:
            size, used = _measured(path)
            stays = "" if temporary.is_abandoned(path) else "a process is writing it"
            found.append(Entry(name, size, used, stays, "left by killed processes", used))
        elif path.parent == root / WEIGHTS:
            size, used = _measured(path)
            found.append(Entry(name, size, used, "pretrained weights", WEIGHTS, used))
    return found


def remove(place: str, entry: Entry) -> str:
    """Remove a file or folder; why not, where it was used meanwhile."""
    path = Path(place, entry.name)
    try:
        if _measured(path)[1] != entry.since:
            return "it was used meanwhile"
    except FileNotFoundError:
        return ""
    if path.is_dir():
        temporary.discard(path)
    else:
        path.unlink(missing_ok=True)
    return ""


def _below(root: Path, folder: Path) -> Iterator[Path]:
    """Files and folders, not those in folders that go as a whole; links are left alone."""
    try:
        there = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in there:
        if path.is_symlink():
            continue
        yield path
        name = path.relative_to(root).as_posix()
        is_unit = any(kind.fullmatch(name) for kind in UNITS) or _PARTIAL.fullmatch(path.name)
        if path.is_dir() and not is_unit and name.count("/") + 1 < DEEPEST:
            yield from _below(root, path)


def _measured(path: Path) -> tuple[int, datetime]:
    """Bytes, and when it was last read or written (on most disks, to the day)."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    abouts = [one.lstat() for one in files]
    # Listing a folder counts as reading it.
    times = [
        max(one.st_mtime, 0 if file.is_dir() else one.st_atime)
        for file, one in zip(files, abouts, strict=True)
    ]
    sizes = [0 if file.is_dir() else one.st_size for file, one in zip(files, abouts, strict=True)]
    return sum(sizes), at(max(times))
