"""iNaturalist, GBIF and Commons, spoken to over HTTP in the shapes that they document."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from photo_server import Answer
from services import HOMONYM, NAME, Record, Services, photo, running

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.species import Species, as_parameter
from components.download.download import download
from components.download.options import DownloadOptions
from components.download.sources import SEARCHED, inaturalist
from programs.check_sources import __main__ as check_sources

SPECIES = as_parameter([Species("fly agaric", latin=NAME, taxa=(NAME,))])


def fetched(tmp_path: Path, source: str, **options: object) -> list[Photo]:
    """Download and return the manifest; every photo's bytes are compared with the server's."""
    asked = {"min_per_class": 1, "contact": "me@example.org", "cache_dir": str(tmp_path / "cache")}
    settings = DownloadOptions(
        source=source,
        allow_private_hosts="localhost",
        **(asked | options),  # type: ignore[arg-type]
    )
    download(["fly agaric"], tmp_path / "out", settings, SPECIES)
    stored = list(Dataset(tmp_path / "out").stream())
    for row, data in stored:
        assert data == photo(int(row.source_url.split("/photos/")[1].split("/")[0]))
    return [row for row, _ in stored]


@pytest.mark.parametrize("source", SEARCHED)
def test_photos_come_with_their_provenance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with running([Record(7, observer="Ada")], monkeypatch) as services:
        (row,) = fetched(tmp_path, source)
        assert row.source == source
        assert row.source_url.startswith(f"{services.address}/photos/70/")
    assert (row.author, row.label) == ("Ada", "fly agaric")
    assert row.licence.startswith("CC-BY")
    assert row.source_page.startswith("https://")
    assert row.observation.startswith("https://")
    assert row.title
    written = (tmp_path / "out" / "ATTRIBUTION.md").read_text()
    assert "Ada" in written
    assert row.source_page in written


@pytest.mark.parametrize("source", SEARCHED)
def test_one_photo_an_observation_and_few_an_author(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    records = [Record(n, observer="Ada", photos=3) for n in range(1, 9)]
    records += [Record(n, observer="Bo") for n in range(9, 12)]
    with running(records, monkeypatch):
        rows = fetched(tmp_path, source, per_observer=4)
    assert Counter(row.author for row in rows) == {"Ada": 4, "Bo": 3}
    assert len({row.observation for row in rows}) == 7


@pytest.mark.parametrize("source", SEARCHED)
def test_licences_are_checked_for_each_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    known = ["cc0", "cc-by", "cc-by-sa", "cc-by-nc", "cc-by-nc-sa", "cc-by-nd", "cc-by-nc-nd"]
    records = [Record(n, licence) for n, licence in enumerate([*known, "GFDL", ""], start=1)]
    with running(records, monkeypatch):
        taken = {row.licence.removesuffix("-4.0") for row in fetched(tmp_path, source)}
        assert taken == {"CC0-1.0", "CC-BY", "CC-BY-SA"}
        rows = fetched(tmp_path, source, licences="cc-by-nc,cc-by-nc-sa")
    assert len(rows) == 2


def test_inaturalist_photo_of_another_licence_in_an_observation_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The service's filter means that at least one photo of the observation has the licence.
    with running([Record(1), Record(2)], monkeypatch) as services:
        honest = services._observation

        def mixed(record: Record) -> dict[str, object]:
            entry = honest(record)
            entry["photos"].insert(0, {**entry["photos"][0], "id": 99, "license_code": None})
            entry["photos"][0]["url"] = "https://static.inaturalist.org/photos/99/square.jpg"
            return entry

        services._observation = mixed  # type: ignore[method-assign]
        rows = fetched(tmp_path, "inaturalist")
    assert [row.source_url.split("/")[-2] for row in rows] == ["10", "20"]


def test_inaturalist_observations_come_from_all_their_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inaturalist, "PER_PAGE", 20)
    with running([Record(n) for n in range(1, 401)], monkeypatch) as services:
        rows = fetched(tmp_path, "inaturalist", per_class=40)
        asked = [path for path in services.server.paths() if "/observations" in path]  # type: ignore[union-attr]
    numbers = [int(row.observation.rpartition("/")[2]) for row in rows]
    assert Counter((n - 1) // 100 for n in numbers) == {0: 10, 1: 10, 2: 10, 3: 10}
    assert len(asked) == 2 + inaturalist.STRATA  # no page more than needed
    for path in asked:
        query = parse_qs(urlsplit(path).query)
        assert query["photo_license"] == ["cc-by,cc-by-sa,cc0"]
        assert query["quality_grade"] == ["research"]


def test_inaturalist_pages_go_on_until_the_history_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inaturalist, "PER_PAGE", 7)
    with running([Record(n * 3) for n in range(1, 101)], monkeypatch):
        rows = fetched(tmp_path, "inaturalist", per_class=500)
    assert len({row.observation for row in rows}) == 100


@pytest.mark.parametrize(("source", "page"), [("gbif", 300), ("commons", 50)])
def test_following_pages_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, page: int
) -> None:
    with running([Record(n) for n in range(1, page + 11)], monkeypatch):
        assert len(fetched(tmp_path, source, per_class=page + 50)) == page + 10


def test_each_source_tops_up_what_the_one_before_lacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running([Record(n) for n in range(1, 6)], monkeypatch):
        rows = fetched(tmp_path, "inaturalist,commons", per_class=8)
    # The pictures of the two are the same here: the same content is not taken twice.
    assert Counter(row.source for row in rows) == {"inaturalist": 5}
    with running([Record(n) for n in range(1, 6)], monkeypatch) as services:
        services._page = lambda record: type(services)._page(  # type: ignore[method-assign]
            services, Record(record.number + 100)
        )
        rows = fetched(tmp_path, "inaturalist,commons", per_class=8)
    assert Counter(row.source for row in rows) == {"inaturalist": 5, "commons": 3}


def test_observation_that_both_sources_know_is_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running([Record(n) for n in range(1, 6)], monkeypatch) as services:
        rows = fetched(tmp_path, "inaturalist,gbif", per_class=8)
        assert services.server is not None
        assert not any(path.endswith("g.jpg") for path in services.server.paths())
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("inaturalist", "iNaturalist knows no active taxon named 'Nonexistus'"),
        ("gbif", "GBIF knows no taxon named 'Nonexistus'"),
    ],
)
def test_unknown_name_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    with running([], monkeypatch), pytest.raises(InputError, match=message):
        download(
            ["x"],
            tmp_path / "out",
            DownloadOptions(
                source=source, allow_private_hosts="localhost", cache_dir=str(tmp_path / "cache")
            ),
            as_parameter([Species("x", latin="Nonexistus")]),
        )
    assert not (tmp_path / "out").exists()


def test_name_of_several_taxa_is_told_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DownloadOptions(
        source="gbif", allow_private_hosts="localhost", cache_dir=str(tmp_path / "cache")
    )
    told = (
        r"knows several taxa named 'Acrotylus': Acrotylus Fieber, 1853 Animalia, "
        r"Acrotylus J\.Agardh, 1849 Plantae\. Name the one .*taxa: \[\"Name Author, year\"\]"
    )
    with running([], monkeypatch), pytest.raises(InputError, match=told):
        download(["x"], tmp_path / "out", settings, as_parameter([Species("x", latin=HOMONYM)]))


LISTS = {"inaturalist": "photos", "gbif": "media", "commons": "imageinfo"}
ODD = {
    "lacks it": lambda record, name: record.pop(name),
    "has null": lambda record, name: record.update({name: None}),
    "has a text": lambda record, name: record.update({name: "gone"}),
    "has null in its list": lambda record, name: record.update({name: [None]}),
    "has nothing in its list": lambda record, name: record.update({name: []}),
}


def _records(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return answer.get("results") or answer["query"]["pages"]


def spoiling(services: Services, spoil: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the answers to searches before they are sent."""
    assert services.server is not None
    original = services.server.behave

    def behave(path: str, count: int) -> Answer:
        answer = original(path, count)
        if any(place in path for place in ("/observations", "/occurrence/", "/commons")):
            content = json.loads(answer.body)
            spoil(_records(content))
            answer = replace(answer, body=json.dumps(content).encode())
        return answer

    services.server.behave = behave


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("source", SEARCHED)
def test_record_without_photos_costs_that_record_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, odd: str
) -> None:
    with running([Record(n) for n in range(1, 5)], monkeypatch) as services:
        spoiling(services, lambda records: ODD[odd](records[1], LISTS[source]))
        assert len(fetched(tmp_path, source)) == 3


@pytest.mark.parametrize("source", SEARCHED)
def test_record_that_is_none_costs_that_record_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with running([Record(n) for n in range(1, 5)], monkeypatch) as services:
        spoiling(services, lambda records: records.insert(1, None))  # type: ignore[arg-type]
        assert len(fetched(tmp_path, source)) == 4


@pytest.mark.parametrize("source", SEARCHED)
def test_records_that_all_lack_their_photos_are_a_changed_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with running([Record(n) for n in range(1, 5)], monkeypatch) as services:
        spoiling(services, lambda records: [one.pop(LISTS[source]) for one in records])
        with pytest.raises(WorkError, match=f"has no list '{LISTS[source]}' of objects"):
            fetched(tmp_path, source)


def test_commons_is_not_asked_without_a_contact(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--contact"):
        fetched(tmp_path, "commons", contact="")


@pytest.mark.parametrize("source", SEARCHED)
def test_changed_answer_says_which_service_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with running([Record(1)], monkeypatch) as services:
        assert services.server is not None
        services.server.behave = lambda *_: Answer(b'{"query": {"data": []}}')
        with pytest.raises(WorkError, match=r"(?i)" + source):
            fetched(tmp_path, source)


@pytest.mark.parametrize("source", SEARCHED)
def test_source_check_is_content_with_the_documented_shape(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    allowed = {"allowed_hosts": ["localhost"]}
    original = check_sources.Fetcher
    monkeypatch.setattr(
        check_sources, "Fetcher", lambda cache, contact: original(cache, contact=contact, **allowed)
    )
    with running([Record(1)], monkeypatch) as services:
        assert check_sources.check(source, NAME, "me@example.org") == ""
        services.records = []
        assert "no photo of Amanita muscaria" in check_sources.check(source, NAME, "me")
        services.records = [Record(1, licence="")]
        assert check_sources.check(source, NAME, "me") != ""
