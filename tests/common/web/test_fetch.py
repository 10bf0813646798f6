"""Fetching from a real server: what is retried, what is final, what is kept."""

import email.utils
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from photo_server import Answer, Behaviour, PhotoServer, gzipped, redirect, serve
from services import photo

from components.common.web.fetch import Fetcher, Policy
from components.common.web.fetch_cache import Fetched
from components.common.web.fetch_outcome import FetchError, HostUnreachable

QUICK = Policy(attempts=4, backoff_s=0.01, connect_s=0.5, read_s=0.4, total_s=0.8)
PHOTO = photo(1)
Fetch = Callable[[Behaviour], tuple[Fetched, PhotoServer]]


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    with Fetcher(tmp_path, allowed_hosts=["localhost"], policy=QUICK, contact="me@x.org") as made:
        yield made


def requests_for(fetcher: Fetcher, behave: Behaviour) -> int:
    """Fetch the photo and return how many requests that took."""
    with serve(behave) as server:
        assert fetcher.photo(f"{server.address}/1.jpg").read() == PHOTO
        return len(server.requests)


def failure(fetcher: Fetcher, behave: Behaviour) -> tuple[str, int]:
    """Fail to fetch; returns the reason and how many requests that took."""
    with serve(behave) as server:
        with pytest.raises(FetchError) as caught:
            fetcher.photo(f"{server.address}/1.jpg")
        assert server.address in str(caught.value)
        return caught.value.reason, len(server.requests)


def after(bad: Answer, times: int = 1) -> Behaviour:
    """Answer badly so many times, then well."""
    return lambda _, count: bad if count <= times else Answer(PHOTO)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_failure_is_tried_again(fetcher: Fetcher, status: int) -> None:
    assert requests_for(fetcher, after(Answer(status=status), 2)) == 3


@pytest.mark.parametrize(
    "bad",
    [
        Answer(reset=True),
        Answer(PHOTO, cut_at=len(PHOTO) // 2),
        Answer(PHOTO, cut_at=0),
        Answer(PHOTO, pause_s=1.0),
        Answer(PHOTO, drip_s=0.05),
        Answer(PHOTO, drip_head_s=0.05),
        Answer(PHOTO, headers={"Content-Length": str(len(PHOTO) + 50)}, cut_at=len(PHOTO)),
        Answer(PHOTO, headers={"Content-Length": str(len(PHOTO) - 50)}),
    ],
    ids=[
        "no answer",
        "half a body",
        "no body",
        "late",
        "slow body",
        "slow head",
        "declared longer than it is",
        "declared shorter than it is",
    ],
)
def test_broken_transfer_is_tried_again(fetcher: Fetcher, bad: Answer) -> None:
    assert requests_for(fetcher, after(bad)) == 2


@pytest.mark.parametrize(
    ("bad", "reason", "requests"),
    [
        (Answer(status=500), "http 500", 4),
        (Answer(reset=True), "broken connection", 4),
        (Answer(PHOTO, cut_at=9), "broken connection", 4),
        (Answer(PHOTO, drip_s=0.1), "timeout", 4),
        (Answer(PHOTO[:-40]), "incomplete", 3),  # the file itself is cut: no use to ask for long
        (Answer(status=404), "http 404", 1),
        (Answer(status=403), "http 403", 1),
        (Answer(status=410), "http 410", 1),
        (Answer(b""), "empty", 1),
        (Answer(b"<!DOCTYPE html><p>gone"), "html", 1),
        (Answer(b"just some bytes"), "no picture", 1),
        (Answer(PHOTO, headers={"Content-Type": "text/html"}), "declared as text/html", 1),
        (redirect("/1.jpg"), "too many redirects", 6),
    ],
)
def test_lasting_failure_has_its_reason(
    fetcher: Fetcher, bad: Answer, reason: str, requests: int
) -> None:
    assert failure(fetcher, lambda *_: bad) == (reason, requests)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(fetcher: Fetcher, form: str) -> None:
    def behave(_: str, count: int) -> Answer:
        if count > 1:
            return Answer(PHOTO)
        # A date has whole seconds: between 1 and 2 from now.
        rest = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
        return Answer(status=429, headers={"Retry-After": rest})

    with serve(behave) as server:
        fetcher.photo(f"{server.address}/1.jpg")
        assert server.times[1] - server.times[0] >= 0.95


def test_retry_after_holds_back_the_other_requests_to_that_host(fetcher: Fetcher) -> None:
    def behave(path: str, count: int) -> Answer:
        busy = path == "/0.jpg" and count == 1
        return Answer(status=503, headers={"Retry-After": "1"}) if busy else Answer(PHOTO)

    with serve(behave) as server:
        threading.Thread(target=fetcher.photo, args=[f"{server.address}/0.jpg"]).start()
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.1)  # the 503 is on its way
        fetcher.photo(f"{server.address}/1.jpg")
        assert server.times[-1] - server.times[0] >= 0.9


def test_host_that_asks_for_a_long_rest_is_not_waited_for(fetcher: Fetcher) -> None:
    busy = Answer(status=429, headers={"Retry-After": "3600"})
    assert failure(fetcher, lambda *_: busy) == ("http 429", 1)


def test_senseless_retry_after_is_ignored(fetcher: Fetcher) -> None:
    busy = Answer(status=429, headers={"Retry-After": "soon"})
    assert requests_for(fetcher, after(busy)) == 2


def test_redirect_is_followed_and_remembered(fetcher: Fetcher) -> None:
    with serve(lambda path, _: redirect("b.jpg") if path == "/a.jpg" else Answer(PHOTO)) as server:
        found = fetcher.photo(f"{server.address}/a.jpg")
        assert found.about.final_url == f"{server.address}/b.jpg"
        assert found.about.url == f"{server.address}/a.jpg"


def test_photo_that_is_there_is_not_fetched_again(fetcher: Fetcher, tmp_path: Path) -> None:
    with serve(lambda *_: Answer(PHOTO)) as server:
        fetcher.photo(f"{server.address}/1.jpg")
        with Fetcher(tmp_path, allowed_hosts=["localhost"]) as later:
            again = later.photo(f"{server.address}/1.jpg")
        assert len(server.requests) == 1
    assert again.read() == PHOTO
    assert again.about.sha256 == hashlib.sha256(PHOTO).hexdigest()


def test_damaged_cache_is_noticed_and_fetched_again(fetcher: Fetcher) -> None:
    with serve(lambda *_: Answer(PHOTO)) as server:
        path = fetcher.photo(f"{server.address}/1.jpg").path
        data = bytearray(path.read_bytes())
        data[-100] ^= 1
        path.write_bytes(data)
        assert fetcher.photo(f"{server.address}/1.jpg").read() == PHOTO
        assert len(server.requests) == 2


def test_answers_of_services_are_kept_for_a_while(fetcher: Fetcher) -> None:
    answers = iter([b'{"n": 1}', b'{"n": 2}'])
    with serve(lambda *_: Answer(next(answers))) as server:
        assert fetcher.json(server.address, {"q": "Amanita muscaria"}) == {"n": 1}
        assert fetcher.json(server.address, {"q": "Amanita muscaria"}) == {"n": 1}
        assert fetcher.json(server.address, {"q": "Amanita muscaria"}, max_age_s=0) == {"n": 2}
        assert server.paths() == ["/?q=Amanita+muscaria"] * 2


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000])
def test_answer_that_is_no_json_is_refused(fetcher: Fetcher, body: bytes) -> None:
    with serve(lambda *_: Answer(body)) as server, pytest.raises(FetchError, match="no JSON"):
        fetcher.json(server.address, {})


def test_large_file_goes_to_disk_in_pieces(fetcher: Fetcher) -> None:
    body = b"0123456789" * 300_000
    with serve(lambda *_: Answer(body)) as server:
        found = fetcher.file(f"{server.address}/n1.tar", max_bytes=4_000_000)
        assert found.path.read_bytes() == body
        assert fetcher.file(f"{server.address}/n1.tar", max_bytes=4_000_000).path == found.path
        assert len(server.requests) == 1
        with pytest.raises(FetchError, match="too large"):
            fetcher.file(f"{server.address}/n2.tar", max_bytes=2_000_000)
    assert not list(fetcher.cache.directory.glob(".partial*"))


def test_web_page_is_no_file(fetcher: Fetcher) -> None:
    page = Answer(b"<html>please log in</html>")
    with serve(lambda *_: page) as server, pytest.raises(FetchError, match="html"):
        fetcher.file(f"{server.address}/n1.tar", max_bytes=2_000_000)


def test_compressed_photo_is_unpacked(fetcher: Fetcher) -> None:
    assert requests_for(fetcher, lambda *_: gzipped(PHOTO)) == 1


def test_we_say_who_we_are_and_whom_to_write_to(fetcher: Fetcher) -> None:
    with serve(lambda *_: Answer(PHOTO)) as server:
        fetcher.photo(f"{server.address}/1.jpg")
        _, headers = server.requests[0]
    assert headers["user-agent"].startswith("wild-mushrooms/")
    assert "me@x.org" in headers["user-agent"]
    assert "mozilla" not in headers["user-agent"].lower()


@pytest.mark.parametrize(
    ("header", "forbidden"),
    [
        ("noai", True),
        ("noindex, NoImageAI", True),
        ("wild-mushrooms: noai", True),
        ("otherbot: noai", False),
        ("noindex, nofollow", False),
        ("max-image-preview:large", False),
    ],
)
def test_owner_who_wants_no_training_is_heeded(
    fetcher: Fetcher, header: str, forbidden: bool
) -> None:
    answer = Answer(PHOTO, headers={"X-Robots-Tag": header})
    if forbidden:
        assert failure(fetcher, lambda *_: answer) == ("noai", 1)
    else:
        assert requests_for(fetcher, lambda *_: answer) == 1


def test_connections_are_kept(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.common.web import addresses

    made = []
    resolve = addresses.resolve
    monkeypatch.setattr(addresses, "resolve", lambda *a: made.append(a) or resolve(*a))
    with serve(lambda *_: Answer(PHOTO)) as server:
        for number in range(5):
            fetcher.photo(f"{server.address}/{number}.jpg")
    assert len(made) == 1


@pytest.mark.parametrize("address", ["http://localhost:9/1.jpg", "http://nowhere.invalid/1.jpg"])
def test_host_that_cannot_be_reached_is_named(fetcher: Fetcher, address: str) -> None:
    with pytest.raises(HostUnreachable) as caught:
        fetcher.photo(address)
    assert caught.value.host in ("localhost", "nowhere.invalid")


def test_host_that_was_not_there_just_now_is_not_tried_for_each_photo(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.common.web import addresses

    asked = []
    resolve = addresses.resolve
    monkeypatch.setattr(addresses, "resolve", lambda *a: asked.append(a) or resolve(*a))
    for number in range(20):
        with pytest.raises(HostUnreachable, match="unreachable"):
            fetcher.photo(f"http://nowhere.invalid/{number}.jpg")
    assert len(asked) == QUICK.unreachable_attempts


def test_with_30_percent_of_requests_misbehaving_every_photo_is_had(tmp_path: Path) -> None:
    photos = {f"/{number}.jpg": photo(number, 32) for number in range(200)}
    faults = [
        Answer(status=500),
        Answer(status=429),
        Answer(reset=True),
        Answer(PHOTO, cut_at=100),
        Answer(b"", status=503, headers={"Retry-After": "0"}),
    ]

    def behave(path: str, count: int) -> Answer:
        draw = hashlib.sha256(f"{path} {count}".encode()).digest()
        return faults[draw[1] % 5] if draw[0] < 0.3 * 256 else Answer(photos[path])

    policy = Policy(backoff_s=0.01)
    with serve(behave) as server:
        fetcher = Fetcher(tmp_path, allowed_hosts=["localhost"], policy=policy)
        with fetcher, ThreadPoolExecutor(8) as pool:
            urls = [f"{server.address}{path}" for path in photos]
            found = [fetched.read() for fetched in pool.map(fetcher.photo, urls)]
        assert len(server.requests) > 250
    assert found == list(photos.values())


def test_contents_of_the_cache_say_where_they_are_from(fetcher: Fetcher) -> None:
    with serve(lambda *_: Answer(PHOTO)) as server:
        found = fetcher.photo(f"{server.address}/1.jpg")
    about = json.loads(found.path.read_bytes().split(b"\n", 1)[0])
    assert about["url"] == f"{server.address}/1.jpg"
    assert about["content_type"] == "image/jpeg"
