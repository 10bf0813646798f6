"""Runs of this machine: `runs/20261124-005154`, each a folder with everything that it made."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components.common.base import temporary
from components.common.base.errors import InputError, WorkError
from components.common.dataset import decisions, memory
from components.common.model import layout
from components.common.model.description import read_description
from components.common.model.model_place import version_of
from components.common.store import storage
from components.publish import places
from programs.review.store import FILE_NAME as DECISIONS
from programs.run.local import LATEST
from programs.tidy.entries import Entry, at
from programs.verify.verify import SUMMARY  # the last file that a run writes

_NAME = re.compile(r"[0-9]{8}-[0-9]{6}(-learning-curve)?(-[0-9]{1,2})?")
# A run writes a line into its log every 30 s.
AT_WORK = timedelta(days=1)
REQUEST, REQUEST_MAX_BYTES = "request.json", 16 * 1024**2


def is_runs(place: str) -> bool:
    """Whether this is a folder of runs."""
    if storage.is_uri(place) or not Path(place).is_dir():
        return False
    return any((run / REQUEST).is_file() for run in _runs(place))


def _runs(place: str) -> list[Path]:
    return [
        path
        for path in sorted(Path(place).iterdir())
        if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]


def entries(place: str) -> list[Entry]:
    """The runs. What else lies there, such as published models, is not looked at."""
    used = _used_now(place)
    return [
        Entry(run.name, _size(run), _changed(run), _stays(run, used), "runs")
        for run in _runs(place)
    ]


def remove(place: str, entry: Entry) -> str:
    """Remove a run; why not, where something depends on it by now."""
    run = Path(place, entry.name)
    if _changed(run) != entry.since:
        return "it changed meanwhile"
    if stays := _stays(run, _used_now(place)):
        return stays
    temporary.discard(run)
    return ""


def _used_now(place: str) -> list[str]:
    """Paths that runs at work were told."""
    return [text for run in _runs(place) if _at_work(run) for text in _texts(_arguments(run))]


def _stays(run: Path, used: list[str]) -> str:
    """Why a run stays whatever its age; empty where nothing depends on it."""
    latest = run.parent / LATEST
    if latest.is_symlink() and latest.resolve() == run.resolve():
        return f"{LATEST} leads to it"
    if _at_work(run):
        return "it may be running: it is not finished, and was changed within a day"
    here = f"{run.resolve()}{os.sep}"
    if any(f"{Path(text).resolve()}{os.sep}".startswith(here) for text in used):
        return "a run that may be running uses it"
    return _published(run) or _decided(run)


def _at_work(run: Path) -> bool:
    is_new = datetime.now(UTC) - _changed(run) < AT_WORK
    return is_new and not (run / SUMMARY).is_file()


def _changed(run: Path) -> datetime:
    """When a run was last changed: its log, or any other file directly in its folder."""
    with os.scandir(run) as found:
        times = [one.stat(follow_symlinks=False).st_mtime for one in found]
    return at(max(times, default=run.stat().st_mtime))


def _published(run: Path) -> str:
    """Why a run stays that a published model was made in: there is what that was trained on."""
    root = _root_of(run)
    if not (root and (run / "model" / layout.DESCRIPTION).is_file()):
        return ""
    try:
        version = version_of(read_description(run / "model"))
        place = f"{root}/{version}/{layout.DESCRIPTION}"
        there = storage.find_place(place, max_bytes=REQUEST_MAX_BYTES)
    except (InputError, WorkError) as error:
        return f"whether its model is published cannot be told: {error}"
    return (
        ""
        if there is None
        else f"its model is published as {version}, and its photos and ledger are here"
    )


def _decided(run: Path) -> str:
    """Why a run stays that holds a person's decisions which are kept nowhere else."""
    path, root = run / DECISIONS, _root_of(run)
    if not path.is_file():
        return ""
    try:
        mine = decisions.read(str(path))
        known = decisions.read(memory.read(root).decisions if root else "")
    except (InputError, WorkError) as error:
        return f"its decisions by hand cannot be compared with the memory: {error}"
    kept = {key: known.decided.get(key) for key in mine.decided} == mine.decided
    return "" if kept else f"{DECISIONS}: decisions by hand that no memory keeps"


def _root_of(run: Path) -> str:
    """Where the run publishes to; empty where that is not known."""
    asked = _arguments(run)
    try:
        return places.root_of(str(asked.get("publish_dir", "")), str(asked.get("name", "")))
    except InputError:
        return ""


def _arguments(run: Path) -> dict[str, Any]:
    try:
        data = storage.find_place(str(run / REQUEST), max_bytes=REQUEST_MAX_BYTES)
        arguments = json.loads(data or b"{}")["arguments"]
    except (InputError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _texts(arguments: dict[str, Any]) -> list[str]:
    """Values that may be paths."""
    texts = [value for value in arguments.values() if isinstance(value, str)]
    return [text for text in texts if text and not storage.is_uri(text) and len(text) < 4096]


def _size(folder: Path) -> int:
    """Bytes that a folder takes; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except OSError:  # it went meanwhile
                continue
    return total
