"""A version that is published while the service runs is taken without a restart."""

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from object_stores import Store
from publish_items import publish_as
from sealing import reseal
from serve_items import HERE, JPEG, PREDICT, wait_until_ready
from serve_process import ServeProcess, serving
from starlette.testclient import TestClient

from components.common.model.model_place import latest_version, local_version
from components.common.store import storage
from components.publish import versions
from programs.serve import app as app_module
from programs.serve.app import Service, make_switch
from programs.serve.counters import Counters
from programs.serve.follow import Follower
from programs.serve.options import Limits
from programs.serve.serve import make_service
from programs.serve.switch import Switch

WAIT_S = 60


def until(what: Callable[[], Any]) -> Any:
    """Wait for something that comes true."""
    end = time.monotonic() + WAIT_S
    while not (found := what()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def models(light_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models, by programs of two versions; answers name the program's version."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("old", "new"):
        shutil.copytree(light_run.directory / "model", folder / name)
        manifest = {"old": "0", "new": "1"}[name] * 64
        reseal(folder / name / "model.json", version=name, manifest_sha256=manifest)
    return folder / "old", folder / "new"


@pytest.fixture
def place(light_run: Run, models: tuple[Path, Path], tmp_path: Path) -> Path:
    """Where the first of them is published."""
    return publish_as(light_run, models[0], tmp_path).parent


def get(process: ServeProcess, path: str) -> Any:
    with urllib.request.urlopen(process.url + path, timeout=30) as answer:
        return json.load(answer)


def ask(process: ServeProcess, photo: bytes) -> Any:
    request = urllib.request.Request(process.url + PREDICT[1:], photo, JPEG)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["model"]["version"]


def said(process: ServeProcess, words: str) -> int:
    return sum(words in line for line in process.lines)


def test_page_takes_a_new_version_and_goes_back_without_missing_a_photo(
    light_run: Run, models: tuple[Path, Path], place: Path, photo: bytes, tmp_path: Path
) -> None:
    with (
        serving(place, "--reload_every_s", "1", "--no-access_log") as process,
        ThreadPoolExecutor(1) as threads,
    ):
        first = get(process, "healthz")
        assert first["version"] == latest_version(str(place))
        assert first["newer"] is None
        done = threading.Event()
        answered: list[str] = []

        def visit() -> None:
            while not done.is_set():
                answered.append(ask(process, photo))

        visiting = threads.submit(visit)
        try:
            until(lambda: answered)
            newer = publish_as(light_run, models[1], tmp_path)
            until(lambda: get(process, "healthz")["version"] == newer.name)
            until(lambda: answered[-1] == "new")
            health = get(process, "healthz")
            assert health["newer"] is None
            assert health["since"] > first["since"]
            assert get(process, "v1/model")["version"] == "new"

            versions.roll_back(str(place))
            until(lambda: get(process, "healthz")["version"] == first["version"])
            until(lambda: answered[-1] == "old")
        finally:
            done.set()
        visiting.result(WAIT_S)  # no request was refused
        assert [version for version, _ in groupby(answered)] == ["old", "new", "old"]
        assert said(process, f"serving version {newer.name} now") == 1


def test_damaged_version_is_not_taken_and_the_log_says_so_once(
    light_run: Run, models: tuple[Path, Path], place: Path, photo: bytes, tmp_path: Path
) -> None:
    first = latest_version(str(place))
    with serving(place, "--reload_every_s", "1", "--no-access_log") as process:
        pointer = (place / "latest.json").read_bytes()
        newer = publish_as(light_run, models[1], tmp_path)
        newest = (place / "latest.json").read_bytes()
        (place / "latest.json").write_bytes(pointer)
        whole = (newer / "head.npz").read_bytes()
        (newer / "head.npz").write_bytes(whole[:-9] + bytes(9))
        (place / "latest.json").write_bytes(newest)
        expected = {"version": newer.name, "state": "damaged"}
        until(lambda: get(process, "healthz")["newer"] == expected)
        time.sleep(2.5)  # it looks again
        health = get(process, "healthz")
        assert (health["state"], health["version"], health["newer"]) == ("alive", first, expected)
        assert get(process, "readyz") == {"state": "ready"}
        assert ask(process, photo) == "old"
        assert said(process, f"version {newer.name} cannot be served") == 1
        assert said(process, "head.npz is damaged") == 1
        assert said(process, "Traceback") == 0
        (newer / "head.npz").write_bytes(whole)
        until(lambda: get(process, "healthz")["version"] == newer.name)
        assert ask(process, photo) == "new"


def test_folder_of_a_model_is_served_without_looking(model_dir: Path) -> None:
    with serving(model_dir, "--reload_every_s", "1") as process:
        assert get(process, "healthz")["newer"] is None
        assert said(process, "looking for a newer version") == 0


def test_request_under_way_ends_with_the_model_that_it_began_with(
    models: tuple[Path, Path], photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (make_service(model, workers=1, limits=Limits()) for model in models)
    for service in (old, new):
        wait_until_ready(service)
    switch = make_switch(old)
    begun, free = threading.Event(), threading.Event()
    whole = app_module.answer.answer

    def waiting(*arguments: Any) -> Any:
        begun.set()
        assert free.wait(WAIT_S)
        return whole(*arguments)

    monkeypatch.setattr(app_module.answer, "answer", waiting)
    with (
        TestClient(switch, base_url=HERE) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        slow = threads.submit(client.post, PREDICT, content=photo, headers=JPEG)
        try:
            assert begun.wait(WAIT_S)
            switch.replace(new)
            assert all(thread.is_alive() for thread in old.pool._threads)
        finally:
            free.set()
        assert slow.result(WAIT_S).json()["model"]["version"] == "old"
        later = client.post(PREDICT, content=photo, headers=JPEG)
        assert later.json()["model"]["version"] == "new"
    # With its last request the old model goes out of memory.
    for thread in old.pool._threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def follower(place: str, cache: Path) -> tuple[Follower, Switch[Service], Counters]:
    counters = Counters()

    def make(directory: Path) -> Service:
        service = make_service(directory, workers=1, limits=Limits())
        service.counters = counters
        return service

    version = latest_version(place)
    service = make(local_version(place, version, cache))
    service.version = version
    switch = make_switch(service)
    return Follower(place, cache, switch, make), switch, counters


def test_version_in_a_bucket_is_fetched_and_a_store_that_is_away_changes_nothing(
    light_run: Run,
    models: tuple[Path, Path],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = f"{store.prefix}/followed"
    publish_as(light_run, models[0], tmp_path, place=place)
    looking, switch, counters = follower(f"{place}/m", tmp_path / "cache")
    first = switch.service.version
    looking.look()
    assert (switch.service.version, switch.service.newer) == (first, None)

    def away(*_: object, **__: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "find", away)
        looking.look()
        newer = switch.service.newer
        assert newer
        assert (newer.version, newer.state) == ("", "unreachable")
        assert counters.registry.get_sample_value("mushrooms_newer_refused") == 1
    looking.look()
    assert switch.service.newer is None
    assert counters.registry.get_sample_value("mushrooms_newer_refused") == 0

    publish_as(light_run, models[1], tmp_path, place=place)
    looking.look()
    assert switch.service.version == latest_version(f"{place}/m") != first
    assert switch.service.description.version == "new"
    taken = {"version": switch.service.version, "head": switch.service.description.head_sha256[:12]}
    assert counters.registry.get_sample_value("mushrooms_model_info", taken) == 1
    for outcome in ("swapped", "unreachable"):
        count = counters.registry.get_sample_value("mushrooms_reloads_total", {"outcome": outcome})
        assert count == 1
