"""A download that is killed goes on where it was, and ends as if nothing had happened."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from photo_server import Answer, serve
from services import NAME, Record, Services, addresses, photo, running

from components.common.dataset.dataset import Dataset
from components.common.dataset.species import Species, as_parameter
from components.common.web.fetch_cache import FetchCache

PHOTOS = 60
KILLS = 20
# The command, led to the local server: only a process of its own can be killed.
PROGRAM = """
import importlib, json, pathlib, sys
from components.download.options import DownloadOptions
from components.download.download import download
constants, output, options, species = json.loads(sys.argv[1])
for module, name, value in constants:
    setattr(importlib.import_module(module), name, value)
download(["fly agaric"], pathlib.Path(output), DownloadOptions(**options), species)
"""


def start(services: Services, output: Path, cache: Path) -> "subprocess.Popen[bytes]":
    options = {
        "source": "inaturalist",
        "per_class": PHOTOS,
        "allow_private_hosts": "localhost",
        "cache_dir": str(cache),
        "workers": 4,
    }
    constants = [
        (module.__name__, name, value) for module, name, value in addresses(services.address)
    ]
    species = as_parameter([Species("fly agaric", latin=NAME)])
    arguments = json.dumps([constants, str(output), options, species])
    return subprocess.Popen([sys.executable, "-c", PROGRAM, arguments], cwd=ROOT)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.long
def test_killed_at_random_moments_the_download_ends_as_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(time.time())
    print("seed", seed)  # shown if the test fails
    draw = random.Random(seed)
    with running([Record(n) for n in range(1, PHOTOS + 31)], monkeypatch) as services:
        assert services.server is not None
        assert start(services, tmp_path / "calm", tmp_path / "calm-cache").wait(60) == 0
        # A photo in three is late, so that kills meet every stage of a download.
        services.photo_behaviour = lambda path, _: Answer(
            photo(int(path.split("/")[2])), pause_s=0.05 * (len(path) % 3)
        )
        cache = tmp_path / "cache"
        for _ in range(KILLS):
            before = len(services.server.requests)
            known = {url for url in photo_urls(services) if FetchCache(cache).lookup(url)}
            process = start(services, tmp_path / "out", cache)
            try:
                process.wait(draw.uniform(0.25, 0.75))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.wait()
            asked = {f"{services.address}{path}" for path in services.server.paths()[before:]}
            assert not asked & known  # what was there whole is not fetched again
            if (tmp_path / "out").exists():  # whole, or absent
                assert len(Dataset(tmp_path / "out").photos) == PHOTOS
        assert start(services, tmp_path / "out", cache).wait(60) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")


def photo_urls(services: Services) -> list[str]:
    return [f"{services.address}/photos/{r.number * 10}/medium.jpg" for r in services.records]


def test_sigterm_ends_the_step_and_takes_away_what_is_half_written(tmp_path: Path) -> None:
    """A pod that must go has a grace period; so has a step beside one that failed."""
    with serve(lambda path, _: Answer(photo(int(path[1:-4])), pause_s=0.2)) as server:
        (tmp_path / "list.txt").write_text(
            "".join(f"{server.address}/{number}.jpg\n" for number in range(500))
        )
        command = [sys.executable, "-m", "components.download", "--label", "daisy"]
        command += ["--source", "urls", "--url_list", str(tmp_path / "list.txt")]
        command += ["--output", str(tmp_path / "out" / "images"), "--workers", "2"]
        command += ["--cache_dir", str(tmp_path / "cache"), "--allow_private_hosts", "localhost"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        while len(server.requests) < 5:
            time.sleep(0.02)
        process.terminate()
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in stderr
    assert "Traceback" not in stderr
    assert list((tmp_path / "out").iterdir()) == []
