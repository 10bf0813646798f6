"""What is published under a name: its versions, and `memory/` with what runs remember.

The files of `memory/` are never changed. `memory.json` names the newest; what it does not name any
more was replaced when the next file of the same kind was written.
"""

import contextlib
import re
from pathlib import Path

from components.common.dataset import memory
from components.common.model.model_place import find_pointer
from components.common.store import storage
from components.common.store.alone import alone_in
from components.publish import versions
from programs.tidy.entries import Entry, File, files_in, remove_file

_FILE = re.compile(r"(ledger|decisions)-[0-9a-f]{32}\.(parquet|json)")
_MEMORY = f"{memory.FOLDER}/"


def is_published(place: str) -> bool:
    """Whether models are published here, or a run has left a memory."""
    found = storage.find_place(f"{place}/{memory.FILE_NAME}", max_bytes=memory.MAX_BYTES)
    return found is not None or find_pointer(place) is not None


def entries(place: str) -> list[Entry]:
    """Versions, which another command removes, and the files of the memory.

    Raises:
        InputError: `memory.json` is damaged or of a newer version: nobody knows what it names.
        WorkError: the store cannot be reached.
    """
    # Before the files are listed: one that is written later is not among them.
    named = _named(place)
    there = list(files_in(place))
    return [*_versions(place, there), *_memory(there, named)]


def _versions(place: str, there: list[File]) -> list[Entry]:
    if find_pointer(place) is None:
        return []
    found = []
    for one in versions.versions(versions.root_at(place)):
        size = sum(file.size for file in there if file.name.startswith(f"{one.name}/"))
        stays = "served" if one.served else "published: `mushrooms models prune` removes versions"
        found.append(Entry(one.name, size, one.published, stays, "versions"))
    return found


def _memory(there: list[File], named: set[str]) -> list[Entry]:
    found = []
    latest = next((one.modified for one in there if one.name == memory.FILE_NAME), None)
    for file, kind in _remembered(there):
        name = file.name
        later = [
            one.modified
            for one, of in _remembered(there)
            if of == kind and one.modified > file.modified
        ]
        since = min(later, default=latest)
        stays = f"{memory.FILE_NAME} names it: the next run reads it" if name in named else ""
        found.append(Entry(name, file.size, since, stays, kind, file.modified))
    return found


def _remembered(there: list[File]) -> list[tuple[File, str]]:
    """The files of the memory, each with its kind."""
    matches = ((one, _FILE.fullmatch(one.name.removeprefix(_MEMORY))) for one in there)
    return [(one, match[1]) for one, match in matches if match and one.name.startswith(_MEMORY)]


def remove(place: str, entry: Entry) -> str:
    """Remove a file of the memory; why not, where it is named by now or was written again."""
    is_folder = not storage.is_uri(place)
    with alone_in(Path(place)) if is_folder else contextlib.nullcontext():
        folder = f"{place}/{memory.FOLDER}"
        now = {f"{_MEMORY}{one.name}": one.modified for one in files_in(folder)}
        if entry.name in _named(place) or now.get(entry.name, entry.modified) != entry.modified:
            return "a run has written or named it meanwhile"
        remove_file(place, entry.name)
    return ""


def _named(place: str) -> set[str]:
    known = memory.read(place)
    both = (known.ledger, known.decisions)
    return {one.removeprefix(f"{place}/") for one in both if one}
