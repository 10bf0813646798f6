"""Which photos the places of a command line name, and how their bytes are read."""

import os
import threading
from pathlib import Path

import pytest

from components.common.base.errors import InputError
from components.label_image import photos
from components.label_image.photos import Reader, find, read_ahead
from components.label_image.stored import Unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        *("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "deep/er/c.webp"),
        *(".git/d.jpg", "deep/e.tiff", "[1].jpg"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"bytes of " + name.encode())
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    return tmp_path


def found(folder: Path, *places: str) -> list[str]:
    """What is found below a folder, by names relative to it."""
    names = find([str(folder / place) for place in places])
    return [str(Path(name).relative_to(folder)) for name in names]


def test_folder_gives_its_photos_however_deep_in_order(folder: Path) -> None:
    expected = ["[1].jpg", "a.PNG", "b.jpg", "deep/e.tiff", "deep/er/c.webp"]
    assert found(folder, ".") == expected


def test_pattern_gives_photos_that_fit(folder: Path) -> None:
    assert found(folder, "*.[jt]*") == ["[1].jpg", "b.jpg"]
    assert found(folder, "deep/**") == ["deep/e.tiff", "deep/er/c.webp"]
    assert found(folder, "**/*.webp") == ["deep/er/c.webp"]
    assert found(folder, "d*") == ["deep/e.tiff", "deep/er/c.webp"]


def test_pattern_below_a_relative_or_hidden_folder_fits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "deep")
    assert list(find(["../*.jpg", "er/*"])) == ["../[1].jpg", "../b.jpg", "er/c.webp"]
    assert found(folder, ".git/*") == [".git/d.jpg"]


def test_pattern_that_is_none_is_told(folder: Path) -> None:
    with pytest.raises(InputError, match="is not a valid pattern"):
        find([str(folder / "**.jpg")])


def test_file_that_is_named_like_a_pattern_is_that_file(folder: Path) -> None:
    assert found(folder, "[1].jpg") == ["[1].jpg"]


def test_places_keep_their_order_and_a_named_file_needs_no_photo_s_name(folder: Path) -> None:
    assert found(folder, "notes.txt", "deep", "b.jpg") == [
        *("notes.txt", "deep/e.tiff", "deep/er/c.webp", "b.jpg")
    ]
    assert list(find(["-", "https://example.org/1"])) == ["-", "https://example.org/1"]


@pytest.mark.parametrize("place", ["*.gif", "deep/none/*"])
def test_place_without_a_photo_is_told_before_any_other_is_read(folder: Path, place: str) -> None:
    with pytest.raises(InputError, match=r"there (is|are) no photos?"):
        find([str(folder / "b.jpg"), str(folder / place)])


@pytest.mark.parametrize("name", ["empty", "large", "gone"])
def test_file_that_cannot_be_read_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(photos, "MAX_FILE_BYTES", 10)
    (folder / "empty").touch()
    (folder / "large").write_bytes(bytes(11))
    (folder / "whole").write_bytes(bytes(10))
    reasons = {"empty": "it is empty", "large": "larger than 10 bytes", "gone": "No such file"}
    with Reader(folder / "cache") as reader:
        assert reader.read(str(folder / "whole")) == bytes(10)
        with pytest.raises(Unreadable, match=reasons[name]):
            reader.read(str(folder / name))
    assert not (folder / "cache").exists()


def test_reading_ahead_keeps_order_and_goes_on_after_a_failure(folder: Path) -> None:
    names = [str(folder / name) for name in ("b.jpg", "gone.jpg", "a.PNG")] * 20
    with Reader(folder / "cache") as reader:
        read = list(read_ahead(names, reader))
    assert [name for name, _ in read] == names
    assert [str(data) for _, data in read[1::3]] == ["No such file or directory"] * 20
    assert {data for _, data in read[2::3]} == {b"bytes of a.PNG"}


def test_no_more_is_read_than_is_asked_for(folder: Path) -> None:
    started = []
    lock = threading.Lock()

    class Counting(Reader):
        def read(self, name: str) -> bytes:
            with lock:
                started.append(name)
            return b"x"

    with Counting(folder / "cache") as reader:
        reading = read_ahead((str(number) for number in range(1000)), reader)
        assert [next(reading)[0] for _ in range(3)] == ["0", "1", "2"]
        reading.close()  # type: ignore[attr-defined]
    assert len(started) <= 3 + photos.AHEAD


def test_missing_file_is_an_error_only_where_no_file_is_there(folder: Path) -> None:
    there = next(path for path in sorted(folder.rglob("*.jpg")) if path.is_file())
    missing = str(folder / "none.jpg")
    assert list(find([missing, str(there)])) == [missing, str(there)]
    with pytest.raises(InputError, match=r"there is no photo at .*none\.jpg, .*gone\.jpg"):
        find([missing, str(folder / "gone.jpg")])
