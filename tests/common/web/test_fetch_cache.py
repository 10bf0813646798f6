"""What was fetched is whole or absent, whoever was killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from faults.faults import seed

from components.common.web.fetch_cache import FetchCache

URL = "https://example.org/1.jpg"


def test_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    stored = FetchCache(tmp_path).store(URL, b"a photo", content_type="image/jpeg")
    found = FetchCache(tmp_path).lookup(URL)
    assert found == stored
    assert stored.read() == b"a photo"
    assert stored.about.final_url == URL
    assert FetchCache(tmp_path).lookup(URL + "?") is None


def test_large_body_is_read_from_the_disk(tmp_path: Path) -> None:
    data = os.urandom(2_000_000)
    stored = FetchCache(tmp_path).store(URL, data)
    assert stored.kept is None
    assert stored.read() == data


def test_file_of_its_own_can_be_opened_by_its_path(tmp_path: Path) -> None:
    stored = FetchCache(tmp_path).store_file(URL, [b"one ", b"archive"])
    assert stored.path.read_bytes() == b"one archive"
    assert FetchCache(tmp_path).lookup(URL) == stored


def test_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    def chunks() -> object:
        yield b"one "
        raise ConnectionError

    with pytest.raises(ConnectionError):
        FetchCache(tmp_path).store_file(URL, chunks())  # type: ignore[arg-type]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_half_written_files_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    living = FetchCache(tmp_path)
    left = tmp_path / "fetched" / ".partial-1-0"

    def chunks() -> Iterator[bytes]:
        yield b"one "
        left.write_bytes(b"")
        assert len(list(living.directory.glob(".partial-*"))) == 2
        FetchCache(tmp_path)
        yield b"two"

    living.store_file(URL, chunks())
    assert not left.exists()
    found = living.lookup(URL)
    assert found is not None
    assert found.read() == b"one two"
    assert list(living.directory.glob(".partial-*")) == []


@pytest.mark.parametrize("wrong_by_s", [-1e9, 1e9])
def test_what_was_fetched_while_the_clock_was_wrong_is_not_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong_by_s: float
) -> None:
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right + wrong_by_s)
    FetchCache(tmp_path).store(URL, b"a list")
    monkeypatch.undo()
    assert FetchCache(tmp_path).lookup(URL, max_age_s=3600) is None
    assert FetchCache(tmp_path).lookup(URL) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "../../../etc/passwd", "apart": True},
        {"sha256": "a" * 64, "apart": True},
        {"sha256": 5, "apart": True},
        {"sha256": "b" * 64},
        {"url": "https://example.org/2.jpg"},
        {"size": -1},
        {"size": 10**18},
        {"size": "many"},
        {"fetched_at": "yesterday"},
        {"more": 1},
    ],
)
def test_record_that_was_tampered_with_is_as_good_as_none(
    tmp_path: Path, change: dict[str, object]
) -> None:
    cache = FetchCache(tmp_path)
    path = cache.store(URL, b"a photo").path
    header, body = path.read_bytes().split(b"\n", 1)
    path.write_bytes(json.dumps(json.loads(header) | change).encode() + b"\n" + body)
    found = cache.lookup(URL)
    assert found is None or found.read() == b"a photo"
    assert found is None or "size" in change  # the size is only a hint: the hash decides


@pytest.mark.parametrize("content", [b"", b"\n", b"null\n", b"[]\nx", b"{" * 70_000, b"\xff\n"])
def test_record_that_is_none_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    cache = FetchCache(tmp_path)
    cache.store(URL, b"a photo").path.write_bytes(content)
    assert cache.lookup(URL) is None


def test_killed_writer_leaves_only_what_is_whole(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from components.common.web.fetch_cache import FetchCache\n"
        "cache = FetchCache(pathlib.Path(sys.argv[1]))\n"
        "print(flush=True)\n"
        "for n in range(10**6): cache.store(f'u{n % 50}', bytes([n % 50]) * 3_000_000)"
    )
    draw = random.Random(seed())
    for _ in range(8):
        command = [sys.executable, "-c", program, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
        cache = FetchCache(tmp_path)
        for number in range(50):
            found = cache.lookup(f"u{number}")
            assert found is None or found.read() == bytes([number]) * 3_000_000
    assert cache.lookup("u0") is not None


def test_record_tells_no_signature_and_is_found_by_the_whole_address(tmp_path: Path) -> None:
    signed = f"{URL}?size=2&X-Amz-Signature=canary"
    stored = FetchCache(tmp_path).store(signed, b"x", final_url="https://me:canary@example.net/")
    assert FetchCache(tmp_path).lookup(signed) == stored
    assert stored.about.url == f"{URL}?size=2"
    assert stored.about.final_url == "https://example.net/"
    # Another signature may be for another file: parameters are not left out of what is asked for.
    assert FetchCache(tmp_path).lookup(f"{URL}?size=2") is None
    assert not any(b"canary" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
