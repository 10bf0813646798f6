"""What a source offers and what it is asked for: the one interface of all sources.

A source is a module of `sources/` with a function `candidates(query)` that yields `Candidate`s,
best first, as lazily as it can: how many are needed shows only while they are fetched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.common.base.errors import WorkError
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher
from components.download.options import DownloadOptions

FETCHED_PER_CLASS = 350  # the tutorial's "250 is a good number", with room for what clean rejects
SAMPLES_PER_CLASS = 60


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
        read: gives the bytes, for sources that have them at hand.
    """

    url: str
    title: str = ""
    author: str = ""
    licence: str = ""
    observation: str = ""
    source_page: str = ""
    flags: tuple[str, ...] = ()
    read: Callable[[], bytes] | None = None


class ChangedAnswer(WorkError):
    """A service's answer has not the shape that we rely on."""


def entries(answer: Any, name: str, where: str) -> list[Mapping[str, Any]]:
    """The list of objects at `name` of a service's answer.

    Raises:
        ChangedAnswer: it is not there.
    """
    listed = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise ChangedAnswer(
            f"the answer of {where} has no list {name!r} of objects: the service may have changed; "
            "make check-sources shows which"
        )
    return listed


def text(entry: Any, *path: str) -> str:
    """The text or number at a path of names in an answer, as text; empty where there is none."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    if isinstance(entry, bool) or not isinstance(entry, str | int):
        return ""
    return str(entry).strip()
