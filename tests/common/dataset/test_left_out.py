"""Photos that recipes are measured on, but that nothing is learned from."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset import left_out
from components.common.dataset.dataset import DESCRIPTION, Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.photos import images

DATA = images.encode(np.full((40, 40, 3), 90, np.uint8))
GONE = [Photo("daisy", sha256="ab" * 32, group="g1"), Photo("rose", sha256="cd" * 32, group="g2")]


def written(folder: Path, photos: list[Photo]) -> Path:
    with DatasetWriter(folder / "dataset") as writer:
        writer.add(Photo("daisy", split="training"), DATA)
        for photo in photos:
            writer.leave_out(dataclasses.replace(photo, source="folder", author="Ann"))
    return folder / "dataset"


def test_they_are_listed_and_no_photos_of_the_dataset(tmp_path: Path) -> None:
    dataset = Dataset(written(tmp_path, GONE))
    assert dataset.left_out() == GONE
    assert [photo.label for photo in dataset.photos] == ["daisy"]
    assert dataset.labels == ["daisy"]


def test_dataset_without_any_has_no_file(tmp_path: Path) -> None:
    path = written(tmp_path, [])
    assert not (path / left_out.FILE_NAME).exists()
    assert Dataset(path).left_out() == []


def test_changed_list_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GONE)
    left_out.write(GONE[:1], path / left_out.FILE_NAME)
    with pytest.raises(InputError, match=r"left_out\.parquet"):
        Dataset(path).left_out()


@pytest.mark.parametrize("label", ["", "../up", "a/b", ".hidden"])
def test_name_that_no_class_can_have_is_refused(tmp_path: Path, label: str) -> None:
    path = written(tmp_path, GONE)
    left_out.write([Photo(label, sha256="ef" * 32)], path / left_out.FILE_NAME)
    reseal(path / DESCRIPTION)
    with pytest.raises(InputError, match="cannot be a class name"):
        Dataset(path).left_out()


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no table" * 100])
def test_damaged_list_is_refused(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path, GONE)
    (path / left_out.FILE_NAME).write_bytes(data)
    reseal(path / DESCRIPTION)
    with pytest.raises(InputError, match=r"left_out\.parquet cannot be read"):
        Dataset(path).left_out()
