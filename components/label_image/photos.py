"""The photos that a command line names: files, folders, buckets, addresses, standard input."""

import glob
import itertools
import os
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from components.common.base import cache_place
from components.common.base.errors import InputError, WorkError
from components.common.base.step import warn
from components.common.base.wording import counted
from components.common.base.worker_threads import map_in_threads
from components.common.dataset.photo_files import MAX_FILE_BYTES, objection
from components.common.dataset.vocabulary import HIDDEN, TOO_LARGE
from components.common.photos import file_types
from components.common.store import storage
from components.label_image import stored
from components.label_image.stored import ObjectReader, Unreadable

if TYPE_CHECKING:
    from components.common.web.fetch import Fetcher

STANDARD_INPUT = "-"
_TAKEN = ("", TOO_LARGE)  # one that is too large says so where it is read
REFUSED = "refused address"  # the fetcher's word for a host that is not public
READERS = 8  # photos that are read at once: what is waited for is the network, or a slow disk
MAX_NAMED = 5  # files in a message
AHEAD = 16  # photos in memory before they are asked for: one batch of the network


def find(places: Sequence[str]) -> Iterator[str]:
    """The photos that these places name, in order.

    Of folders, however deep, and of patterns only photos are taken (dataset/photo_files.py says
    which files are); hidden folders are left out. Every place is looked at before the first photo
    is given.

    Args:
        places: files, folders, patterns such as "photos/*.jpg", http and https addresses, gs:// and
            s3:// prefixes or objects, and "-" for standard input.

    Raises:
        InputError: a folder, pattern or prefix holds no photo, no file exists, or nothing is named.
            One missing file among others is a failure of that photo alone.
    """
    if not places:
        raise InputError(
            "no photo was named: give files, folders, patterns, buckets (gs, s3), addresses (http, "
            "https), or - for standard input"
        )
    if list(places).count(STANDARD_INPUT) > 1:
        raise InputError("standard input (-) holds one photo, and was named more than once")
    single = [place for place in places if is_one(place) and place != STANDARD_INPUT]
    files = [place for place in single if not is_address(place) and not storage.is_uri(place)]
    if len(files) == len(places) and not any(Path(file).expanduser().exists() for file in files):
        raise InputError(f"there is no photo at {', '.join(files[:MAX_NAMED])}")
    for place in places:
        if not is_one(place) and next(_expanded(place), None) is None:
            raise InputError(f"there are no photos at {place}: expected {file_types.NAMES}")
    return itertools.chain.from_iterable(map(_expanded, places))


def is_address(place: str) -> bool:
    """True for http and https addresses."""
    return place.lower().startswith(("http://", "https://"))


def is_one(place: str) -> bool:
    """True where a place names one photo, False for folders, patterns and prefixes."""
    if storage.is_uri(place):
        return stored.is_object(place)
    return place == STANDARD_INPUT or is_address(place) or not _is_folder_or_pattern(place)


def _is_folder_or_pattern(place: str) -> bool:
    path = Path(place).expanduser()
    return path.is_dir() or (glob.has_magic(place) and not path.exists())


def _expanded(place: str) -> Iterator[str]:
    if is_one(place):
        yield storage.canonical(place)
    elif storage.is_uri(place):
        yield from (one.uri for one in stored.photos(place))
    elif Path(place).expanduser().is_dir():
        yield from below(str(Path(place).expanduser()))
    else:
        for path in sorted(_fitting(place)):
            if not Path(path).is_dir():
                yield path
            # Whatever "**" matches, it matches each file below on its own.
            elif "**" not in place:
                yield from below(path)


def _fitting(pattern: str) -> Iterator[str]:
    """Photos and folders that fit a pattern; "**" does not follow links to folders."""
    parts = Path(pattern).expanduser().parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    base, rest = Path(*parts[:fixed]), "/".join(parts[fixed:])
    if parts[-1] == "**":
        rest += "/*"
    try:
        for path in base.glob(rest):
            hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
            if not hidden and (path.is_dir() or _is_photo(str(path))):
                yield str(path)
    except ValueError as error:
        raise InputError(f"{pattern} is not a valid pattern: {error}") from error


def below(folder: str) -> Iterator[str]:
    """Photos of a folder and of those below it, sorted; links to folders are not followed.

    At its end a warning says how many files were none.
    """
    others: list[str] = []
    for directory, folders, files in os.walk(folder, onerror=_skipped):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = str(Path(directory, name))
            reason = objection(Path(path))
            if reason in _TAKEN:
                yield path
            elif reason != HIDDEN:
                others.append(path)
    if others:
        count = counted(len(others), "file is not a photo", "files are not photos")
        warn(f"{folder}: {count}, such as {others[0]}")


def _skipped(error: OSError) -> None:
    warn(f"the folder {error.filename} was left out: {error.strerror}")


def _is_photo(path: str) -> bool:
    return objection(Path(path)) in _TAKEN


class Reader(AbstractContextManager["Reader"]):
    """Reads photos by the names that `find` gives; threads may share one.

    Args:
        cache_dir: where the fetcher keeps what it needs; used only for addresses.
        allowed_hosts: names and addresses that may be fetched from although they are not public.
    """

    def __init__(self, cache_dir: Path, allowed_hosts: Collection[str] = ()) -> None:
        self._cache_dir = cache_dir
        self._allowed_hosts = allowed_hosts
        self._fetcher: Fetcher | None = None
        self._objects = ObjectReader()
        self._lock = threading.Lock()

    def __exit__(self, *error: Any) -> None:
        if self._fetcher is not None:
            self._fetcher.__exit__(*error)

    def read(self, name: str) -> bytes:
        """The bytes of one photo.

        Raises:
            Unreadable: they cannot be had, there are none, or more than of any photo.
            InputError, WorkError: an object store refuses us, or cannot be reached.
        """
        if is_address(name):
            return self._fetched(name)
        if storage.is_uri(name):
            return self._objects.read(name)
        try:
            if name == STANDARD_INPUT:
                return bounded(sys.stdin.buffer)
            with open(Path(name).expanduser(), "rb") as file:
                return bounded(file)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error

    def _fetched(self, url: str) -> bytes:
        from components.common.web.fetch_outcome import FetchError

        try:
            # What an address gives may change from one day to the next: a webcam's picture does.
            return self._fetcher_of_all().photo(url, max_age_s=0).read()
        except FetchError as error:
            hint = "; --allow_private_hosts allows it" if error.reason == REFUSED else ""
            detail = f" ({error.detail}{hint})" if error.detail else ""
            raise Unreadable(f"{error.reason}{detail}") from error
        except WorkError as error:  # a host that must not be asked for more today
            raise Unreadable(str(error)) from error

    def _fetcher_of_all(self) -> "Fetcher":
        from components.common.web.fetch import Fetcher

        with self._lock:
            if self._fetcher is None:
                self._fetcher = Fetcher(
                    cache_place.usable(self._cache_dir),
                    allowed_hosts=self._allowed_hosts,
                    workers=READERS,
                )
            return self._fetcher


def bounded(file: IO[bytes]) -> bytes:
    """The content of a file that a photo may have.

    Raises:
        Unreadable: there is none, or more than of any photo.
    """
    data = file.read(MAX_FILE_BYTES + 1)
    if not data:
        raise Unreadable("it is empty")
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(f"it is larger than {MAX_FILE_BYTES} bytes")
    return data


def read_ahead(names: Iterable[str], reader: Reader) -> Iterator[tuple[str, bytes | Unreadable]]:
    """Each photo's name with its bytes, or why there are none, in order.

    Several are read at once, and never more than `AHEAD` before they are asked for.
    """

    def attempt(name: str) -> tuple[str, bytes | Unreadable]:
        try:
            return name, reader.read(name)
        except Unreadable as failure:
            return name, failure

    return map_in_threads(attempt, names, threads=READERS, ahead=AHEAD)
