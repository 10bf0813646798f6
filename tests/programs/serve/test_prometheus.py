"""`/metrics`: counts at a port of its own, with few labels whatever strangers send."""

import contextlib
import dataclasses
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import run_captured
from object_stores import free_port
from prometheus_client import generate_latest
from serve_items import HERE, JPEG, PREDICT
from serve_process import serving
from starlette.testclient import TestClient

from components.common.model.description import read_description
from programs.serve import serve
from programs.serve.counters import PATHS, Counters
from programs.serve.options import Limits
from programs.serve.prometheus import PLACE, make_app
from programs.serve.serve import make_service

SERVE = (sys.executable, "-m", "programs.serve")


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_and_answers_are_counted_at_the_port_of_their_own(
    model_dir: Path, photos: list[bytes]
) -> None:
    port = free_port()
    with serving(model_dir, "--prometheus_port", str(port)) as process:
        for body in [*photos, b"no photo"]:
            request = urllib.request.Request(process.url + PREDICT[1:], body, JPEG)
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(request, timeout=30).close()
        requests = 'mushrooms_requests_total{outcome="%s",path="/v1/predict"}'
        until = time.monotonic() + 30
        found: dict[str, float] = {}
        # A request is counted when its answer has been sent: the last one perhaps a little later.
        while not found.get(requests % "no_photo") and time.monotonic() < until:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{PLACE}", timeout=30) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=")
                found = samples(answer.read().decode())
        # Visitors of the page do not get there.
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(process.url + PLACE[1:], timeout=30)
    assert found[requests % "answered"] == len(photos)
    assert found[requests % "no_photo"] == 1
    assert found["mushrooms_predict_seconds_count"] == len(photos)  # what was answered
    named = [value for name, value in found.items() if name.startswith("mushrooms_answers_total{")]
    assert len(named) == len(read_description(model_dir).classes)
    assert sum(named) + found["mushrooms_none_of_these_total"] == len(photos)
    assert found["mushrooms_model_since_seconds"] > 1.7e9
    assert any(name.startswith("mushrooms_model_info{") for name in found)


def test_answers_are_counted_from_the_moment_that_they_come(model_dir: Path) -> None:
    service = make_service(model_dir, workers=1, limits=Limits())
    service.counters = Counters()
    registry = service.counters.registry
    label = read_description(model_dir).classes[0]
    waiting = threading.Thread(target=serve._is_loaded, args=(service,), daemon=True)
    waiting.start()  # it looks now and then, and an answer may come before it looks again
    name = f'mushrooms_answers_total{{label="{label}"}}'
    until = time.monotonic() + 30
    while name not in samples(generate_latest(registry).decode()) and time.monotonic() < until:
        time.sleep(0.01)
    service.counters.count_answer(label)
    assert samples(generate_latest(registry).decode())[name] == 1
    service.pool.start()
    waiting.join(60)
    assert samples(generate_latest(registry).decode())[name] == 1
    service.pool.close()


def test_labels_are_few_whatever_is_asked_for(model_dir: Path) -> None:
    counters = Counters()
    description = read_description(model_dir)
    counters.set_model(description, "v1", datetime.now(UTC))
    for number in range(1000):
        counters.count_request(f"/{number}", 200 + number, 0.1)
        counters.count_answer(f"no class of the model {number}")
    with TestClient(make_app(counters), base_url=HERE) as client:
        found = samples(client.get(PLACE).text)
        assert client.get("/").status_code == 404
    requests = [name for name in found if name.startswith("mushrooms_requests_total{")]
    assert 1 < len(requests) <= 12
    assert all(f'path="{path}"' not in name for name in requests for path in PATHS)
    answers = [name for name in found if name.startswith("mushrooms_answers_total{")]
    assert len(answers) == len(description.classes)


def test_counts_of_classes_that_a_newer_model_has_not_are_dropped(model_dir: Path) -> None:
    counters, description = Counters(), read_description(model_dir)
    counters.set_model(description, "v1", datetime.now(UTC))
    counters.count_answer(description.classes[0])
    renamed = ("new one", *description.classes[1:])
    counters.set_model(dataclasses.replace(description, classes=renamed), "v2", datetime.now(UTC))
    counters.count_answer(description.classes[0])  # of a request that began before
    counters.count_answer("new one")
    value = counters.registry.get_sample_value
    assert value("mushrooms_answers_total", {"label": description.classes[0]}) is None
    assert value("mushrooms_answers_total", {"label": "new one"}) == 1
    head = description.head_sha256[:12]
    assert value("mushrooms_model_info", {"version": "v1", "head": head}) is None
    assert value("mushrooms_model_info", {"version": "v2", "head": head}) == 1


def test_counts_are_shown_to_hosts_that_are_known_only() -> None:
    with TestClient(make_app(Counters()), base_url="http://stranger.example") as client:
        assert client.get(PLACE).status_code == 421


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--port", "9000", "--prometheus_port", "9000"), "--prometheus_port is 9000, the page's"),
        (("--prometheus_port", "9000", "--prometheus_host", "192.0.2.1"), "--prometheus_host"),
        (("--reload_every_s", "0.1"), "--reload_every_s is 0.1: expected 0, or 1 or more"),
    ],
)
def test_impossible_options_are_named(
    model_dir: Path, options: tuple[str, ...], named: str
) -> None:
    done = run_captured(*SERVE, "--model_dir", str(model_dir), *options)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
