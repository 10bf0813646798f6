"""Hosts are asked for no more than they allow, whichever process asks."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT
from photo_server import Answer, PhotoServer, serve
from services import photo

from components.common.base.errors import WorkError
from components.common.web import politeness
from components.common.web.fetch import Fetcher
from components.common.web.politeness import HOST_LIMITS, DailyLimitReached, HostLimits, Usage

PHOTO = photo(1)
DAY = 86400


def fetch_many(cache: Path, server: PhotoServer, limits: HostLimits, count: int) -> None:
    fetcher = Fetcher(cache, allowed_hosts=["localhost"], workers=8, limits={"localhost": limits})
    with fetcher, ThreadPoolExecutor(8) as pool:
        list(pool.map(fetcher.photo, [f"{server.address}/{n}.jpg" for n in range(count)]))


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_requests_at_once_than_the_host_allows(tmp_path: Path, most: int) -> None:
    with serve(lambda *_: Answer(PHOTO), latency_s=0.02) as server:
        fetch_many(tmp_path, server, HostLimits(concurrency=most), 12)
        assert server.most_at_once == most


def test_requests_are_spaced(tmp_path: Path) -> None:
    with serve(lambda *_: Answer(PHOTO)) as server:
        fetch_many(tmp_path, server, HostLimits(concurrency=1, interval_s=0.1), 5)
        # Each leaves at its time; the first may have been on its way for longer than the last.
        assert server.times[-1] - server.times[0] >= 0.35


def test_daily_limit_holds_over_processes(tmp_path: Path) -> None:
    limits = HostLimits(requests_per_day=5)
    with serve(lambda *_: Answer(PHOTO)) as server:
        fetch_many(tmp_path, server, limits, 3)
        with Fetcher(tmp_path, allowed_hosts=["localhost"], limits={"localhost": limits}) as later:
            later.photo(f"{server.address}/x.jpg")
            later.photo(f"{server.address}/y.jpg")
            with pytest.raises(WorkError, match=r"localhost must not be asked for more today.*5"):
                later.photo(f"{server.address}/z.jpg")
            later.photo(f"{server.address}/x.jpg")  # from the cache: costs nothing
        assert len(server.requests) == 5


def test_bytes_are_counted(tmp_path: Path) -> None:
    limits = HostLimits(concurrency=1, bytes_per_day=int(2.5 * len(PHOTO)))
    with serve(lambda *_: Answer(PHOTO)) as server, pytest.raises(WorkError, match="bytes today"):
        fetch_many(tmp_path, server, limits, 10)


def test_hour_that_is_used_up_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [20_000 * DAY + 3590.0]
    monkeypatch.setattr(politeness.time, "time", lambda: now[0])
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    usage, limits = Usage(tmp_path / "usage.json"), HostLimits(bytes_per_hour=100)
    usage.begin(limits)
    usage.add(150)
    with monkeypatch.context() as patched:
        patched.setattr(politeness.time, "sleep", sleep)
        usage.begin(limits)
    assert sum(slept) == pytest.approx(11)


def test_new_day_begins_at_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(politeness.time, "time", lambda: 20_000.0 * DAY)
    usage, limits = Usage(tmp_path / "usage.json"), HostLimits(requests_per_day=1)
    usage.begin(limits)
    with pytest.raises(DailyLimitReached):
        usage.begin(limits)
    monkeypatch.setattr(politeness.time, "time", lambda: 20_001.0 * DAY)
    usage.begin(limits)


WHOLE = '{"hour": 1e999, "day": 1, "requests": 0, "hour_bytes": 0, "day_bytes": 0}'


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"hour": "x"}', b"\x00" * 100, b"\xff\xfe", b"[" * 4000, WHOLE.encode()],
)
def test_damaged_count_is_no_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "usage.json").write_bytes(content)
    Usage(tmp_path / "usage.json").begin(HostLimits(requests_per_day=1))
    assert json.loads((tmp_path / "usage.json").read_text())["requests"] == 1


def test_processes_that_count_at_once_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from components.common.web.politeness import HostLimits, Usage\n"
        "usage = Usage(pathlib.Path(sys.argv[1]))\n"
        "for _ in range(200): usage.begin(HostLimits()); usage.add(3)"
    )
    path = tmp_path / "usage.json"
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT) for _ in range(3)
    ]
    assert [process.wait(30) for process in started] == [0, 0, 0]
    counts = json.loads(path.read_text())
    assert counts["requests"] == 600
    assert counts["day_bytes"] == 1800


def test_limits_are_those_that_the_services_ask_for() -> None:
    api = HOST_LIMITS["api.inaturalist.org"]
    assert api.interval_s >= 1.0  # at most 60 requests a minute
    assert api.requests_per_day < 10_000
    media = HOST_LIMITS["inaturalist-open-data.s3.amazonaws.com"]
    assert (media.bytes_per_hour, media.bytes_per_day) == (5 * 10**9, 24 * 10**9)
    assert HOST_LIMITS["api.gbif.org"].concurrency == 1
    assert HOST_LIMITS["upload.wikimedia.org"].concurrency == 2
