"""Folders as people have them: what is found, where the photos are, and what to type."""

import shlex
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.common.base.errors import InputError
from components.common.dataset import layouts
from components.common.dataset.class_folders import MAX_FILE_BYTES, list_classes

OWN = "divides the photos itself"


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"as its name says")
    return root


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        list_classes(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert "remove" not in said
    return said.replace(str(folder), "IN")


LAYOUTS = {
    "parts above the classes": (
        ["train/daisy/1.jpg", "train/roses/1.jpg", "val/daisy/1.jpg", "val/roses/1.jpg"],
        ["no photos directly in train and val", "1 photo in train/daisy", "IMAGES=IN/train (", OWN],
    ),
    "parts in capitals, the smaller first": (
        ["Test/a/1.jpg", "Test/a/2.jpg", "Test/b/1.jpg", "Training/a/1.jpg", "Training/b/1.jpg"],
        ["2 photos in Test/a", "IMAGES=IN/Training (", OWN],
    ),
    "a part beside lists": (
        ["train/a/1.jpg", "train/b/1.jpg", "labels/train.csv"],
        ["1 photo in train/a", "IMAGES=IN/train ("],
    ),
    "parts without classes": (
        ["train/1.jpg", "test/2.jpg"],
        ["holds parts", "1 photo in train", "1 photo in test", "one folder per class", OWN],
    ),
    "photos one level down": (
        ["daisy/old/1.jpg", "daisy/old/2.jpg", "roses/new/1.jpg"],
        ["2 photos in daisy/old", "1 photo in roses/new", "find IN/daisy -mindepth 2"],
    ),
    "one class of two one level down": (
        ["daisy/1.jpg", "roses/new/1.jpg"],
        ["no photos directly in roses", "1 photo in roses/new", "find IN/roses -mindepth 2"],
    ),
    "several years of one class": (
        ["daisy/2023/1.jpg", "daisy/2024/1.jpg", "roses/2023/1.jpg"],
        ["1 photo in daisy/2023", "IMAGES=IN/daisy (", "find IN/daisy -mindepth 2"],
    ),
    "one folder too high": (
        ["flowers/daisy/1.jpg", "flowers/roses/1.jpg"],
        ["no photos directly in flowers", "IMAGES=IN/flowers ("],
    ),
    "far too high": (
        ["x/y y/train/a/1.jpg", "x/y y/train/b/1.jpg", "x/y y/val/a/1.jpg", "x/y y/val/b/1.jpg"],
        ["1 photo in x/y y/train/a", "IMAGES='IN/x/y y/train' ("],
    ),
    "one flat folder": (
        ["1.jpg", "2.jpg", "labels.csv"],
        ["holds 2 photos and no folders for classes", "mkdir IN/daisy IN/roses"],
    ),
    "one flat folder with one folder": (
        ["1.jpg", "old/2.jpg"],
        ["holds 1 photo and only the folder old for classes", "mkdir IN/daisy IN/roses"],
    ),
    "a folder without photos": (
        ["daisy/1.jpg", "roses/1.jpg", "notes/1.txt"],
        ["IN/notes holds no photos: add some, or move that folder elsewhere"],
    ),
    "nothing": ([], ["holds no class folders", "at least two folders of photos"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_told_with_where_the_photos_are_and_what_to_type(
    tmp_path: Path, layout: str
) -> None:
    files, told = LAYOUTS[layout]
    folder = tmp_path / "in"
    folder.mkdir()
    said = refused(tree(folder, *files))
    for part in told:
        assert part in said


def test_linked_folders_are_looked_into(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", "daisy/1.jpg", "roses/1.jpg")
    folder = tree(tmp_path / "in", "readme.txt")
    for part in ("train", "val"):
        (folder / part).symlink_to(tmp_path / "elsewhere")
    assert "IMAGES=IN/train (" in refused(folder)


def test_folder_of_one_class_leads_to_the_folder_above(tmp_path: Path) -> None:
    tree(tmp_path, "daisy/1.jpg", "roses/1.jpg")
    assert f"take the folder above: IMAGES={tmp_path} (" in refused(tmp_path / "daisy")


@pytest.mark.parametrize("layout", ["parts above the classes", "one folder too high"])
def test_what_is_to_be_typed_leads_to_classes(tmp_path: Path, layout: str) -> None:
    said = refused(tree(tmp_path, *LAYOUTS[layout][0]))
    typed = shlex.split(said.partition("IMAGES=")[2])[0]
    assert list_classes(Path(typed.replace("IN", str(tmp_path)))) == ["daisy", "roses"]


def test_what_is_to_be_typed_moves_photos_up(tmp_path: Path) -> None:
    folder = tree(tmp_path / "my photos", *LAYOUTS["one class of two one level down"][0])
    command = refused(folder)[refused(folder).index("find ") :].replace("IN", str(folder))
    subprocess.run(command, shell=True, check=True)
    assert list_classes(folder) == ["daisy", "roses"]


@pytest.mark.parametrize("name", ["photos.zip", "photos.tgz", "photos.tar", "no suffix", "x.rar"])
def test_archive_is_to_be_unpacked(tmp_path: Path, name: str) -> None:
    source, path = tree(tmp_path / "source", "a/1.jpg", "b/1.jpg"), tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as packed:
            for file in source.rglob("*.jpg"):
                packed.write(file, file.relative_to(source))
    elif name.endswith("rar"):
        path.write_bytes(b"Rar!")
    else:
        with tarfile.open(path, "w:gz" if name.endswith("tgz") else "w") as tar:
            tar.add(source, ".")
    said = refused(path)
    assert "IN is an archive, and photos are read from folders: unpack it" in said
    if not name.endswith(("zip", "rar")):
        command = said.partition("unpack it, ")[2].partition(", then")[0]
        subprocess.run(command.replace("IN", str(path)), shell=True, check=True)
        assert list_classes(path.with_name("photos")) == ["a", "b"]


def test_archives_in_a_folder_are_named(tmp_path: Path) -> None:
    for name in ("daisy", "roses"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as packed:
            packed.writestr("1.jpg", b"x" * min(MAX_FILE_BYTES, 1000))
    assert "archives are not read (daisy.zip and roses.zip): unzip IN/daisy.zip" in refused(
        tmp_path
    )


def test_looking_for_photos_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "MAX_FOLDERS", 5)
    tree(tmp_path, *(f"{number:03}/1.jpg" for number in range(100)))
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(layouts.photos_below(tmp_path)) == 5
