"""The service around the answer: readiness, limits, headers, description, log."""

import logging
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from serve_items import HERE, JPEG, PREDICT, wait_until_ready
from starlette.testclient import TestClient

from components.common.base.step import log
from components.common.model.model import Model
from components.common.pages import text
from programs.serve import app as app_module
from programs.serve.app import Service, make_app
from programs.serve.options import Limits
from programs.serve.pool import Pool
from programs.serve.serve import make_service


@contextmanager
def blocked_service(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> Iterator[tuple[Service, threading.Semaphore, threading.Event]]:
    """A service of one worker whose answers wait for an event; the semaphore counts those begun."""
    service = make_service(model_dir, workers=1, limits=limits)
    wait_until_ready(service)
    begun, free = threading.Semaphore(0), threading.Event()
    whole = app_module.answer.answer

    def waiting(*args: Any) -> Any:
        begun.release()
        assert free.wait(30)
        return whole(*args)

    monkeypatch.setattr(app_module.answer, "answer", waiting)
    try:
        yield service, begun, free
    finally:
        free.set()


def test_too_many_at_once_are_told_to_come_again(
    model_dir: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        blocked_service(model_dir, monkeypatch, Limits(waiting=1)) as (service, begun, free),
        TestClient(make_app(service), base_url=HERE) as client,
        ThreadPoolExecutor(3) as threads,
    ):

        def ask() -> Any:
            return client.post(PREDICT, content=photo, headers=JPEG)

        answers: list[Future[Any]] = [threads.submit(ask)]
        assert begun.acquire(timeout=30)
        answers.append(threads.submit(ask))
        while not service.pool.full:
            pass
        refused = ask()
        assert refused.status_code == 503
        assert refused.json()["reason"] == "busy"
        assert int(refused.headers["retry-after"]) > 0
        # The service itself still answers.
        assert client.get("/healthz").status_code == 200
        free.set()
        assert [one.result(30).status_code for one in answers] == [200, 200]


def test_photos_on_their_way_in_are_bounded(
    client: TestClient, service: Service, photo: bytes
) -> None:
    service.arriving = service.limits.uploads
    try:
        assert client.post(PREDICT, content=photo, headers=JPEG).status_code == 503
    finally:
        service.arriving = 0
    assert client.post(PREDICT, content=photo, headers=JPEG).status_code == 200
    assert client.post(PREDICT, content=b"", headers=JPEG).status_code == 400
    assert service.arriving == 0


def test_answer_that_takes_too_long_ends_with_504(
    model_dir: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        blocked_service(model_dir, monkeypatch, Limits(answer_s=0.1)) as (service, _, __),
        TestClient(make_app(service), base_url=HERE) as client,
    ):
        response = client.post(PREDICT, content=photo, headers=JPEG)
    assert (response.status_code, response.json()["reason"]) == (504, "timeout")


def test_service_is_alive_before_it_is_ready(model_dir: Path, photo: bytes) -> None:
    service = make_service(model_dir, workers=1, limits=Limits())
    load, loaded = service.pool._tool, threading.Event()

    def slowly() -> Model:
        assert loaded.wait(30)
        return load()

    service.pool = Pool(slowly, workers=1, waiting=1)
    with TestClient(make_app(service), base_url=HERE) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/").status_code == 200
        for early in (client.get("/readyz"), client.post(PREDICT, content=photo, headers=JPEG)):
            assert (early.status_code, early.json()["reason"]) == (503, "not_ready")
            assert "retry-after" in early.headers
        loaded.set()
        wait_until_ready(service)
        assert client.get("/readyz").json() == {"state": "ready"}
        assert client.post(PREDICT, content=photo, headers=JPEG).status_code == 200


def test_model_without_references_answers_without_similar_photos(
    model_dir: Path, photo: bytes, tmp_path: Path
) -> None:
    for name in ("model.json", "model.tflite", "head.npz", "distances.npz"):
        (tmp_path / name).symlink_to(model_dir / name)
    service = make_service(tmp_path, workers=1, limits=Limits())
    wait_until_ready(service)
    with TestClient(make_app(service), base_url=HERE) as client:
        response = client.post(f"{PREDICT}?similar=3", content=photo, headers=JPEG)
    assert response.status_code == 200
    assert response.json()["similar"] == []


def test_model_is_described(client: TestClient, model_dir: Path) -> None:
    description = Model(model_dir).description
    found = client.get("/v1/model").json()
    assert found["classes"] == list(description.classes)
    assert found["head_sha256"] == description.head_sha256
    assert found["rendered"] is True
    assert found["warning"] == text.WARNING
    assert found["measured"] is None


def test_published_model_says_how_good_it_is(sample_run: Run) -> None:
    folder = Path(sample_run.summary["published"])
    service = make_service(folder, workers=1, limits=Limits())
    found = TestClient(make_app(service), base_url=HERE).get("/v1/model").json()
    metrics = sample_run.summary["metrics"]
    assert found["measured"]["accuracy"] == metrics["accuracy"]
    assert found["measured"]["photos"] == metrics["photos"]


@pytest.mark.parametrize(
    "path", ["/", "/v1/model", "/healthz", "/openapi.json", "/nothing", PREDICT]
)
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path, headers={"Origin": "https://elsewhere.example"}).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["permissions-policy"]
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", PREDICT, 405),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
    ],
)
def test_what_is_not_there_is_refused_in_the_same_shape(
    client: TestClient, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert set(response.json()) == {"reason", "message"}
    assert status != 405 or response.headers["allow"] == "POST"


def test_interface_describes_both_bodies_and_every_answer(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    predict = description["paths"][PREDICT]["post"]
    bodies = predict["requestBody"]["content"]
    assert set(bodies) == {"multipart/form-data", "image/*", "application/octet-stream"}
    statuses = {"200", "400", "408", "413", "415", "422", "503", "504"}
    assert set(predict["responses"]) == statuses
    for response in predict["responses"].values():
        assert "$ref" in response["content"]["application/json"]["schema"]
    assert {one["name"] for one in predict["parameters"]} == {"top_k", "activation", "similar"}


WRITTEN: list[str] | None = None


def _watch(event: str, args: tuple[Any, ...]) -> None:
    """Files that are opened for writing, while somebody wants to know."""
    if WRITTEN is not None and event == "open":
        name, mode, flags = args
        if isinstance(name, str) and (set(mode or "") & set("wax+") or (flags or 0) & 3):
            WRITTEN.append(name)


def test_no_photo_is_written_to_disk(client: TestClient, service: Service, photo: bytes) -> None:
    global WRITTEN
    sys.addaudithook(_watch)
    WRITTEN = []
    with tempfile.TemporaryFile() as file:  # the watch works
        file.write(b"x")
    assert WRITTEN
    WRITTEN = []
    # Larger than what forms are commonly kept in memory up to, 1 MB; the limit is 1 MB here.
    service.limits = replace(service.limits, upload_bytes=4 * 1024**2)
    large = photo + bytes(3 * 1024**2)
    try:
        form = client.post(
            f"{PREDICT}?activation=true&similar=2", files={"image": ("a.jpg", large)}
        )
        body = client.post(PREDICT, content=large, headers=JPEG)
    finally:
        service.limits = replace(service.limits, upload_bytes=1024**2)
        written, WRITTEN = WRITTEN, None
    assert (form.status_code, body.status_code) == (200, 200)
    assert written == []


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines, level = Lines(), log.level
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    yield lines.lines
    log.removeHandler(lines)
    log.setLevel(level)


def test_log_has_a_line_a_request_without_address_query_or_file_name(
    client: TestClient, photo: bytes, logged: list[str]
) -> None:
    client.post(f"{PREDICT}?top_k=1", files={"image": ("secret-place.jpg", photo)})
    client.get("/nothing%0aGET%20/forged%20200" + 200 * "x")
    assert len(logged) == 2
    first, second = (line.rsplit(" ", 2) for line in logged)
    assert first[0] == f"POST {PREDICT} 200"
    assert first[2] == "ms"
    assert second[0].startswith("GET /nothing\\nGET /forged 200x")
    assert second[0].endswith("x… 404")


def test_log_can_be_turned_off(service: Service, logged: list[str]) -> None:
    with TestClient(make_app(service, access_log=False), base_url=HERE) as client:
        client.get("/healthz")
    assert logged == []


@pytest.mark.parametrize(
    ("host", "hosts", "known"),
    [
        ("localhost", (), True),
        ("LOCALHOST.:8080", (), True),
        ("me.localhost", (), True),
        ("127.0.0.1:8080", (), True),
        ("10.1.2.3", (), True),
        ("[::1]:8080", (), True),
        ("mushrooms.example.org", (), False),
        ("mushrooms.example.org", ("Mushrooms.Example.org",), True),
        ("mushrooms.example.org:443", ("mushrooms.example.org",), True),
        ("evil.example", ("mushrooms.example.org",), False),
        ("evil.example", ("*",), True),
        ("localhost.evil.example", (), False),
        ("127.0.0.1.evil.example", (), False),
        ("2130706433", (), False),
        ("[::1]evil.example", (), False),
        ("", (), False),
        ("<script>", (), False),
    ],
)
def test_it_answers_under_names_that_it_goes_by(
    service: Service, host: str, hosts: tuple[str, ...], known: bool
) -> None:
    with TestClient(make_app(service, hosts=hosts), base_url=HERE) as client:
        for path in ("/", "/v1/model", "/openapi.json", "/nowhere/"):
            answer = client.get(path, headers={"Host": host}, follow_redirects=False)
            assert (answer.status_code != 421) == known
            assert "evil" not in answer.text + str(answer.headers)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if not known:
                assert answer.json()["reason"] == "unknown_host"
        # Kubernetes asks by the pod's address, load balancers by what they like.
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
        assert client.get("/readyz", headers={"Host": host}).status_code in (200, 503)
