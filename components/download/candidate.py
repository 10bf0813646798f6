"""What a source offers and what it is asked for: the one interface of all sources.

A source is a module of `sources/` with a function `candidates(query)` that yields `Candidate`s,
best first, as lazily as it can: how many are needed shows only while they are fetched.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.common.base.errors import WorkError
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher
from components.download.options import DownloadOptions

FETCHED_PER_CLASS = 350  # the tutorial's "250 is a good number", with room for what clean rejects
SAMPLES_PER_CLASS = 60
ENOUGH_RECORDS = 300  # without what each should have: the service has changed


@dataclass(frozen=True)
class Query:
    """One class, asked of a source."""

    species: Species
    options: DownloadOptions
    fetcher: Fetcher


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo that may be taken. Text is empty where nothing is known.

    Attributes:
        url: where the bytes are; an address of the web unless there is `read`.
        title: of the photo.
        author: who made it.
        licence: SPDX identifier, or the source's own words.
        observation: identifies the specimen: photos of one observation show the same.
        source_page: where people look at the photo.
        flags: remarks for the manifest.
        read: gives the bytes, for sources that have them at hand; may raise `UnreadableFile`.
        reason: why it is left out, a word of the manifest; such a photo has no bytes.
    """

    url: str
    title: str = ""
    author: str = ""
    licence: str = ""
    observation: str = ""
    source_page: str = ""
    flags: tuple[str, ...] = ()
    read: Callable[[], bytes] | None = None
    reason: str = ""


class ChangedAnswer(WorkError):
    """A service's answer has not the shape that we rely on."""


def entries(answer: Any, name: str, where: str) -> list[Mapping[str, Any]]:
    """The objects of the list at `name` of a service's answer.

    Raises:
        ChangedAnswer: it is not there, or holds something else.
    """
    listed = answer.get(name) if isinstance(answer, Mapping) else None
    found = objects(listed)
    if not isinstance(listed, list) or (listed and not found):
        raise _changed(name, where)
    return found


def objects(listed: Any) -> list[Mapping[str, Any]]:
    """The objects of a list that a record may have; what is none is passed over."""
    found = listed if isinstance(listed, list) else []
    return [entry for entry in found if isinstance(entry, Mapping)]


def with_list(
    records: Iterable[Mapping[str, Any]], name: str, where: str
) -> Iterator[Mapping[str, Any]]:
    """The records that have a list at `name`: one that lacks it costs that record alone.

    Raises:
        ChangedAnswer: none of them has, or of the first `ENOUGH_RECORDS`.
    """
    number, some = 0, False
    for number, record in enumerate(records, start=1):
        if isinstance(record.get(name), list):
            some = True
            yield record
        elif not some and number == ENOUGH_RECORDS:
            break
    if not some and number:
        raise _changed(name, where)


def _changed(name: str, where: str) -> ChangedAnswer:
    return ChangedAnswer(
        f"the answer of {where} has no list {name!r} of objects: the service may have changed; "
        "make check-sources shows which"
    )


def text(entry: Any, *path: str) -> str:
    """The text or number at a path of names in an answer, as text; empty where there is none."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    if isinstance(entry, bool) or not isinstance(entry, str | int):
        return ""
    return str(entry).strip()
