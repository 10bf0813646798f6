"""Servers that want to harm: addresses that are not public, bombs, endless bodies, false names."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from photo_server import Answer, gzipped, redirect, serve
from services import photo

from components.common.base.errors import InputError
from components.common.web import addresses
from components.common.web.fetch import Fetcher, Policy
from components.common.web.fetch_outcome import FetchError

QUICK = Policy(attempts=3, backoff_s=0.01, connect_s=0.5, read_s=0.5, total_s=1.0)
PHOTO = photo(1)


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    """A fetcher that may ask `localhost`, by that name only."""
    with Fetcher(tmp_path, allowed_hosts=["localhost"], policy=QUICK) as made:
        yield made


def lie(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names under .test resolve to these addresses, one list a look-up; returns the log."""
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host: str, port: int, *rest: int, **named: int) -> list[Any]:
        if not host.endswith(".test"):
            return real(host, port, *rest, **named)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(0, 0, 0, "", (address, port)) for address in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:{port}/1.jpg",
        "http://[::1]:{port}/1.jpg",
        "http://[::ffff:127.0.0.1]:{port}/1.jpg",
        "http://2130706433:{port}/1.jpg",
        "http://0x7f000001:{port}/1.jpg",
        "http://127.1:{port}/1.jpg",
        "http://0.0.0.0:{port}/1.jpg",
        "http://10.0.0.1/1.jpg",
        "http://mixed.test:{port}/1.jpg",
        "http://private.test:{port}/1.jpg",
    ],
)
def test_redirect_to_an_address_that_is_not_public_is_refused(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    with serve(lambda path, _: Answer(PHOTO) if path == "/1.jpg" else redirect(place)) as server:
        lie(monkeypatch, ["93.184.216.34", "127.0.0.1"] if "mixed" in target else ["192.168.0.1"])
        place = target.format(port=server.address.rpartition(":")[2])
        with pytest.raises(FetchError) as caught:
            fetcher.photo(f"{server.address}/start.jpg")
        assert caught.value.reason == "refused address"
        assert server.paths() == ["/start.jpg"]  # and not once more


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", "no web address"),
        ("ftp://example.org/1.jpg", "no web address"),
        ("gopher://example.org/1.jpg", "no web address"),
        ("http://example.org:99999/", "no web address"),
        ("http://me:secret@example.org/1.jpg", "password in the address"),
        ("http://[::1/1.jpg", "no web address"),
    ],
)
def test_redirect_away_from_the_web_is_refused(fetcher: Fetcher, target: str, reason: str) -> None:
    with serve(lambda *_: redirect(target)) as server, pytest.raises(FetchError) as caught:
        fetcher.photo(f"{server.address}/1.jpg")
    assert caught.value.reason == reason


def test_host_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    with serve(lambda *_: Answer(PHOTO)) as server, Fetcher(tmp_path) as strict:
        with pytest.raises(FetchError, match="not a public address"):
            strict.photo(f"{server.address}/1.jpg")
        assert server.requests == []


def test_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # DNS rebinding: public when it is checked, ours when it is connected to.
    asked = lie(monkeypatch, ["192.0.2.1"], ["127.0.0.1"])
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "192.0.2.1")
    reached: list[str] = []

    def connect(place: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(place[0])
        raise TimeoutError

    monkeypatch.setattr(addresses.socket, "create_connection", connect)
    policy = Policy(attempts=1, unreachable_attempts=1)
    with Fetcher(tmp_path, policy=policy) as strict, pytest.raises(FetchError):
        strict.photo("http://rebinding.test/1.jpg")
    assert (asked, reached) == (["rebinding.test"], ["192.0.2.1"])


def test_endless_body_is_cut_off(fetcher: Fetcher) -> None:
    with (
        serve(lambda *_: Answer(PHOTO, endless=True)) as server,
        pytest.raises(FetchError, match="too large"),
    ):
        fetcher.photo(f"{server.address}/1.jpg", max_bytes=1_000_000)


def test_declared_size_is_judged_before_the_body(fetcher: Fetcher) -> None:
    huge = Answer(PHOTO, headers={"Content-Length": str(10**12)}, drip_s=0.2)
    with serve(lambda *_: huge) as server, pytest.raises(FetchError, match="too large"):
        fetcher.photo(f"{server.address}/1.jpg")


def test_gzip_bomb_is_cut_off_as_it_unpacks(fetcher: Fetcher) -> None:
    bomb = gzipped(b"\xff\xd8\xff" + bytes(100 * 1024**2))
    assert len(bomb.body) < 200_000
    with serve(lambda *_: bomb) as server, pytest.raises(FetchError, match="too large"):
        fetcher.photo(f"{server.address}/1.jpg", max_bytes=1_000_000)


def test_damaged_compression_is_a_failure(fetcher: Fetcher) -> None:
    bad = Answer(b"no gzip at all", headers={"Content-Encoding": "gzip"})
    with serve(lambda *_: bad) as server, pytest.raises(FetchError, match="undecodable"):
        fetcher.photo(f"{server.address}/1.jpg")


def test_flickr_placeholder_is_known_by_its_bytes(fetcher: Fetcher, shared_photos: Path) -> None:
    body = (shared_photos / "dirty" / "flickr-dummy-image.jpg").read_bytes()

    def behave(path: str, _: int) -> Answer:
        return redirect("/gone.png") if path == "/1.jpg" else Answer(body)

    with serve(behave) as server, pytest.raises(FetchError, match="placeholder"):
        fetcher.photo(f"{server.address}/1.jpg")


def test_flickr_placeholder_is_known_by_its_address(fetcher: Fetcher) -> None:
    def behave(path: str, _: int) -> Answer:
        return redirect("/images/photo_unavailable.png") if path == "/1.jpg" else Answer(PHOTO)

    with serve(behave) as server, pytest.raises(FetchError, match="placeholder"):
        fetcher.photo(f"{server.address}/1.jpg")


def test_passwords_of_the_user_are_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with serve(lambda *_: Answer(PHOTO)) as server:
        with Fetcher(tmp_path / "cache", allowed_hosts=["localhost"]) as made:
            made.photo(f"{server.address}/1.jpg")
        _, headers = server.requests[0]
    assert "authorization" not in headers
    assert "cookie" not in headers


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_certificate_of_an_unknown_authority_is_final(
    fetcher: Fetcher, authority: trustme.CA
) -> None:
    with serve(lambda *_: Answer(PHOTO), tls=tls(authority, "localhost")) as server:
        with pytest.raises(FetchError) as caught:
            fetcher.photo(f"{server.address}/1.jpg")
        assert caught.value.reason == "tls"
        assert server.requests == []


@pytest.mark.parametrize(("name", "good"), [("localhost", True), ("other.example", False)])
def test_certificate_must_be_of_the_host_that_was_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    name: str,
    good: bool,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with (
        serve(lambda *_: Answer(PHOTO), tls=tls(authority, name)) as server,
        Fetcher(tmp_path, allowed_hosts=["localhost"], policy=QUICK) as made,
    ):
        if good:
            assert made.photo(f"{server.address}/1.jpg").read() == PHOTO
        else:
            with pytest.raises(FetchError, match="tls"):
                made.photo(f"{server.address}/1.jpg")


@pytest.mark.parametrize(
    "proxy",
    [
        *("socks5://127.0.0.1:9", "http://", "http://:8080", "http://a:b:c", "http://host:99999"),
        *("http://[::1", "ftp://host:21", "http://h\N{LATIN SMALL LETTER O WITH DIAERESIS}st:1"),
    ],
)
def test_proxy_that_cannot_be_one_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.replace("//", "//me:canary@", 1))
    monkeypatch.delenv("no_proxy", raising=False)
    with (
        Fetcher(tmp_path / "cache") as fetcher,
        pytest.raises(InputError, match=r"proxy .* cannot be one") as caught,
    ):
        fetcher.photo("http://93.184.216.34/1.jpg")
    assert "canary" not in str(caught.value)


def test_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda *_: Answer(PHOTO)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        with Fetcher(tmp_path, policy=QUICK) as made:
            assert made.photo("http://photos.example/1.jpg").read() == PHOTO
            for host in ("127.0.0.1", "2130706433", "[::1]", "169.254.169.254", "localhost"):
                with pytest.raises(FetchError, match="refused address"):
                    made.photo(f"http://{host}/1.jpg")
        assert proxy.paths() == ["http://photos.example/1.jpg"]
