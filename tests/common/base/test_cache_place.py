"""A cache that cannot be written costs nobody a run."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.small_disk import mounted

from components.common.base import cache_place
from components.common.base.files import SECOND_CACHE_VARIABLE, default_cache_dir


@pytest.fixture
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process remembers of caches is not for the next test."""
    monkeypatch.setenv(SECOND_CACHE_VARIABLE, "")
    monkeypatch.delenv(SECOND_CACHE_VARIABLE)


def _file(place: Path) -> Path:
    place.write_text("mine")
    return place


CLOSED: dict[str, Callable[[Path], Path]] = {
    "a file": lambda folder: _file(folder / "cache"),
    "below a file": lambda folder: _file(folder / "file") / "cache",
    "where nothing can be made": lambda _: Path("/proc/cache"),
    "a name that is too long": lambda folder: folder / ("x" * 256),
}


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("kind", CLOSED)
def test_cache_that_cannot_be_written_gives_way_to_a_temporary_one_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    place = CLOSED[kind](tmp_path)
    usable = cache_place.cache_folder(place)
    assert usable != place
    (usable / "something").write_text("kept")
    assert cache_place.cache_folder(str(place)) == usable  # once said, once made
    (event,) = map(json.loads, (tmp_path / "events").read_text().splitlines())
    assert event["message"].startswith(f"the cache {place} cannot be written (")
    assert "--cache_dir names another folder" in event["message"]


@pytest.mark.usefixtures("_as_before")
def test_cache_that_can_only_be_read_is_read_all_the_same(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 1024**2) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert cache_place.cache_folder(disk) != disk
        assert os.environ[SECOND_CACHE_VARIABLE] == str(disk)
        # What nobody could read is no second cache.
        assert cache_place.cache_folder(disk / "cache") not in (disk, disk / "cache")
        assert os.environ[SECOND_CACHE_VARIABLE] == str(disk)


@pytest.mark.usefixtures("_as_before")
def test_folder_that_can_be_written_is_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "it's {{$.inputs}} [python3]"
    assert cache_place.cache_folder(odd) == odd
    assert list(odd.iterdir()) == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_place.cache_folder("") == default_cache_dir() == tmp_path / "wild-mushrooms"
    assert SECOND_CACHE_VARIABLE not in os.environ
