"""Class folders in object storage, of both kinds, on real servers."""

from pathlib import Path

import pytest
from object_stores import Store
from services import photo

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher
from components.common.web.fetch_outcome import FetchError
from components.download.candidate import Query
from components.download.download import class_names, download
from components.download.options import DownloadOptions
from components.download.sources import storage


@pytest.fixture(scope="module")
def store(store: Store) -> Store:
    """A store with class folders."""
    for number in range(5):
        store.put(f"set/daisy/{number}.jpg", photo(number))
        store.put(f"set/rose/{number}.JPG", photo(10 + number))
        store.put(f"parts/train/daisy/{number}.jpg", photo(number))
        store.put(f"parts/Test/daisy/{number}.jpg", photo(number))
        store.put(f"deeper/rose/old/{number}.jpg", photo(number))
    store.put("deeper/daisy/1.jpg", photo(1))
    store.put("deeper/daisy/old/older/2.jpg", photo(2))
    store.put("twins/Fly agaric/1.jpg", photo(1))
    store.put("twins/fly_agaric/1.jpg", photo(1))
    store.put("set/daisy/notes.txt", b"no photo")
    store.put("set/daisy/.hidden.jpg", b"no photo")
    store.put("set/readme.txt", b"no class")
    store.put("one/daisy/1.jpg", photo(1))
    return store


def options(store: Store, tmp_path: Path, folder: str = "set") -> DownloadOptions:
    return DownloadOptions(
        source="storage",
        image_dir=f"{store.prefix}/{folder}",
        cache_dir=str(tmp_path / "cache"),
        min_per_class=1,
    )


def test_classes_are_the_folders(store: Store, tmp_path: Path) -> None:
    assert class_names(options(store, tmp_path)) == ["daisy", "rose"]
    with pytest.raises(InputError, match="1 class folder: a classifier needs at least two"):
        class_names(options(store, tmp_path, "one"))


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        (
            "parts",
            r"parts, not classes \(Test, train\): .* such as \S+/parts/train;",
        ),
        ("twins", "names the classes 'Fly agaric' and 'fly_agaric', which differ only by case"),
    ],
)
def test_folders_that_are_no_classes_are_refused(
    store: Store, tmp_path: Path, folder: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        class_names(options(store, tmp_path, folder))


def test_photos_deeper_than_their_class_are_not_read_and_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    download(["daisy"], tmp_path / "out", options(store, tmp_path, "deeper"))
    assert [row.source_url for row in Dataset(tmp_path / "out").photos] == [
        f"{store.prefix}/deeper/daisy/1.jpg"
    ]
    assert "1 photo in a folder below is not read" in (tmp_path / "events").read_text()
    with pytest.raises(InputError, match=r"5 photos in folders below .*/deeper/rose/old; name"):
        download(["rose"], tmp_path / "rose", options(store, tmp_path, "deeper"))


def test_photos_come_with_their_place(store: Store, tmp_path: Path) -> None:
    download(["daisy"], tmp_path / "out", options(store, tmp_path))
    stored = list(Dataset(tmp_path / "out").stream())
    assert [data for _, data in stored] == [photo(number) for number in range(5)]
    assert [row.source_url for row, _ in stored] == [
        f"{store.prefix}/set/daisy/{number}.jpg" for number in range(5)
    ]
    assert {row.source for row, _ in stored} == {"storage"}
    download(["rose"], tmp_path / "rose", options(store, tmp_path))
    assert len(Dataset(tmp_path / "rose").photos) == 5


def test_object_is_not_read_again_unless_it_changed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.common.store import storage

    read, asked = storage.read_place, []
    monkeypatch.setattr(storage, "read_place", lambda uri, **k: asked.append(uri) or read(uri, **k))
    download(["daisy"], tmp_path / "out", options(store, tmp_path))
    assert len(asked) == 6  # of the text file its content says that it is no photo
    download(["daisy"], tmp_path / "out", options(store, tmp_path))
    assert len(asked) == 6
    store.put("set/daisy/0.jpg", photo(99))
    download(["daisy"], tmp_path / "out", options(store, tmp_path))
    store.put("set/daisy/0.jpg", photo(0))
    assert len(asked) == 7
    assert any(data == photo(99) for _, data in Dataset(tmp_path / "out").stream())


def test_object_is_a_photo_by_its_name_or_content(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    for name in ("no_extension", "photo.jpg.part", "browser.jfif"):
        store.put(f"mixed/daisy/{name}", photo(1))
    store.put("mixed/daisy/notes", b"no photo")
    download(["daisy"], tmp_path / "out", options(store, tmp_path, "mixed"))
    names = {row.source_url.rpartition("/")[2] for row in Dataset(tmp_path / "out").photos}
    assert names == {"no_extension", "photo.jpg.part", "browser.jfif"}
    assert "1  no picture" in (tmp_path / "events").read_text()


def test_object_that_is_too_large_is_counted_and_the_rest_taken(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.download.sources.storage.PHOTO_MAX_BYTES", 100_000)
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    store.put("set/daisy/huge.jpg", bytes(200_000))
    download(["daisy"], tmp_path / "out", options(store, tmp_path))
    store.delete("set/daisy/huge.jpg")
    assert len(Dataset(tmp_path / "out").photos) == 5
    assert "1  unreadable object" in (tmp_path / "events").read_text()


def test_class_that_is_not_there_fails(store: Store, tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="only 0 photos of 'tulip' could be taken from storage"):
        download(["tulip"], tmp_path / "out", options(store, tmp_path))
    assert not (tmp_path / "out").exists()


def test_local_folder_is_a_storage_too(tmp_path: Path) -> None:
    for label in ("daisy", "rose"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.jpg").write_bytes(photo(1))
    local = DownloadOptions(source="storage", image_dir=str(tmp_path / "photos"), min_per_class=1)
    assert class_names(local) == ["daisy", "rose"]
    download(["rose"], tmp_path / "out", local)
    assert len(Dataset(tmp_path / "out").photos) == 1


def test_object_that_is_gone_since_it_was_listed_is_one_failure(
    store: Store, tmp_path: Path
) -> None:
    store.put("passing/daisy/1.jpg", photo(1))
    with Fetcher(tmp_path / "cache") as fetcher:
        asked = Query(Species("daisy"), options(store, tmp_path, "passing"), fetcher)
        (found,) = storage.candidates(asked)
        store.delete("passing/daisy/1.jpg")
        assert found.read is not None
        with pytest.raises(FetchError, match="unreadable object"):
            found.read()


def test_empty_object_of_a_folder_is_no_photo(store: Store, tmp_path: Path) -> None:
    for key in ("marked/", "marked/daisy/"):  # as consoles make folders
        store.put(key, b"")
    store.put("marked/daisy/1.jpg", photo(1))
    store.put("marked/rose/1.jpg", photo(2))
    assert class_names(options(store, tmp_path, "marked")) == ["daisy", "rose"]
    download(["daisy"], tmp_path / "out", options(store, tmp_path, "marked"))
    assert len(Dataset(tmp_path / "out").photos) == 1
