"""Whole or absent, also where the disk is full."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faults.small_disk import mounted

from components.common.base.errors import InputError, WorkError
from components.common.base.files import (
    atomic_directory,
    default_cache_dir,
    is_disk_full,
    write_file,
    write_new,
)
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import BackboneKey

TOO_MUCH = 3 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    with mounted(tmp_path / "disk", 1024**2) as disk:
        yield disk


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(path: Path, content: str) -> None:
    with atomic_directory(path, what="the thing", marker="marker") as temporary:
        (temporary / "marker").write_text("")
        (temporary / "content").write_text(content)


def test_directory_appears_only_at_the_end(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "out", what="the thing", marker="m") as temporary:
        (temporary / "m").write_text("1")
        assert not (tmp_path / "out").exists()
        assert temporary.parent == tmp_path
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "m").read_text() == "1"


def test_missing_parents_are_made(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b" / "c", "new")
    assert (tmp_path / "a" / "b" / "c" / "content").read_text() == "new"


def test_earlier_output_is_replaced_and_not_mixed(tmp_path: Path) -> None:
    make(tmp_path / "out", "old")
    (tmp_path / "out" / "stale").write_text("")
    make(tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["content", "marker"]
    assert (tmp_path / "out" / "content").read_text() == "new"


def test_empty_directory_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]


def test_failure_keeps_the_earlier_output(tmp_path: Path) -> None:
    make(tmp_path / "out", "old")

    def fail_midway() -> None:
        with atomic_directory(tmp_path / "out", what="x", marker="marker") as temporary:
            (temporary / "content").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_midway()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "content").read_text() == "old"


def test_rest_of_a_killed_run_is_cleared_away(tmp_path: Path) -> None:
    rest = tmp_path / f".out.partial-{os.getpid()}"
    rest.mkdir()
    (rest / "half").write_text("")
    make(tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["content", "marker"]


def test_files_of_somebody_else_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes").write_text("mine")
    for name in ("file", "folder"):
        with pytest.raises(InputError, match=r"not an earlier output .*no marker.*the thing"):
            make(tmp_path / name, "new")
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path / "folder") == ["notes"]


def test_other_errors_pass_through_unchanged(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_directory(tmp_path / "out", what="x", marker="m"):
            raise PermissionError(errno.EACCES, "Permission denied", "photo.jpg")

    with pytest.raises(PermissionError, match=r"photo\.jpg"):
        fail()
    assert names(tmp_path) == []


def test_file_is_written_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "text", "ü", what="the text")
    assert (tmp_path / "a" / "text").read_bytes() == "ü".encode()
    write_file(tmp_path / "a" / "text", b"\x00", what="the text")
    assert (tmp_path / "a" / "text").read_bytes() == b"\x00"
    assert names(tmp_path / "a") == ["text"]


def test_new_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert write_new(path, b"first", what="a file")
    assert not write_new(path, b"second", what="a file")
    assert path.read_bytes() == b"first"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_new_file_is_written_once_on_a_disk_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert write_new(tmp_path / "file", b"first", what="a file")
    assert not write_new(tmp_path / "file", b"second", what="a file")
    assert (tmp_path / "file").read_bytes() == b"first"


def test_full_disk_leaves_no_part_of_a_directory(small_disk: Path) -> None:
    make(small_disk / "out", "old")

    def fill() -> None:
        with atomic_directory(small_disk / "out", what="the thing", marker="marker") as temporary:
            (temporary / "marker").write_text("")
            (temporary / "content").write_bytes(bytes(TOO_MUCH))

    with pytest.raises(WorkError) as caught:
        fill()
    for part in ("no space left", "the thing", str(small_disk / "out")):
        assert part in str(caught.value)
    assert names(small_disk) == ["out"]
    assert (small_disk / "out" / "content").read_text() == "old"


def test_full_disk_leaves_no_part_of_a_file(small_disk: Path) -> None:
    write_file(small_disk / "file", "old", what="the notes")
    with pytest.raises(WorkError, match=f"the notes to {small_disk / 'file'}"):
        write_file(small_disk / "file", bytes(TOO_MUCH), what="the notes")
    assert names(small_disk) == ["file"]
    assert (small_disk / "file").read_text() == "old"


@pytest.mark.parametrize("size", [100_000, 7_000])  # full in a photo, full in the buffer's rest
def test_full_disk_leaves_the_earlier_dataset(small_disk: Path, size: int) -> None:
    with DatasetWriter(small_disk / "d") as writer:
        kept = writer.add(Photo(label="x"), b"photo")

    def fill() -> None:
        with DatasetWriter(small_disk / "d") as writer:
            for number in range(TOO_MUCH // size):
                writer.add(Photo(label="x"), number.to_bytes(4, "big") * (size // 4))

    with pytest.raises(WorkError, match="the dataset"):
        fill()
    assert names(small_disk) == ["d"]
    assert [photo for photo, _ in Dataset(small_disk / "d").stream()] == [kept]


def test_disk_that_fills_before_the_last_bytes_leaves_nothing(small_disk: Path) -> None:
    def fill() -> None:
        with DatasetWriter(small_disk / "d") as writer:
            writer.add(Photo(label="x"), b"photo")
            with contextlib.suppress(OSError), open(small_disk / "rest", "wb", 0) as rest:
                while True:
                    rest.write(bytes(4096))

    with pytest.raises(WorkError, match="the dataset"):
        fill()
    assert names(small_disk) == ["rest"]


def test_full_disk_is_named_when_bottlenecks_are_saved(small_disk: Path) -> None:
    key = BackboneKey("mobilenet_1.0_128", 128, "0" * 64)
    sha256 = tuple(f"{number:064x}" for number in range(600))
    vectors, scores = np.ones((600, 1024), np.float32), np.ones((600, 1000), np.float16)
    fingerprints = np.ones((600, 1024), np.uint8)
    found = bottlenecks.Bottlenecks(sha256, vectors, scores, fingerprints, key)
    with pytest.raises(WorkError, match="the bottlenecks"):
        bottlenecks.save(found, small_disk / "b", ["x"] * 600)
    assert names(small_disk) == []


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (RuntimeError("NewRandomAccessFile: /x; No space left on device"), True),
        (OSError("Can't write data (file write failed: errno = 28, error message = 'x')"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (ValueError("errno = 2"), False),
    ],
    ids=str,
)
def test_full_disk_is_recognized_whoever_reports_it(error: Exception, full: bool) -> None:
    assert is_disk_full(error) is full


def test_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/wild-mushrooms")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_cache_dir() == Path("/home/ada/.cache/wild-mushrooms")
