"""Photos in a bucket: which objects are taken for photos, and their bytes.

The listing comes by pages, and an object is read whole into memory, never to the disk. It goes by
names, since a look at the content costs a request: an object is taken if its name ends like a
photo's, or has no ending at all. What it really is, its content says when it is read.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from components.common.base.errors import InputError
from components.common.base.step import warn
from components.common.base.wording import counted
from components.common.dataset.photo_files import MAX_FILE_BYTES, is_named_like_photo
from components.common.store import storage
from components.common.store.storage import StoredObject


class Unreadable(Exception):
    """The bytes of one photo could not be had; the message says why, without its name."""


def is_object(place: str) -> bool:
    """True where an address names one object, by the ending of its name, and no prefix."""
    return storage.is_uri(place) and is_named_like_photo(place)


def root(place: str) -> str:
    """What the addresses of all objects below a prefix begin with, up to its slash."""
    return f"{storage.plain(place)}/"


def photos(place: str) -> Iterator[StoredObject]:
    """The objects below a prefix that are taken for photos, in the order of the store.

    Whatever is hidden, that is below or of a name with a dot before it, is left out. At the end a
    warning says how many objects were none.

    Raises:
        InputError: no such bucket, no permission or no credentials.
        WorkError: the store cannot be reached.
    """
    first, others, example = root(place), 0, ""
    for stored in storage.list_objects(place):
        name = stored.uri.removeprefix(first)
        if name.endswith("/") or any(part.startswith(".") for part in name.split("/")):
            continue
        if is_named_like_photo(name) or not PurePosixPath(name).suffix:
            yield stored
        else:
            others, example = others + 1, example or stored.uri
    if others:
        count = counted(others, "object is not a photo", "objects are not photos")
        warn(f"{first}: {count} by the name, such as {example}")


class ObjectReader:
    """Reads objects; threads may share one.

    What is wrong with one object is that photo's failure. What is wrong with the store, or with
    our rights there, ends the work: else every photo after it would fail.
    """

    def __init__(self) -> None:
        self._has_read = False
        self._refusal: InputError | None = None

    def read(self, uri: str, *, version: str = "") -> bytes:
        """The bytes of one photo.

        Args:
            uri: of the object.
            version: that is expected; empty for any.

        Raises:
            Unreadable: there is no such object, or it is too large, empty or refused.
            InputError: the store refuses us altogether.
            WorkError: the store cannot be reached.
        """
        try:
            found = storage.find(uri, max_bytes=MAX_FILE_BYTES)
        except InputError as error:
            self._refusal = error
            # A right that has run out shows in that we may not list any more.
            next(iter(storage.list_objects(uri.rpartition("/")[0])), None)
            raise Unreadable(str(error).removeprefix(f"{uri} ")) from error
        self._has_read = True
        if found is None:
            raise Unreadable("there is no such object")
        data, found_version = found
        if version and found_version != version:
            raise Unreadable("it was replaced since it was listed")
        if not data:
            raise Unreadable("it is empty")
        return data

    def check_rights(self) -> None:
        """Raise `InputError` where objects were refused and none could be read so far."""
        if self._refusal and not self._has_read:
            raise self._refusal
