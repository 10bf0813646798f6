"""The source `storage`: class folders below a gs:// or s3:// prefix, or in a local folder."""

import collections
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from components.common.base.errors import InputError
from components.common.base.step import warn
from components.common.base.wording import counted
from components.common.dataset import class_folders, layouts, photo_files
from components.common.dataset.photo import check_labels
from components.common.store import storage
from components.common.store.storage import StoredObject
from components.common.web.fetch import PHOTO_MAX_BYTES
from components.common.web.fetch_cache import FetchCache
from components.common.web.fetch_outcome import FetchError
from components.download.candidate import Candidate, Query
from components.download.sources import folder


def candidates(query: Query) -> Iterator[Candidate]:
    """The objects of the class folder that are photos by their names, or by their content."""
    prefix, label = query.options.image_dir, query.species.label
    if not storage.is_uri(prefix):
        yield from folder.candidates(query)
        return
    place = f"{storage.plain(prefix)}/{label}"
    found = 0
    deeper: collections.Counter[str] = collections.Counter()
    for stored in storage.list_objects(place):
        name = PurePosixPath(stored.uri).name
        if name.startswith("."):
            continue
        directly_in = stored.uri.rpartition("/")[0]
        if directly_in != place:
            deeper[directly_in] += 1
            continue
        found += 1
        yield Candidate(url=stored.uri, read=functools.partial(_read, stored, query.fetcher.cache))
    if deeper:
        _tell_deeper(place, found, deeper)


def _tell_deeper(place: str, found: int, deeper: Mapping[str, int]) -> None:
    """Say which photos are not read, as they do not lie directly in the folder of their class."""
    told = layouts.told_unread(place, sum(deeper.values())) + min(deeper)
    if not found:
        raise InputError(f"{told}; name the folder above the classes, or move the photos up")
    warn(told)


def list_classes(prefix: str) -> list[str]:
    """The class names below a prefix.

    Raises:
        InputError: there are fewer than two, or they cannot be listed.
    """
    if not storage.is_uri(prefix):
        return class_folders.list_classes(Path(prefix).expanduser())
    names = [name for name in storage.list_folders(prefix) if name[:1] != "."]
    labels = check_labels(names, prefix)
    if layouts.are_parts(labels):
        raise InputError(
            f"{prefix} holds parts, not classes ({', '.join(labels)}): take one of them, such as "
            f"{prefix.rstrip('/')}/{layouts.part_to_learn_from(labels)}; {layouts.OWN_PARTS}"
        )
    if len(labels) < 2:
        raise InputError(
            f"{prefix} holds {counted(len(labels), 'class folder')}: a classifier needs at "
            f"least two, such as {prefix.rstrip('/')}/daisy/1.jpg and "
            f"{prefix.rstrip('/')}/roses/1.jpg"
        )
    return labels


def _read(stored: StoredObject, cache: FetchCache) -> bytes:
    """The object, from the cache if this version of it was read before."""
    key = f"{stored.uri}#{stored.version}"
    fetched = cache.lookup(key)
    if fetched is None:
        try:
            data = storage.read_place(stored.uri, max_bytes=PHOTO_MAX_BYTES)
        except InputError as error:  # one object that is too large, or gone, spoils no class
            raise FetchError("unreadable object", stored.uri, str(error)) from error
        fetched = cache.store(key, data)
    data = fetched.read()
    if not (photo_files.is_named_like_photo(stored.uri) or photo_files.is_photo(data)):
        raise FetchError("no picture", stored.uri)
    return data
