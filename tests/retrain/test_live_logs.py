"""Logs appear in object storage while training goes on, and never stop it."""

import time
from pathlib import Path

import pytest
from object_stores import Store, using

from components.common.store import storage
from components.retrain import live_logs
from components.retrain.live_logs import LiveLogs


def seen(store: Store, name: str) -> bytes | None:
    return storage.find_place(f"{store.prefix}/logs/{name}", max_bytes=100)


def test_files_are_copied_while_they_grow_and_at_the_end(store: Store, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    events = tmp_path / "train" / "events"
    events.write_bytes(b"first")
    with LiveLogs(tmp_path, f"{store.prefix}/logs/", interval_s=0.05):
        deadline = time.monotonic() + 30
        while seen(store, "train/events") != b"first":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        events.write_bytes(b"first, second")
        (tmp_path / "late").write_bytes(b"late")
    assert seen(store, "train/events") == b"first, second"
    assert seen(store, "late") == b"late"


def test_store_that_cannot_be_reached_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events.jsonl"))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events").write_bytes(b"1")
    unreachable = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with using(unreachable), LiveLogs(tmp_path / "logs", "s3://logs/run"):
        pass
    assert "not copied to s3://logs/run" in (tmp_path / "events.jsonl").read_text()


def test_local_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events").write_bytes(b"1")
    with LiveLogs(tmp_path / "logs", str(tmp_path / "elsewhere"), interval_s=0.01):
        time.sleep(0.05)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("limits", [{"MAX_LIVE_BYTES": 3}, {"BYTES_PER_S": 0.001}])
def test_large_file_is_not_sent_over_and_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(live_logs, name, value)
    (tmp_path / "large").write_bytes(b"1234")
    written: list[bytes] = []
    write_place = storage.write_place

    def counted(place: str, data: bytes, *, what: str) -> None:
        if place.endswith("/large"):
            written.append(data)
        write_place(place, data, what=what)

    monkeypatch.setattr(storage, "write_place", counted)
    with LiveLogs(tmp_path, f"{store.prefix}/logs/{next(iter(limits))}", interval_s=0.01):
        for number in range(6):
            (tmp_path / "large").write_bytes(b"1234" + bytes(number))
            (tmp_path / f"new {number}").write_bytes(b"1")
            deadline = time.monotonic() + 30
            while seen(store, f"{next(iter(limits))}/new {number}") is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    assert written[-1] == b"1234" + bytes(5)
    assert len(written) <= 2  # at the end, and once before where it is small enough


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_store_of_kubeflow_is_written_to(store: Store, tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(b"1")
    with LiveLogs(tmp_path, store.prefix.replace("s3://", "minio://") + "/logs/kubeflow"):
        pass
    assert seen(store, "kubeflow/events") == b"1"
