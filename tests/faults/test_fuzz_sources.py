"""Answers of services of any shape: candidates that can be stored, or none; never another error."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from faults.faults import cases
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.base.errors import InputError, WorkError
from components.common.dataset import licences
from components.common.dataset.attribution import render
from components.common.dataset.dataset import SCHEMA
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher
from components.download.candidate import Candidate, Query
from components.download.download import _row
from components.download.gather import Admission, Tally
from components.download.options import DownloadOptions
from components.download.sources import SEARCHED, candidates, inaturalist, urls

SPECIES = Species("fly agaric", latin="Amanita muscaria", taxa=("Amanita muscaria",))
MOST = 3 * inaturalist.PER_PAGE
FEW = settings(max_examples=cases(250, 20_000), deadline=None)

# Words that the parsers look for, so that what is drawn gets far into them.
WORDS = st.sampled_from(
    [
        *("results", "id", "name", "photos", "url", "license_code", "user", "login", "taxon"),
        *("query", "pages", "imageinfo", "extmetadata", "value", "mime", "image/jpeg", "thumburl"),
        *("descriptionurl", "Artist", "LicenseUrl", "LicenseShortName", "continue", "error"),
        *("media", "identifier", "license", "type", "StillImage", "key", "occurrenceID"),
        *("matchType", "EXACT", "usageKey", "acceptedUsageKey", "endOfRecords", "creator"),
        *("Amanita muscaria", "cc-by", "CC0", "CC BY-SA 4.0", "public domain", "info"),
        f"{inaturalist.BUCKET}1/square.jpg",
        *(
            "https://example.org/1.jpg",
            "http://creativecommons.org/licenses/by/4.0/",
            "javascript:x",
        ),
        *(
            "javascript:x",
            "9" * 5000,
            "٣",
            "-1",
            "\ud800",
            "\x00",
            "</b><!--",
            "<a href='",
            "x" * 70_000,
            "",
        ),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=40,
)
NUMBERS = st.integers(-5, 10**20) | WORDS | LEAVES
OBSERVATION = st.fixed_dictionaries(
    {
        "id": NUMBERS,
        "photos": st.lists(
            st.fixed_dictionaries({"url": WORDS | ANY, "license_code": WORDS | ANY}), max_size=3
        )
        | ANY,
        "user": st.fixed_dictionaries({"name": WORDS | ANY, "login": WORDS}) | ANY,
        "taxon": st.fixed_dictionaries({"name": WORDS | ANY}) | ANY,
    }
)
OCCURRENCE = st.fixed_dictionaries(
    {
        "key": NUMBERS,
        "occurrenceID": WORDS | ANY,
        "media": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.just("StillImage") | ANY,
                    "identifier": WORDS | ANY,
                    "license": WORDS | ANY,
                    "creator": WORDS | ANY,
                }
            ),
            max_size=3,
        )
        | ANY,
    }
)
VALUE = st.fixed_dictionaries({"value": WORDS | ANY}) | ANY
PAGE = st.fixed_dictionaries(
    {
        "title": WORDS | ANY,
        "imageinfo": st.lists(
            st.fixed_dictionaries(
                {
                    "mime": st.just("image/jpeg") | ANY,
                    "descriptionurl": WORDS | ANY,
                    "thumburl": WORDS | ANY,
                    "extmetadata": st.dictionaries(WORDS, VALUE) | ANY,
                }
            ),
            max_size=3,
        )
        | ANY,
    }
)
ANSWERS = {
    "inaturalist": st.fixed_dictionaries({"results": st.lists(OBSERVATION, max_size=5) | ANY})
    | ANY,
    "gbif": st.fixed_dictionaries(
        {"results": st.lists(OCCURRENCE, max_size=5) | ANY, "endOfRecords": LEAVES}
    )
    | ANY,
    "commons": st.fixed_dictionaries(
        {
            "query": st.fixed_dictionaries({"pages": st.lists(PAGE, max_size=5) | ANY}) | ANY,
            "continue": ANY,
        }
    )
    | ANY,
}


class Service:
    """Gives the answer to whatever is asked but the name of a taxon, which it knows."""

    def __init__(self, answer: Any, taxon: Any) -> None:
        self.answer, self.taxon, self.asked = answer, taxon, 0

    def json(self, url: str, params: Mapping[str, Any]) -> Any:
        assert all(isinstance(value, str | int) for value in params.values())
        self.asked += 1
        if self.asked > 3:
            return {}  # what is said again and again is another test's
        return self.taxon if url.endswith(("/taxa", "/match")) else self.answer


KNOWN: dict[str, Any] = {
    "inaturalist": {"results": [{"id": 7, "name": "Amanita muscaria"}]},
    "gbif": {"matchType": "EXACT", "usageKey": 7},
    "commons": {},
}


def check_candidate(candidate: Candidate) -> None:
    """It can be weighed, stored and credited."""
    admission = Admission(licences.check_licences("cc0,cc-by"), 5, Tally())
    list(admission.admit([candidate], capped=True))
    row = _row("fly agaric", "x", candidate)
    for name in SCHEMA.names:
        pa.array([getattr(row, name)], SCHEMA.field(name).type).validate(full=True)
    render([row]).encode()


def ask(source: str, answer: Any, taxon: Any) -> int:
    service = Service(answer, taxon)
    options = DownloadOptions(contact="me@example.org")
    query = Query(SPECIES, options, cast(Fetcher, service))
    found = 0
    try:
        for candidate in candidates(source)(query):
            check_candidate(candidate)
            found += 1
            assert found < MOST
    except (InputError, WorkError):  # any other error fails the test
        return found
    return found


@pytest.mark.parametrize("source", SEARCHED)
def test_answer_of_any_shape_gives_candidates_or_a_reason(source: str) -> None:
    @FEW
    @given(ANSWERS[source])
    def try_answer(answer: Any) -> None:
        ask(source, answer, KNOWN[source])

    try_answer()


@pytest.mark.parametrize("source", ["inaturalist", "gbif"])
def test_taxon_of_any_shape_gives_candidates_or_a_reason(source: str) -> None:
    @FEW
    @given(ANY)
    def try_taxon(taxon: Any) -> None:
        ask(source, {"results": []}, taxon)

    try_taxon()


TEXT_BYTES = st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace"))


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists") / "list.csv"


def test_list_of_any_content_is_read_or_refused(listed: Path) -> None:
    @FEW
    @given(st.binary(max_size=400) | TEXT_BYTES)
    def try_list(content: bytes) -> None:
        listed.write_bytes(content)
        with contextlib.suppress(InputError):  # any other error fails the test
            for row in urls._rows(str(listed), cast(Fetcher, None)):
                assert all(isinstance(value, str) for value in row.values())

    try_list()


@FEW
@given(st.text(max_size=200) | WORDS)
def test_any_text_is_a_licence_or_none(text: str) -> None:
    found = licences.parse(text)
    if found:
        again = licences.parse(found.spdx)
        assert again
        assert (again.family, again.url) == (found.family, found.url)
