"""A folder with one subfolder of photos per class, as people have it."""

import os
from pathlib import Path

import numpy as np
import pytest

from components.common.base.errors import InputError
from components.common.dataset import class_folders, photo_files
from components.common.photos import images

DATA = images.encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DATA if path.suffix in (".jpg", ".png") else b"no photo")
    return root


def warnings_of(events: Path) -> list[str]:
    lines = events.read_text().splitlines() if events.exists() else []
    return [line for line in lines if '"event": "warning"' in line]


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    return tmp_path / "events"


def test_classes_are_the_subfolders_with_photos(tmp_path: Path) -> None:
    tree(tmp_path, "roses/1.jpg", "Fly agaric/1.jpg", "蘑菇/1.png", "README.txt")
    assert class_folders.list_classes(tmp_path) == ["Fly agaric", "roses", "蘑菇"]


def test_hidden_and_technical_folders_are_no_classes(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", "b/1.jpg", ".git/1.jpg", ".thumbnails/1.jpg", "__MACOSX/1.jpg")
    assert class_folders.list_classes(tmp_path) == ["a", "b"]


def test_linked_class_folder_is_a_class(tmp_path: Path) -> None:
    tree(tmp_path, "photos/a/1.jpg", "elsewhere/1.jpg")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    assert class_folders.list_classes(tmp_path / "photos") == ["a", "b"]


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ([], "nowhere", "nowhere does not exist"),
        (["file.jpg"], "file.jpg", r"file\.jpg is no folder"),
        (["x.txt"], ".", "holds no class folders: .* at least two folders"),
        (["a/1.jpg"], ".", "holds only the class 'a': .* at least two folders"),
        (["a/1.jpg", "b/notes.txt"], ".", "b holds no photos"),
        (["a/1.jpg", "b/.hidden.jpg"], ".", "b holds no photos"),
        (["a/1.jpg", "b/deep/1.txt"], ".", "b holds no photos: add some, or move that"),
        (["a/1.jpg", "A/1.jpg"], ".", "names the classes 'A' and 'a', which differ only by case"),
        (["a/1.jpg", " b/1.jpg"], ".", "' b' cannot be a class name"),
        (["a/1.jpg", "b\\c/1.jpg"], ".", "cannot be a class name"),
    ],
)
def test_folder_that_is_no_set_of_classes_is_refused(
    tmp_path: Path, files: list[str], place: str, message: str
) -> None:
    tree(tmp_path / "photos", *files)
    with pytest.raises(InputError, match=message):
        class_folders.list_classes(tmp_path / "photos" / place)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("tulips", "no folder for the class 'tulips'"),
        ("empty", "empty holds no photos"),
        ("..", "cannot be a class name"),
        ("../secret", "cannot be a class name"),
    ],
)
def test_class_that_cannot_be_read_is_refused(tmp_path: Path, label: str, message: str) -> None:
    tree(tmp_path, "secret/1.jpg", "photos/daisy/1.jpg", "photos/empty/readme.md")
    with pytest.raises(InputError, match=message):
        class_folders.class_files(tmp_path / "photos", label)


def test_too_large_file_is_left_out_with_a_warning(tmp_path: Path, events: Path) -> None:
    tree(tmp_path, "photos/daisy/1.jpg", "photos/daisy/2.jpg")
    os.truncate(tmp_path / "photos/daisy/1.jpg", photo_files.MAX_FILE_BYTES + 1)  # sparse
    files = class_folders.class_files(tmp_path / "photos", "daisy")
    assert [path.name for path in files] == ["2.jpg"]
    (warning,) = warnings_of(events)
    assert "1.jpg was left out" in warning
    assert str(photo_files.MAX_FILE_BYTES) in warning


def test_files_that_are_no_photos_are_counted_in_one_warning(tmp_path: Path, events: Path) -> None:
    tree(tmp_path, "photos/daisy/1.jpg", "photos/daisy/notes.txt", "photos/daisy/list.csv")
    assert len(class_folders.class_files(tmp_path / "photos", "daisy")) == 1
    (warning,) = warnings_of(events)
    assert "2 files are no photos" in warning


def test_photos_in_folders_below_are_not_read_and_counted(tmp_path: Path, events: Path) -> None:
    tree(tmp_path, *(f"photos/daisy/{name}.jpg" for name in ("1", "old/2", "old/older/3", ".x/4")))
    files = class_folders.class_files(tmp_path / "photos", "daisy")
    assert [path.name for path in files] == ["1.jpg"]
    (warning,) = warnings_of(events)
    assert "2 photos in folders below are not read, only those directly in it: old" in warning


def test_class_of_another_spelling_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "Fly_agaric/1.jpg", "roses/1.jpg")
    with pytest.raises(InputError, match=r"no folder for the class 'fly agaric' .*'Fly_agaric'"):
        class_folders.class_files(tmp_path, "fly agaric")


def test_hidden_files_are_not_worth_a_warning(tmp_path: Path, events: Path) -> None:
    tree(tmp_path, "photos/daisy/1.jpg", "photos/daisy/.DS_Store")
    assert len(class_folders.class_files(tmp_path / "photos", "daisy")) == 1
    assert warnings_of(events) == []
