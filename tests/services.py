"""The four services as one local server: answers in the shapes that their documents describe.

Fields are those of the documents, so that our parsers meet also what they do not use. Photos are
rendered noise, different for each number.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from photo_server import Answer, Behaviour, PhotoServer, serve

from components.common.photos import images
from components.download.sources import commons, gbif, inaturalist

NAME = "Amanita muscaria"


def photo(number: int, side: int = 96) -> bytes:
    """A JPEG of noise, the same for the same number."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return images.encode(pixels)


HOMONYM = "Acrotylus"
HOMONYMS = [
    {
        "usageKey": key,
        "scientificName": f"{HOMONYM} {author}",
        "canonicalName": HOMONYM,
        "rank": "GENUS",
        "status": "ACCEPTED",
        "confidence": 98,
        "matchType": "EXACT",
        "kingdom": kingdom,
    }
    for key, author, kingdom in ((1, "Fieber, 1853", "Animalia"), (2, "J.Agardh, 1849", "Plantae"))
]


@dataclass
class Record:
    """One observation as the tests describe it, in whichever service."""

    number: int
    licence: str = "cc-by"
    observer: str = ""
    photos: int = 1
    quality: str = "research"


@dataclass
class Services:
    """The records that the services know, and the server that they run on."""

    records: list[Record] = field(default_factory=list)
    server: PhotoServer | None = None
    photo_behaviour: Behaviour | None = None

    @property
    def address(self) -> str:
        assert self.server is not None
        return self.server.address

    def behave(self, path: str, count: int) -> Answer:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        service = parts.path.split("/")[1]
        if service == "photos":
            if self.photo_behaviour:
                return self.photo_behaviour(path, count)
            return Answer(photo(int(parts.path.split("/")[2])))
        answers = {
            "/inat/taxa": self.inaturalist_taxa,
            "/inat/observations": self.inaturalist_observations,
            "/gbif/species/match": self.gbif_match,
            "/gbif/occurrence/search": self.gbif_occurrences,
            "/commons": self.commons_query,
        }
        if parts.path not in answers:
            return Answer(status=404)
        body = json.dumps(answers[parts.path](query)).encode()
        return Answer(body, headers={"Content-Type": "application/json; charset=utf-8"})

    # https://api.inaturalist.org/v1/docs/#!/Taxa/get_taxa: TaxaShowResponse, Taxon.
    def inaturalist_taxa(self, query: dict[str, str]) -> dict[str, Any]:
        found = [
            {
                "id": 48715,
                "name": NAME,
                "rank": "species",
                "rank_level": 10,
                "iconic_taxon_name": "Fungi",
                "is_active": True,
                "observations_count": 141_000,
                "preferred_common_name": "fly agaric",
                "ancestor_ids": [48460, 47170, 48715],
                "default_photo": {"id": 1, "license_code": "cc-by", "url": "https://x/square.jpg"},
            },
            {
                "id": 352264,
                "name": f"{NAME} var. muscaria",
                "rank": "variety",
                "is_active": True,
                "iconic_taxon_name": "Fungi",
            },
        ]
        if query["q"].lower() not in NAME.lower():
            found = []
        return {"total_results": len(found), "page": 1, "per_page": 30, "results": found[::-1]}

    # https://api.inaturalist.org/v1/docs/#!/Observations/get_observations: ObservationsResponse,
    # Observation, Photo, User. `photo_license` means that at least one photo has it.
    def inaturalist_observations(self, query: dict[str, str]) -> dict[str, Any]:
        above, below = int(query.get("id_above", 0)), int(query.get("id_below", 10**12))
        wanted = query["photo_license"].split(",")
        found = [
            record
            for record in sorted(self.records, key=lambda record: record.number)
            if above < record.number < below
            and record.quality == query["quality_grade"]
            and record.licence in wanted
        ]
        if query.get("order") == "desc":
            found.reverse()
        shown = found[: int(query["per_page"])]
        return {
            "total_results": len(found),
            "page": 1,
            "per_page": int(query["per_page"]),
            "results": [self._observation(record) for record in shown],
        }

    def _observation(self, record: Record) -> dict[str, Any]:
        login = record.observer or f"observer{record.number}"
        return {
            "id": record.number,
            "uuid": f"00000000-0000-0000-0000-{record.number:012d}",
            "quality_grade": record.quality,
            "observed_on": "2026-10-03",
            "license_code": "cc-by-nc",  # of the record, not of its photos
            "uri": f"https://www.inaturalist.org/observations/{record.number}",
            "geojson": {"type": "Point", "coordinates": [7.1, 51.2]},
            "taxon": {"id": 48715, "name": NAME, "rank": "species"},
            "user": {"id": 7, "login": login, "name": None},
            "photos": [
                {
                    "id": record.number * 10 + n,
                    "license_code": record.licence,
                    "original_dimensions": {"width": 2048, "height": 1536},
                    "url": f"{inaturalist.BUCKET}{record.number * 10 + n}/square.jpg",
                    "attribution": f"(c) {login}, some rights reserved (CC BY)",
                    "flags": [],
                    "moderator_actions": [],
                    "hidden": False,
                }
                for n in range(record.photos)
            ],
        }

    # https://techdocs.gbif.org/en/openapi/v1/species#/Searching%20names/matchNames: NameUsageMatch.
    def gbif_match(self, query: dict[str, str]) -> dict[str, Any]:
        if query["name"] == HOMONYM:
            # Read in GBIF's code, NubMatchingServiceImpl: alternatives only where asked for.
            others = {} if query.get("verbose") != "true" else {"alternatives": HOMONYMS}
            note = f"Multiple equal matches for {HOMONYM}"
            return {
                "confidence": 100,
                "note": note,
                "matchType": "NONE",
                "synonym": False,
                **others,
            }
        if query["name"] != NAME:
            return {"confidence": 100, "matchType": "NONE", "synonym": False}
        return {
            "usageKey": 5240151,
            "scientificName": f"{NAME} (L.) Lam.",
            "canonicalName": NAME,
            "rank": "SPECIES",
            "status": "ACCEPTED",
            "confidence": 99,
            "matchType": "EXACT",
            "kingdom": "Fungi",
            "synonym": False,
        }

    # https://techdocs.gbif.org/en/openapi/v1/occurrence#/Searching%20occurrences: SearchResponse,
    # Occurrence, MediaObject. Licence texts are the publishers' own.
    def gbif_occurrences(self, query: dict[str, str]) -> dict[str, Any]:
        offset, limit = int(query["offset"]), int(query["limit"])
        shown = self.records[offset : offset + limit]
        return {
            "offset": offset,
            "limit": limit,
            "endOfRecords": offset + limit >= len(self.records),
            "count": len(self.records),
            "facets": [],
            "results": [
                {
                    "key": 4_000_000_000 + record.number,
                    "datasetKey": "50c9509d-22c7-4a22-a47d-8c48425ef4a7",
                    "basisOfRecord": "HUMAN_OBSERVATION",
                    "occurrenceID": f"https://www.inaturalist.org/observations/{record.number}",
                    "scientificName": f"{NAME} (L.) Lam.",
                    "license": "http://creativecommons.org/licenses/by-nc/4.0/legalcode",
                    "recordedBy": record.observer or f"observer{record.number}",
                    "mediaType": ["StillImage"],
                    "media": [
                        {
                            "type": "StillImage",
                            "format": "image/jpeg",
                            "identifier": f"{self.address}/photos/{record.number * 10 + n}/g.jpg",
                            "references": f"https://www.inaturalist.org/photos/{record.number}",
                            "created": "2026-10-03T10:00:00.000+00:00",
                            "creator": record.observer or f"observer{record.number}",
                            "publisher": "iNaturalist",
                            "license": record.licence,
                            "rightsHolder": record.observer or f"observer{record.number}",
                        }
                        for n in range(record.photos)
                    ],
                }
                for record in shown
            ],
        }

    # https://www.mediawiki.org/wiki/API:Imageinfo, https://www.mediawiki.org/wiki/API:Continue,
    # https://www.mediawiki.org/wiki/Extension:CommonsMetadata; formatversion=2.
    def commons_query(self, query: dict[str, str]) -> dict[str, Any]:
        if query["gcmtitle"] != f"Category:{NAME}":
            return {"batchcomplete": True}
        start, limit = int(query.get("gcmcontinue", "0")), int(query["gcmlimit"])
        shown = self.records[start : start + limit]
        answer: dict[str, Any] = {"batchcomplete": True}
        if start + limit < len(self.records):
            answer["continue"] = {"gcmcontinue": str(start + limit), "continue": "gcmcontinue||"}
        answer["query"] = {"pages": [self._page(record) for record in shown]}
        return answer

    def _page(self, record: Record) -> dict[str, Any]:
        name = f"File:Fly agaric {record.number}.jpg"
        wiki = "https://commons.wikimedia.org/wiki/"
        author = record.observer or f"observer{record.number}"
        source = {"source": "commons-desc-page"}
        return {
            "pageid": record.number,
            "ns": 6,
            "title": name,
            "imagerepository": "local",
            "imageinfo": [
                {
                    "size": 1_353_326,
                    "width": 3746,
                    "height": 2400,
                    "thumburl": f"{self.address}/photos/{record.number * 10}/960px.jpg",
                    "thumbwidth": 960,
                    "thumbheight": 615,
                    "url": f"{self.address}/photos/{record.number * 10}/full.jpg",
                    "descriptionurl": wiki + name.replace(" ", "_"),
                    "descriptionshorturl": f"{wiki}index.php?curid={record.number}",
                    "sha1": "0" * 40,
                    "mime": "image/jpeg",
                    "extmetadata": {
                        "ObjectName": {"value": f"Fly agaric {record.number}", **source},
                        "Artist": {"value": f'<a href="//x/User:A" title="U">{author}</a>'},
                        "LicenseShortName": {"value": record.licence, **source},
                    },
                }
            ],
        }


@contextmanager
def running(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The services on a local server; the sources ask there while the block lasts."""
    services = Services(records)
    with serve(services.behave) as services.server:
        for place, name, value in addresses(services.address):
            monkeypatch.setattr(place, name, value)
        yield services


def addresses(server: str) -> list[tuple[Any, str, str]]:
    """Module, constant and value that lead a source to the local server."""
    return [
        (inaturalist, "API", f"{server}/inat"),
        (inaturalist, "BUCKET", f"{server}/photos/"),
        (gbif, "API", f"{server}/gbif"),
        (commons, "API", f"{server}/commons"),
    ]
