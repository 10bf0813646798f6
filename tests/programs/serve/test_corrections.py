"""The folder of labelled photos: bounded, dated, whole after any end, and never somebody's own."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.common.base import temporary
from components.common.base.errors import DiskFull, InputError
from components.common.dataset import class_folders
from programs.serve import corrections
from programs.serve.corrections import PER_MINUTE, TABLE, Corrections, TooMany

FACTS: dict[str, Any] = {
    **{"answered": "penny_bun", "probability": 0.7, "learned_from": False},
    **{"head_sha256": "ab" * 32, "version": "0.1.0"},
}
NOON = 1_790_000_000.0
DAY = 86400.0


class Clock:
    """Seconds since 1970, as a test sets them."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Iterator[Corrections]:
    made = Corrections(tmp_path / "kept", most=3, days=30, clock=clock)
    yield made
    made.close()


def photos(kept: Corrections) -> list[str]:
    """Class and content of the photos, sorted."""
    files = (kept.folder / "photos").rglob("*.jpg")
    return sorted(f"{path.parent.name}/{path.read_bytes().decode()}" for path in files)


def rows(kept: Corrections) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (kept.folder / TABLE).read_text().splitlines()]


def test_photo_lies_under_the_class_that_was_said(kept: Corrections) -> None:
    kept.keep(b"a", "fly_agaric", **FACTS)
    kept.keep(b"b", "penny_bun", **FACTS)
    folder = kept.folder / "photos"
    assert class_folders.list_classes(folder) == ["fly_agaric", "penny_bun"]
    assert photos(kept) == ["fly_agaric/a", "penny_bun/b"]
    first = rows(kept)[0]
    assert (kept.folder / first.pop("photo")).read_bytes() == b"a"
    assert first.pop("time") == "2026-09-21T14:13:20+00:00"
    assert len(first.pop("sha256")) == 64
    # And nothing else, least of all of whoever sent it.
    assert first == {"said": "fly_agaric", **FACTS}


def test_last_word_on_a_photo_counts(kept: Corrections) -> None:
    kept.keep(b"a", "fly_agaric", **FACTS)
    kept.keep(b"a", "penny_bun", **FACTS)
    assert photos(kept) == ["penny_bun/a"]
    assert [row["said"] for row in rows(kept)] == ["penny_bun"]
    assert kept.forget(b"a")
    assert not kept.forget(b"a")
    assert photos(kept) == []
    assert rows(kept) == []


def test_oldest_go_first_where_there_are_too_many(kept: Corrections, clock: Clock) -> None:
    for name in (b"a", b"b", b"c", b"d"):
        clock.now += 60
        kept.keep(name, "fly_agaric", **FACTS)
    assert photos(kept) == ["fly_agaric/b", "fly_agaric/c", "fly_agaric/d"]
    assert len(rows(kept)) == 3


def test_photos_go_when_their_time_has_come(kept: Corrections, clock: Clock) -> None:
    kept.keep(b"a", "fly_agaric", **FACTS)
    clock.now += 20 * DAY
    kept.keep(b"b", "fly_agaric", **FACTS)
    assert kept.prune() == 2
    clock.now += 11 * DAY
    assert kept.prune() == 1
    assert photos(kept) == ["fly_agaric/b"]


def test_what_was_kept_is_there_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "kept"
    first = Corrections(folder, most=3, days=30, clock=clock)
    first.keep(b"a", "fly_agaric", **FACTS)
    first.close()
    again = Corrections(folder, most=3, days=30, clock=clock)
    again.keep(b"b", "fly_agaric", **FACTS)
    assert photos(again) == ["fly_agaric/a", "fly_agaric/b"]
    again.close()
    clock.now += 31 * DAY
    last = Corrections(folder, most=3, days=30, clock=clock)
    assert photos(last) == []
    last.close()


def test_photo_that_was_removed_by_hand_is_forgotten(kept: Corrections) -> None:
    kept.keep(b"a", "fly_agaric", **FACTS)
    next((kept.folder / "photos").rglob("*.jpg")).unlink()
    kept.keep(b"b", "fly_agaric", **FACTS)
    assert len(rows(kept)) == 1


def test_photos_that_somebody_put_there_stay(kept: Corrections, clock: Clock) -> None:
    own = kept.folder / "photos" / "fly_agaric" / "mine.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    for name in (b"a", b"b", b"c", b"d"):
        kept.keep(name, "fly_agaric", **FACTS)
    clock.now += 99 * DAY
    assert kept.prune() == 0
    assert photos(kept) == ["fly_agaric/mine"]


@pytest.mark.parametrize("written_before", [0, 1])
def test_full_disk_keeps_nothing_of_the_photo_and_all_of_the_others(
    kept: Corrections, monkeypatch: pytest.MonkeyPatch, written_before: int
) -> None:
    kept.keep(b"a", "fly_agaric", **FACTS)
    whole, calls = Path.write_bytes, iter(range(9))

    def full(path: Path, data: bytes) -> int:
        if next(calls) >= written_before:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull, match="free some space"):
        kept.keep(b"b", "fly_agaric", **FACTS)
    monkeypatch.undo()
    assert photos(kept) == ["fly_agaric/a"]
    assert kept.prune() == 1
    assert [row["said"] for row in rows(kept)] == ["fly_agaric"]
    assert not list(kept.folder.rglob(f"*{temporary.PARTIAL}*"))


def test_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "daisy").mkdir()
    with pytest.raises(InputError, match="holds something else"):
        Corrections(tmp_path, most=3, days=30)
    assert [path.name for path in tmp_path.iterdir()] == ["daisy"]


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    with pytest.raises(InputError, match="--corrections"):
        Corrections(tmp_path / "kept", most=3, days=30)


def test_second_service_is_refused(kept: Corrections) -> None:
    with pytest.raises(InputError, match="another service"):
        Corrections(kept.folder, most=3, days=30)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "../../../etc/passwd"},
        {"sha256": "AB" * 32},
        {"sha256": 1},
        {"said": ".."},
        {"said": "a/b"},
        {"said": None},
        {"time": "yesterday"},
        {"time": "9999999999"},
        {"answered": 3},
        {"probability": "0.5"},
    ],
)
def test_damaged_table_is_refused_and_nothing_is_removed(
    kept: Corrections, change: dict[str, Any]
) -> None:
    kept.keep(b"a", "fly_agaric", **FACTS)
    damaged = {**rows(kept)[0], **change}
    (kept.folder / TABLE).write_text(json.dumps(damaged) + "\n")
    with pytest.raises(InputError, match=r"line 1 of .* is no correction"):
        kept.prune()
    assert photos(kept) == ["fly_agaric/a"]


@pytest.mark.parametrize("line", ["nonsense", "[]", "1", "{}", "[" * 100_000])
def test_line_that_is_no_object_is_refused(kept: Corrections, line: str) -> None:
    (kept.folder / TABLE).write_text(f"{line}\n")
    with pytest.raises(InputError, match="line 1 of"):
        kept.prune()


def test_table_that_is_too_large_is_not_read(
    kept: Corrections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "MAX_TABLE_BYTES", 10)
    (kept.folder / TABLE).write_text("x" * 11)
    with pytest.raises(InputError, match="larger than"):
        kept.prune()


def test_flood_is_told_to_wait(kept: Corrections) -> None:
    for _ in range(PER_MINUTE):
        kept.admit()
    with pytest.raises(TooMany):
        kept.admit()
