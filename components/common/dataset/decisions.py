"""What a person decided about single photos on the review page: keep this one, drop that one.

A decision names a photo by its class and the SHA-256 of its bytes as fetched, so it holds for the
same photo in every later run, whatever its file is called and wherever it lies.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from components.common.base.errors import InputError
from components.common.base.options import option
from components.common.dataset.photo import Photo, check_label
from components.common.store import storage

FORMAT = "wild-mushrooms-decisions"
FORMAT_VERSION = "1"
KEEP, DROP = "keep", "drop"
MAX_BYTES = 16 * 1024**2  # 100,000 decisions
_SHA256 = re.compile(r"[0-9a-f]{64}")

Key = tuple[str, str]
# The option of every step that heeds them.
decisions_option = functools.partial(
    option,
    "",
    "file of decisions by hand, as curation.html exports it; a path, gs://… or s3://…; empty for "
    "none",
    place="read",
    in_form=True,
)


class Decisions:
    """Decisions by (label, SHA-256 of the bytes as fetched)."""

    def __init__(self, decided: Mapping[Key, str] | None = None) -> None:
        self.decided = dict(decided or {})

    def of(self, photo: Photo) -> str:
        """`KEEP`, `DROP`, or nothing."""
        return self.decided.get(key_of(photo), "")

    def keeps(self, photo: Photo) -> bool:
        """True where a person wants the photo kept."""
        return self.of(photo) == KEEP

    def drops(self, photo: Photo) -> bool:
        """True where a person wants the photo dropped."""
        return self.of(photo) == DROP

    def unknown(self, photos: Iterable[Photo]) -> list[Key]:
        """The decisions about photos that are not among these."""
        return sorted(set(self.decided) - {key_of(photo) for photo in photos})


def key_of(photo: Photo) -> Key:
    """What a decision names a photo by."""
    return photo.label, photo.source_sha256


def read(place: str) -> Decisions:
    """The decisions of a file that the review page wrote; an empty `place` holds none.

    Args:
        place: a path, or gs://… or s3://….

    Raises:
        InputError: there is no such file, or it is no decisions file.
    """
    if not place:
        return Decisions()
    data = storage.read_place(place, max_bytes=MAX_BYTES)
    try:
        content = json.loads(data)
        if content["format"] != FORMAT or content["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its format is not {FORMAT} {FORMAT_VERSION}")
        return Decisions(_parse(content["decisions"]))
    except (ValueError, TypeError, KeyError, RecursionError, InputError) as error:
        raise InputError(
            f"{place} is no file of decisions as curation.html exports it: {_why(error)}"
        ) from error


def _parse(entries: Any) -> dict[Key, str]:
    if not isinstance(entries, list):
        raise ValueError("`decisions` is no list")
    decided: dict[Key, str] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise ValueError(f"entry {number} is no object")
        label, sha256, decision = (
            entry.get(name) for name in ("label", "source_sha256", "decision")
        )
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ValueError(f"entry {number} has no source_sha256 of 64 hexadecimal digits")
        if decision not in (KEEP, DROP):
            raise ValueError(f"entry {number} decides {decision!r:.40}, not {KEEP!r} or {DROP!r}")
        if not isinstance(label, str):
            raise ValueError(f"entry {number} names no label")
        key = (check_label(label), sha256)
        if decided.setdefault(key, decision) != decision:
            raise ValueError(f"entry {number} drops a photo that another one keeps: {key}")
    return decided


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
