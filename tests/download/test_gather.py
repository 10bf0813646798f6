"""Choosing and fetching: in order, at once, never more than needed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from photo_server import Answer, PhotoServer, serve
from services import photo

from components.common.base.errors import WorkError
from components.common.web.fetch import Fetcher, Policy
from components.download.candidate import Candidate
from components.download.gather import AHEAD_ON_DISK, Admission, Tally, gather

ALL = frozenset({"cc0", "cc-by"})


def admitted(
    candidates: list[Candidate], *, per_observer: int = 0, capped: bool = True
) -> tuple[list[str], Tally]:
    tally = Tally()
    admission = Admission(ALL, per_observer, tally)
    return [c.url for c in admission.admit(candidates, capped=capped)], tally


def test_licences_are_judged_and_unreadable_ones_are_not_trusted() -> None:
    texts = ["CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "", "All rights reserved"]
    urls, tally = admitted([Candidate(text, licence=text) for text in texts])
    assert urls == ["CC0-1.0", "CC-BY-4.0", ""]
    assert dict(tally.counts) == {
        "licence cc-by-nc": 1,
        "licence cc-by-nd": 1,
        "unknown licence": 1,
    }


def test_few_photos_an_author_where_sources_are_searched() -> None:
    candidates = [Candidate(f"{author}{n}", author=author) for n in range(4) for author in "ab"]
    candidates += [Candidate(f"unknown{n}") for n in range(4)]
    assert len(admitted(candidates, per_observer=2)[0]) == 2 + 2 + 4
    assert len(admitted(candidates, per_observer=0)[0]) == 12
    assert len(admitted(candidates, per_observer=2, capped=False)[0]) == 12


def test_one_photo_an_observation_and_an_address() -> None:
    candidates = [Candidate("1", observation="o"), Candidate("2", observation="o"), Candidate("1")]
    urls, tally = admitted(candidates)
    assert urls == ["1"]
    assert tally.counts == {"same observation": 1, "same address": 1}


def test_table_has_a_line_for_each_reason_the_commonest_first() -> None:
    tally = Tally()
    for number in range(3):
        tally.add("http 404", f"https://a/{number}")
    tally.add("timeout", "https://b/" + "x" * 500)
    first, second = tally.table().splitlines()
    assert "3  http 404  such as https://a/0" in first
    assert len(second) < 200


def gathered(
    folder: Path, server: PhotoServer, count: int, wanted: int, workers: int = 4
) -> tuple[list[str], Tally]:
    tally, policy = Tally(), Policy(attempts=2, backoff_s=0.01)
    candidates = (Candidate(f"{server.address}/{n}.jpg") for n in range(count))
    with Fetcher(folder, allowed_hosts=["localhost"], workers=workers, policy=policy) as fetcher:
        found = list(gather(candidates, wanted, fetcher, tally, set()))
    return [candidate.url.rpartition("/")[2] for candidate, _ in found], tally


def number_of(path: str) -> int:
    return int(path[1:].partition(".")[0])


def test_photos_come_in_the_order_of_candidates_whichever_is_first(tmp_path: Path) -> None:
    def behave(path: str, _: int) -> Answer:
        return Answer(photo(number_of(path)), pause_s=0.2 if path == "/0.jpg" else 0.0)

    with serve(behave) as server:
        urls, _ = gathered(tmp_path, server, 12, 12)
    assert urls == [f"{n}.jpg" for n in range(12)]


def test_no_more_is_fetched_than_is_wanted(tmp_path: Path) -> None:
    with serve(lambda path, _: Answer(photo(number_of(path)))) as server:
        urls, _ = gathered(tmp_path, server, 100, 7)
        assert urls == [f"{n}.jpg" for n in range(7)]
        assert len(server.requests) == 7


def test_failures_are_made_up_for_and_counted(tmp_path: Path) -> None:
    def behave(path: str, _: int) -> Answer:
        odd = number_of(path) % 2
        return Answer(status=404) if odd else Answer(photo(number_of(path)))

    with serve(behave) as server:
        urls, tally = gathered(tmp_path, server, 100, 5)
        assert urls == [f"{n}.jpg" for n in (0, 2, 4, 6, 8)]
        assert len(server.requests) <= 9
    assert tally.counts == {"http 404": 4}


def test_same_picture_under_another_address_is_taken_once(tmp_path: Path) -> None:
    with serve(lambda path, _: Answer(photo(number_of(path) // 3))) as server:
        urls, tally = gathered(tmp_path, server, 9, 0)
    assert urls == ["0.jpg", "3.jpg", "6.jpg"]
    assert tally.counts == {"same photo": 6}


def test_workers_bound_the_requests_at_once(tmp_path: Path) -> None:
    with serve(lambda path, _: Answer(photo(number_of(path))), latency_s=0.02) as server:
        gathered(tmp_path, server, 20, 20, workers=3)
        assert server.most_at_once == 3


def test_photos_of_a_source_that_fails_half_way_come_out_first(tmp_path: Path) -> None:
    def candidates() -> Iterator[Candidate]:
        yield Candidate("1", read=lambda: b"one")
        yield Candidate("2", read=lambda: b"two")
        raise WorkError("the service went away")

    found: list[bytes] = []
    with Fetcher(tmp_path) as fetcher:
        photos = gather(candidates(), 10, fetcher, Tally(), set())
        with pytest.raises(WorkError, match="went away"):
            found.extend(data for _, data in photos)
    assert found == [b"one", b"two"]


def test_bytes_at_hand_are_taken_lazily(tmp_path: Path) -> None:
    made = 0

    def candidates() -> Iterator[Candidate]:
        nonlocal made
        for number in range(1000):
            made += 1
            yield Candidate(str(number), read=b"x".__bytes__)

    with Fetcher(tmp_path, workers=2) as fetcher:
        photos = gather(candidates(), 0, fetcher, Tally(), set())
        next(photos)
        assert made <= 2 * 2  # each of them is a photo in memory
        before = threading.active_count()
        photos.close()  # type: ignore[attr-defined]
        assert threading.active_count() < before


def test_addresses_are_asked_for_lazily(tmp_path: Path) -> None:
    made = 0

    def candidates() -> Iterator[Candidate]:
        nonlocal made
        for number in range(100_000):
            made += 1
            yield Candidate(f"{server.address}/{number}.jpg")

    with (
        serve(lambda path, _: Answer(photo(number_of(path)))) as server,
        Fetcher(tmp_path, allowed_hosts=["localhost"], workers=2) as fetcher,
    ):
        photos = gather(candidates(), 0, fetcher, Tally(), set())
        next(photos)
        assert made <= 2 * AHEAD_ON_DISK
        photos.close()  # type: ignore[attr-defined]


def test_each_failure_costs_one_request_more(tmp_path: Path) -> None:
    def behave(path: str, _: int) -> Answer:
        return Answer(photo(number_of(path))) if number_of(path) % 3 else Answer(status=404)

    with serve(behave) as server:
        urls, tally = gathered(tmp_path, server, 1000, 20, workers=8)
        assert len(urls) == 20
        assert len(server.requests) == 20 + tally.counts["http 404"]
