"""The server of the review page: what other users, other sites and hostile requests get from it."""

import json
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from conftest import run_captured
from review_items import entry, rendered
from review_process import ReviewProcess, reviewing

from components.common.dataset import decisions
from components.common.dataset.decisions import DROP, Decisions
from components.common.pages import page
from programs.review import server

SECRET = "what no other file of the folder gives away"
KEY = ("daisy", f"{1:064x}")
BODY = json.dumps(Decisions({KEY: DROP}).to_json()).encode()


def make_run(folder: Path) -> Path:
    """A run's folder with its pages, and with what must not be served."""
    folder.mkdir()
    html = rendered(entry(1), entry(2, label="rose"))
    (folder / "curation.html").write_text(page.linked(html.encode(), {}, "").decode())
    (folder / "report.html").write_text("<p>the report</p>")
    (folder / "log.txt").write_text(SECRET)
    (folder.parent / "secret.html").write_text(SECRET)
    (folder / "gallery.html").symlink_to(folder.parent / "secret.html")
    return folder


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewProcess]:
    with reviewing(make_run(tmp_path_factory.mktemp("runs") / "run")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(process: ReviewProcess) -> Path:
    return Path(str(process.process.args[-1]))  # type: ignore[index]


def ask(
    process: ReviewProcess, method: str, path: str, body: bytes = b"", **headers: str | None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of an answer. A header that is None is not sent.

    `TOKEN` stands for the secret and `OWN` for the server's own origin; "_" in names for "-".
    """
    own = f"http://127.0.0.1:{process.port}"
    usual: dict[str, str | None] = {"Host": own.removeprefix("http://")}
    if method == "PUT":
        usual |= {
            "Origin": own,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "If-Match": '""',
        }
    usual |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.putrequest(
        method,
        path.replace("TOKEN", process.token),
        skip_host=True,
        skip_accept_encoding=True,
    )
    for name, value in usual.items():
        if value is not None:
            connection.putheader(name, value.replace("OWN", own))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        # Without the secret there is nothing.
        ("GET", "/", {}, 404),
        ("GET", "/curation.html", {}, 404),
        ("GET", "/decisions", {}, 404),
        ("GET", "/TOKENx/", {}, 404),
        ("GET", "/token/", {}, 404),
        ("PUT", "/decisions", {}, 404),
        ("PUT", "/wrong/decisions", {}, 404),
        # No file but the pages of the run.
        ("GET", "/TOKEN", {}, 404),
        ("GET", "/TOKEN/log.txt", {}, 404),
        ("GET", "/TOKEN/gallery.html", {}, 404),  # a link to a file outside
        ("GET", "/TOKEN/../log.txt", {}, 404),
        ("GET", "/TOKEN/%2e%2e/secret.html", {}, 404),
        ("GET", "/TOKEN/..%2fsecret.html", {}, 404),
        ("GET", "/TOKEN//etc/passwd", {}, 404),
        ("GET", "/TOKEN/report.html/", {}, 404),
        ("GET", "/TOKEN/report.html?x=1", {}, 404),
        ("GET", f"/TOKEN/{'a' * 5000}", {}, 404),
        ("GET", f"/{'a' * 70_000}", {}, 414),
        # Names that a stranger lets lead here.
        ("GET", "/TOKEN/", {"Host": "evil.example"}, 421),
        ("GET", "/TOKEN/", {"Host": "127.0.0.1.evil.example"}, 421),
        ("GET", "/TOKEN/", {"Host": "localhost.evil.example:80"}, 421),
        ("GET", "/TOKEN/", {"Host": "192.0.2.1"}, 421),
        ("GET", "/TOKEN/", {"Host": ""}, 421),
        ("GET", "/TOKEN/", {"Host": None}, 421),
        ("PUT", "/TOKEN/decisions", {"Host": "evil.example"}, 421),
        ("PUT", "/TOKEN/decisions", {"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        # Pages of other sites, and of other programs on this machine.
        ("GET", "/TOKEN/decisions", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/TOKEN/decisions", {"Sec-Fetch-Site": "same-site"}, 403),
        ("GET", "/TOKEN/decisions", {"Sec-Fetch-Site": "none"}, 403),
        ("GET", "/TOKEN/decisions", {"Origin": "null"}, 403),
        ("PUT", "/TOKEN/decisions", {"Origin": "http://evil.example"}, 403),
        ("PUT", "/TOKEN/decisions", {"Origin": "http://127.0.0.1:1"}, 403),
        ("PUT", "/TOKEN/decisions", {"Origin": "https://127.0.0.1"}, 403),
        ("PUT", "/TOKEN/decisions", {"Origin": "null"}, 403),
        ("PUT", "/TOKEN/decisions", {"Origin": "OWN.evil.example"}, 403),
        ("PUT", "/TOKEN/decisions", {"Origin": None}, 403),
        ("PUT", "/TOKEN/decisions", {"Sec-Fetch-Site": "cross-site"}, 403),
        # What a form of another site can send.
        ("PUT", "/TOKEN/decisions", {"Content-Type": "text/plain"}, 415),
        ("PUT", "/TOKEN/decisions", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ("PUT", "/TOKEN/decisions", {"Content-Type": None}, 415),
        ("POST", "/TOKEN/decisions", {}, 501),
        ("DELETE", "/TOKEN/decisions", {}, 501),
        ("OPTIONS", "/TOKEN/decisions", {"Origin": "http://evil.example"}, 501),
        ("PUT", "/TOKEN/curation.html", {}, 405),
        ("PUT", "/TOKEN/../decisions.json", {}, 404),
        # Bodies whose size is not told, or too large.
        ("PUT", "/TOKEN/decisions", {"Content-Length": None}, 411),
        ("PUT", "/TOKEN/decisions", {"Transfer-Encoding": "chunked"}, 411),
        ("PUT", "/TOKEN/decisions", {"Content-Length": "-1"}, 400),
        ("PUT", "/TOKEN/decisions", {"Content-Length": "0x10"}, 400),
        ("PUT", "/TOKEN/decisions", {"Content-Length": "9" * 30}, 400),
        ("PUT", "/TOKEN/decisions", {"Content-Length": str(16 * 1024**2 + 1)}, 413),
        ("PUT", "/TOKEN/decisions", {"If-Match": None}, 428),
        ("PUT", "/TOKEN/decisions", {"If-Match": '"another"'}, 412),
        ("PUT", "/TOKEN/decisions", {"If-Match": "*"}, 412),
        ("GET", "/TOKEN/", {f"X-{number}": "a" for number in range(200)}, 431),
        ("GET", "/TOKEN/", {"X": "a" * 70_000}, 431),
    ],
)
def test_hostile_request_is_refused_and_changes_nothing(
    process: ReviewProcess,
    folder: Path,
    method: str,
    path: str,
    headers: dict[str, str | None],
    status: int,
) -> None:
    body = BODY if method == "PUT" else b""
    answered, sent, content = ask(process, method, path, body, **headers)
    assert answered == status
    assert SECRET.encode() not in content
    assert b"the report" not in content
    assert not any(name.lower().startswith("access-control") for name in sent)
    assert "html" not in sent.get("Content-Type", "")
    assert not (folder / "decisions.json").exists()
    assert sorted(path.name for path in folder.iterdir()) == [
        *("curation.html", "gallery.html", "log.txt", "report.html")
    ]
    assert ask(process, "GET", "/TOKEN/")[0] == 200  # and it goes on


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no file of decisions"),
        (b"{", "no file of decisions"),
        (b"[" * 100_000, "no file of decisions"),
        (b'{"format": "x", "format_version": "2"}', "its format is not"),
        (BODY.replace(b"drop", b"eat!"), "decides 'eat!'"),
        (BODY.replace(b"daisy", b"../da"), "cannot be a class name"),
        (b"\xff\xfe", "no file of decisions"),
    ],
)
def test_what_are_no_decisions_is_not_stored(
    process: ReviewProcess, folder: Path, body: bytes, message: str
) -> None:
    status, _, content = ask(process, "PUT", "/TOKEN/decisions", body)
    assert status == 422
    assert message in content.decode()
    assert not (folder / "decisions.json").exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        "GET /é/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(),
        b"GET /TOKEN/\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PUT /TOKEN/decisions HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    ],
)
def test_what_is_no_request_ends_the_connection_and_nothing_else(
    process: ReviewProcess, raw: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
        connection.sendall(raw.replace(b"TOKEN", process.token.encode()))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert ask(process, "GET", "/TOKEN/")[0] == 200


def test_many_connections_that_say_nothing_leave_the_others_their_turn(tmp_path: Path) -> None:
    with reviewing(make_run(tmp_path / "run")) as process:
        idle = [
            socket.create_connection(("127.0.0.1", process.port), timeout=30)
            for _ in range(3 * server.MAX_CONNECTIONS)
        ]
        for connection in idle:
            connection.close()
        answered: Any = 0
        for _ in range(100):  # until the last of them was seen to be gone
            try:
                answered = ask(process, "GET", "/TOKEN/")[0]
                break
            except OSError:
                continue
        assert answered == 200


def test_pages_are_sent_with_what_keeps_others_out(process: ReviewProcess) -> None:
    status, sent, content = ask(process, "GET", "/TOKEN/", Host=f"localhost:{process.port}")
    assert status == 200
    assert b"<h1>Which photos are used" in content
    for name, value in server.HEADERS.items():
        assert sent[name] == value
    policy = sent["Content-Security-Policy"]
    assert "script-src 'sha256-" in policy
    assert "connect-src 'self'; frame-ancestors 'none'" in policy
    assert page.policy(content.decode()) in policy
    status, sent, content = ask(process, "GET", "/TOKEN/report.html")
    assert (status, content) == (200, b"<p>the report</p>")
    assert sent["Content-Security-Policy"].startswith("sandbox ")
    assert ask(process, "GET", "/TOKEN/curation.html", Sec_Fetch_Site="cross-site")[0] == 200


def test_decisions_are_stored_as_a_whole_and_by_their_revision(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with reviewing(run) as process:
        status, sent, content = ask(process, "GET", "/TOKEN/decisions")
        assert (status, content, sent["ETag"]) == (200, b"null", '""')
        status, sent, _ = ask(process, "PUT", "/TOKEN/decisions", BODY)
        assert status == 204
        assert decisions.read(str(run / "decisions.json")).decided == {KEY: DROP}
        assert ask(process, "PUT", "/TOKEN/decisions", BODY)[0] == 412
        empty = json.dumps(Decisions().to_json()).encode()
        revision = sent["ETag"]
        assert ask(process, "PUT", "/TOKEN/decisions", empty, If_Match=revision)[0] == 204
        assert decisions.read(str(run / "decisions.json")).decided == {}
        assert [one.name for one in run.glob("*decisions*")] == ["decisions.json"]
        assert ask(process, "GET", "/TOKEN/decisions")[2] == (run / "decisions.json").read_bytes()


def test_disk_that_takes_nothing_is_told_to_the_page(process: ReviewProcess, folder: Path) -> None:
    (folder / "decisions.json").mkdir()
    try:
        status, _, content = ask(process, "PUT", "/TOKEN/decisions", BODY)
        assert status == 507
        assert b"decisions.json" in content
    finally:
        (folder / "decisions.json").rmdir()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_ends_on_a_signal(tmp_path: Path, number: int, status: int) -> None:
    with reviewing(make_run(tmp_path / "run")) as process:
        with socket.create_connection(("127.0.0.1", process.port)):  # somebody who says nothing
            ended, said = process.end(number)
        assert ended == status
        assert "Traceback" not in said
        assert ("No decision was made." in said) is (number == signal.SIGINT)


def broken(run: Path, what: str) -> None:
    if what == "none":
        (run / "curation.html").unlink()
    elif what == "link":
        (run / "curation.html").rename(run / "page")
        (run / "curation.html").symlink_to(run / "page")
    elif what == "script":
        text = (run / "curation.html").read_text()
        (run / "curation.html").write_text(text.replace("sha256-", "sha256-x", 2))
    elif what == "other":
        (run / "curation.html").write_bytes(b"\xff\xfe")
    elif what == "decisions":
        (run / "decisions.json").write_text("{")
    else:
        (run / "decisions.json").symlink_to(run / "log.txt")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("none", "has no curation.html: expected the folder of a run"),
        ("link", "has no curation.html: expected the folder of a run"),
        ("script", "was made by another version of this program"),
        ("other", "was made by another version of this program"),
        ("decisions", "is no file of decisions"),
        ("linked", "decisions.json is a link"),
    ],
)
def test_what_cannot_be_reviewed_is_said(tmp_path: Path, what: str, message: str) -> None:
    run = make_run(tmp_path / "run")
    broken(run, what)
    done = run_captured(".venv/bin/python", "-m", "programs.review", str(run))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_port_that_is_taken_is_said(process: ReviewProcess, folder: Path) -> None:
    done = run_captured(
        ".venv/bin/python", "-m", "programs.review", str(folder), "--port", str(process.port)
    )
    assert done.returncode == 2
    assert "another program uses that port; choose another with --port" in done.stderr
