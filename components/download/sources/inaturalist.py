"""The source `inaturalist`: research-grade observations, photos from the open-data bucket.

API: https://api.inaturalist.org/v1/docs/. Photos: https://github.com/inaturalist/inaturalist-open-data
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise, zip_longest
from typing import Any

from components.common.base.errors import InputError
from components.common.dataset import licences
from components.common.dataset.species import Species
from components.download.candidate import Candidate, Query, entries, objects, text, with_list

API = "https://api.inaturalist.org/v1"
PAGES = "https://www.inaturalist.org"
# Only photos under an open licence are here; the site itself asks not to be used for media.
BUCKET = "https://inaturalist-open-data.s3.amazonaws.com/photos/"
SIZE = "medium"  # 500 pixels at the longer side: enough for a network of 224
PER_PAGE = 200
STRATA = 4  # stretches of the observations' history that take turns
MAX_DIGITS = 18  # of an observation's number
VERSION = "4.0"  # of the Creative Commons licences that iNaturalist uses


def candidates(query: Query) -> Iterator[Candidate]:
    """Photos of the species, one an observation, from all years in turn."""
    taxa = ",".join(sorted(_taxon_id(query, name) for name in query.species.names))
    wanted = ",".join(sorted(licences.check_licences(query.options.licences) - {"pdm"}))
    search: dict[str, str | int] = {
        "taxon_id": taxa,
        "quality_grade": "research",
        "photo_license": wanted,
        "per_page": PER_PAGE,
        "order_by": "id",
    }
    found = with_list(_spread(query, search), "photos", "iNaturalist's observations")
    yield from filter(None, (parse_observation(entry, query.species) for entry in found))


def parse_observation(entry: Mapping[str, Any], species: Species) -> Candidate | None:
    """The first photo of an observation that lies in the open-data bucket."""
    number = text(entry, "id")
    for photo in objects(entry.get("photos")):
        match = re.fullmatch(
            rf"{re.escape(BUCKET)}(\d+)/[a-z]+\.([A-Za-z]+)(?:\?\d+)?", text(photo, "url")
        )
        licence = licences.parse(text(photo, "license_code"))
        if match and licence and number:
            author = text(entry, "user", "name") or text(entry, "user", "login")
            return Candidate(
                url=f"{BUCKET}{match[1]}/{SIZE}.{match[2]}",
                title=text(entry, "taxon", "name") or species.latin or species.label,
                author=author,
                licence=licences.Licence(licence.family, licence.version or VERSION).spdx,
                observation=f"{PAGES}/observations/{number}",
                source_page=f"{PAGES}/photos/{match[1]}",
            )
    return None


def _taxon_id(query: Query, name: str) -> str:
    """INaturalist's number of a taxon.

    Raises:
        InputError: it knows none of exactly this name.
    """
    answer = query.fetcher.json(f"{API}/taxa", {"q": name, "is_active": "true", "per_page": 30})
    taxa = entries(answer, "results", "iNaturalist's taxa")
    for taxon in taxa:
        if text(taxon, "name").lower() == name.lower() and text(taxon, "id"):
            return text(taxon, "id")
    others = ", ".join(sorted({text(taxon, "name") for taxon in taxa} - {""})[:5])
    raise InputError(
        f"iNaturalist knows no active taxon named {name!r}"
        + (f"; it offers {others}" if others else "")
        + ": correct the name in species.yaml"
    )


def _spread(query: Query, search: Mapping[str, str | int]) -> Iterator[Mapping[str, Any]]:
    """Observations from stretches of their history in turn, so that years and seasons mix.

    In the order of their numbers, the first hundreds would come from a few early observers.
    """
    first = _page(query, search)
    if len(first) < PER_PAGE:
        yield from first
        return
    newest = _page(query, {**search, "per_page": 1, "order": "desc"})
    lowest, highest = _number(first[0]), _number((newest or first)[0])
    bounds = [lowest - 1 + (highest - lowest + 1) * n // STRATA for n in range(STRATA + 1)]
    stretches = [_stretch(query, search, above, below + 1) for above, below in pairwise(bounds)]
    for turn in zip_longest(*stretches):
        yield from (entry for entry in turn if entry is not None)


def _stretch(
    query: Query, search: Mapping[str, str | int], above: int, below: int
) -> Iterator[Mapping[str, Any]]:
    """All observations with numbers between `above` and `below`, page after page."""
    while page := _page(query, search, above, below):
        yield from page
        following = _number(page[-1])
        if len(page) < PER_PAGE or following <= above:  # the same page for ever
            return
        above = following


def _page(
    query: Query, search: Mapping[str, str | int], above: int = 0, below: int = 0
) -> list[Mapping[str, Any]]:
    """One page of observations, those between two numbers where `below` is given."""
    bounds: dict[str, str | int] = {"id_above": above, "id_below": below} if below else {}
    answer = query.fetcher.json(f"{API}/observations", {"order": "asc", **bounds, **search})
    return entries(answer, "results", "iNaturalist's observations")


def _number(observation: Mapping[str, Any]) -> int:
    number = text(observation, "id")
    return int(number) if number.isdecimal() and len(number) <= MAX_DIGITS else 0
