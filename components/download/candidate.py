"""What a source offers and what it is asked for: the one interface of all sources.

A source is a module of `sources/` with a function `candidates(query)` that yields `Candidate`s,
best first, as lazily as it can: how many are needed shows only while they are fetched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import WorkError
from components.common.dataset.licences import DEFAULT_LICENCES
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher

FETCHED_PER_CLASS = 350  # the tutorial's "250 is a good number", with room for what clean rejects
SAMPLES_PER_CLASS = 60
MIN_PER_CLASS = 20  # the original retrain.py warned below this
IMAGENET_ARCHIVE = "https://image-net.org/data/winter21_whole/{wordnet_id}.tar"


@dataclass(frozen=True)
class Options:
    """How photos are gathered: the options of the step.

    Attributes:
        source: names of sources, comma-separated; each tops up what those before it lacked.
        image_dir: folder of class folders, or a gs:// or s3:// prefix of them.
        url_list: txt, csv or parquet file of URLs, or its address.
        imagenet: archive, URL list or folder of them; "{wordnet_id}" stands for the class's id.
        per_class: photos wanted per class; 0: 60 of the sample, all of a folder, 350 of the rest.
        min_per_class: fewer fetched photos than this fail the step.
        licences: licence families that are taken, comma-separated.
        per_observer: photos taken from one author of inaturalist, gbif and commons; 0: any number.
        contact: e-mail address or page of whoever runs this, told to the hosts.
        allow_private_hosts: names or addresses, comma-separated, that may be fetched from although
            they are not public.
        workers: fetches at once.
        cache_dir: where fetched bytes are kept; empty: the user's cache folder.
        seed: of the sample's rendering.
    """

    source: str = "sample"
    image_dir: str = ""
    url_list: str = ""
    imagenet: str = IMAGENET_ARCHIVE
    per_class: int = 0
    min_per_class: int = MIN_PER_CLASS
    licences: str = DEFAULT_LICENCES
    per_observer: int = 5
    contact: str = ""
    allow_private_hosts: str = ""
    workers: int = 8
    cache_dir: str = ""
    seed: int = 0


HELP = {
    "source": (
        "where photos come from: sample, folder, storage, urls, inaturalist, gbif, commons or "
        "imagenet; several with commas, each tops up those before it"
    ),
    "image_dir": "folder with one subfolder of photos per class, or a gs:// or s3:// prefix",
    "url_list": "txt, csv or parquet file of addresses with their labels, for the source urls",
    "imagenet": "archive or URL list for the source imagenet; {wordnet_id} stands for the class's",
    "per_class": "photos per class; 0: 60 of the sample, all of a folder, 350 of other sources",
    "min_per_class": "fewer fetched photos than this fail the download",
    "licences": "licences that are taken: cc0, cc-by, cc-by-sa, cc-by-nc, cc-by-nc-sa",
    "per_observer": "photos taken from one author of inaturalist, gbif, commons; 0: any number",
    "contact": "your e-mail address or page, told to the hosts that photos come from",
    "allow_private_hosts": "hosts, with commas, that may be fetched from though not public",
    "workers": "fetches at once",
    "cache_dir": "where photos, networks and vectors are kept; the user's cache folder by default",
    "seed": "same seed and photos, same model",
}


@dataclass(frozen=True)
class Query:
    """One class, asked of a source."""

    species: Species
    options: Options
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


def expanded(place: str) -> Path:
    """A local path as the user wrote it, with ~ replaced."""
    return Path(place).expanduser()
