"""References of a model: which photos are kept, and which are found to look alike."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import IMAGENET
from components.common.model import references
from components.common.model.references import References
from components.common.photos import images


def dataset(path: Path, flags: tuple[str, ...] = ()) -> Dataset:
    generator = np.random.default_rng(0)
    with DatasetWriter(path) as writer:
        for number in range(6):
            pixels = generator.integers(0, 256, (200, 300, 3), dtype=np.uint8)
            photo = Photo(
                ("daisy", "rose")[number % 2],
                author=f"Author {number}",
                licence="CC-BY-4.0",
                source_page=f"https://example.org/{number}",
                group=f"group {number}",
                flags=flags,
            )
            writer.add(photo, images.encode(pixels))
    return Dataset(path)


def test_nearest_photo_comes_first_with_its_credits(tmp_path: Path) -> None:
    photos = dataset(tmp_path / "photos")
    references.write(tmp_path / "r.parquet", photos, photos.photos, np.eye(6, 8, dtype=np.float32))
    found = References(tmp_path / "r.parquet")
    asked = np.array([0, 0, 0, 3, 1, 0, 0, 0], np.float32)
    first, second = found.nearest(asked, 2)
    assert (first.photo.author, second.photo.author) == ("Author 3", "Author 4")
    assert first.photo.source_page == "https://example.org/3"
    assert first.similarity == pytest.approx(3 / np.sqrt(10), abs=1e-3)
    assert max(images.jpeg_size(first.thumbnail)) == references.THUMBNAIL_SIDE
    assert len(found.nearest(asked, 100)) == 6


def test_of_many_photos_some_of_every_class_are_shown_and_all_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "MAX_SHOWN", 3)
    photos = dataset(tmp_path / "photos")
    references.write(tmp_path / "r.parquet", photos, photos.photos, np.eye(6, 8, dtype=np.float32))
    found = References(tmp_path / "r.parquet")
    shown = found.nearest(np.ones(8, np.float32), 100)
    assert sorted(one.photo.label for one in shown) == ["daisy", "daisy", "rose"]
    assert all(one.thumbnail for one in shown)
    assert {photo.sha256 for photo in found.photos} == {photo.sha256 for photo in photos.photos}


def test_photos_under_imagenets_terms_are_not_passed_on(tmp_path: Path) -> None:
    photos = dataset(tmp_path / "photos", (IMAGENET,))
    references.write(tmp_path / "r.parquet", photos, photos.photos, np.eye(6, 8, dtype=np.float32))
    assert References(tmp_path / "r.parquet").nearest(np.ones(8, np.float32), 9) == []
    assert not any(pq.read_table(tmp_path / "r.parquet").column("thumbnail").to_pylist())


def test_photo_of_another_network_is_like_none(tmp_path: Path) -> None:
    photos = dataset(tmp_path / "photos")
    references.write(tmp_path / "r.parquet", photos, photos.photos, np.eye(6, 8, dtype=np.float32))
    assert References(tmp_path / "r.parquet").nearest(np.ones(5, np.float32), 3) == []


@pytest.mark.parametrize("damage", ["missing", "cut", "other columns"])
def test_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    photos = dataset(tmp_path / "photos")
    path = tmp_path / "references.parquet"
    references.write(path, photos, photos.photos, np.eye(6, 8, dtype=np.float32))
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        pq.write_table(pq.read_table(path).drop_columns(["author"]), path)
    with pytest.raises(InputError, match=r"references\.parquet"):
        References(path)
