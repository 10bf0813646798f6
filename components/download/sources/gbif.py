"""The source `gbif`: photos of occurrence records. API: https://techdocs.gbif.org/en/openapi/."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.common.base.errors import InputError
from components.common.base.wording import named
from components.common.dataset import licences
from components.common.dataset.species import MAX_NAME, Species
from components.download.candidate import (
    Candidate,
    ChangedAnswer,
    Query,
    entries,
    objects,
    text,
    with_list,
)
from components.download.sources import inaturalist

API = "https://api.gbif.org/v1"
PAGES = "https://www.gbif.org"
PER_PAGE = 300  # the most that the service gives
SEARCH = "GBIF's occurrence search"
SHOWN = 5  # taxa in a message
MAX_OFFSET = 100_000  # the service refuses to go further


def candidates(query: Query) -> Iterator[Candidate]:
    """Photos of living specimens of the species, one an occurrence."""
    keys = [_taxon_key(query, name) for name in query.species.names]
    found = with_list(_occurrences(query, keys), "media", SEARCH)
    yield from filter(None, (parse_occurrence(entry, query.species) for entry in found))


def _occurrences(query: Query, keys: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for key in dict.fromkeys(keys):
        for offset in range(0, MAX_OFFSET - PER_PAGE + 1, PER_PAGE):
            answer = query.fetcher.json(
                f"{API}/occurrence/search",
                {
                    "taxonKey": key,
                    "mediaType": "StillImage",
                    "basisOfRecord": "HUMAN_OBSERVATION",  # no dried specimens, no drawings
                    "limit": PER_PAGE,
                    "offset": offset,
                },
            )
            yield from entries(answer, "results", SEARCH)
            if answer.get("endOfRecords", True):
                break


def parse_occurrence(entry: Mapping[str, Any], species: Species) -> Candidate | None:
    """The first picture of an occurrence that has a licence we can read."""
    number = text(entry, "key")
    for medium in objects(entry.get("media")):
        url = text(medium, "identifier")
        licence = licences.parse(text(medium, "license"))
        if text(medium, "type") != "StillImage" or not url or not licence or not number:
            continue
        page = f"{PAGES}/occurrence/{number}"
        known = text(entry, "occurrenceID")
        return Candidate(
            url=_smaller(url),
            title=text(medium, "title") or text(entry, "scientificName") or species.label,
            author=text(medium, "creator") or text(medium, "rightsHolder"),
            licence=licence.spdx,
            # iNaturalist's records carry its own address: the same observation in both sources.
            observation=known if known.startswith("http") else page,
            source_page=page,
        )
    return None


def _smaller(url: str) -> str:
    """The medium size, where the photo lies in iNaturalist's bucket: originals are far larger."""
    if not url.startswith(inaturalist.BUCKET):
        return url
    return url.replace("/original.", f"/{inaturalist.SIZE}.")


def _taxon_key(query: Query, name: str) -> str:
    """GBIF's key of a taxon in its backbone.

    Raises:
        InputError: there is none of exactly this name, or several.
    """
    answer = query.fetcher.json(f"{API}/species/match", {"name": name, "strict": "true"})
    if not isinstance(answer, Mapping) or "matchType" not in answer:
        raise ChangedAnswer("the answer of GBIF's species match has no matchType")
    # Of a synonym the accepted name: occurrences are filed under that.
    key = text(answer, "acceptedUsageKey") or text(answer, "usageKey")
    if text(answer, "matchType") == "EXACT" and key:
        return key
    if text(answer, "note").lower().startswith("multiple equal matches"):
        raise InputError(
            f"GBIF knows several taxa named {name!r}{_homonyms(query, name)}. Name the one that is "
            'meant with its author in species.yaml, as `taxa: ["Name Author, year"]`'
        )
    raise InputError(f"GBIF knows no taxon named {name!r}: correct the name in species.yaml")


def _homonyms(query: Query, name: str) -> str:
    """The taxa that share a name, with what tells them apart; empty where GBIF names none."""
    asked = {"name": name, "strict": "true", "verbose": "true"}
    answer = query.fetcher.json(f"{API}/species/match", asked)
    taxa = objects(answer.get("alternatives") if isinstance(answer, Mapping) else None)
    told = [
        " ".join(filter(None, (text(taxon, field) for field in ("scientificName", "kingdom"))))
        for taxon in taxa
        if text(taxon, "canonicalName") in ("", name)
    ]
    return f": {named(told, most=SHOWN, longest=MAX_NAME)}" if told else ""
