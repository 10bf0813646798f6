"""Datasets whose photos lie elsewhere: the same photos as from the folder, on real servers."""

import hashlib
import itertools
from pathlib import Path

import pytest
from object_stores import Store
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset import listing, stored_shards
from components.common.dataset.dataset import DESCRIPTION, MANIFEST, Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.store import storage

SIZES = (0, 1, 511, 512, 513, 40_000, 300_000, 700_000)  # around tar's blocks, and beyond the gap


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of several sizes in several shards; one has a name that no plain header can hold."""
    path = tmp_path_factory.mktemp("listed") / "dataset"
    with DatasetWriter(path, shard_bytes=1_500_000) as writer:
        for number, size in enumerate([*SIZES, *SIZES, *SIZES]):
            label = ("daisy", "蘑菇", "rose" * 25)[number % 3]
            writer.add(Photo(label=label), hashlib.shake_128(bytes([number])).digest(size))
    assert len(list(path.glob("*.tar"))) >= 2
    return path


def uploaded(store: Store, dataset: Path, name: str) -> str:
    place = f"{store.prefix}/{name}"
    storage.upload_files({path.name: path for path in dataset.iterdir()}, place)
    return place


@pytest.mark.parametrize("part", ["", "1/3", "2/3", "3/3", "24/24"])
def test_part_of_a_stored_dataset_is_the_same_as_of_the_folder(
    store: Store, dataset: Path, part: str
) -> None:
    place = uploaded(store, dataset, "parts")
    expected = Dataset(dataset, part=part)
    with listing.opened(f"{place}/", part=part) as found:
        assert found.photos == expected.photos
        assert list(found.stream()) == list(expected.stream())
        for photo in found.photos[:3]:
            assert found.read(photo) == expected.read(photo)
    with listing.opened(str(dataset), part=part) as found:
        assert list(found.stream()) == list(expected.stream())


def test_photos_that_are_not_wanted_are_not_asked_for(
    store: Store, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    read_range = storage.read_range

    def noted(uri: str, start: int, size: int) -> bytes:
        asked.append((start, size))
        return read_range(uri, start, size)

    place = uploaded(store, dataset, "wanted")
    monkeypatch.setattr(storage, "read_range", noted)
    with listing.opened(place) as found:
        photos = found.in_order()
        only = [number % 8 == 5 for number in range(len(photos))]
        given = list(found.stream(only))
    expected = list(itertools.compress(Dataset(dataset).stream(), only))
    assert given == expected
    assert sum(size for _, size in asked) == 3 * 40_000


def test_neighbours_are_asked_for_at_once_and_no_run_is_too_long() -> None:
    photos = [
        Photo("daisy", offset=offset, size=size)
        for offset, size in (
            (512, 1000),
            (2048, 1000),  # near
            (2048 + 1000 + stored_shards.GAP_BYTES, 10),  # just near enough
            (2048 + 1010 + 2 * stored_shards.GAP_BYTES + 1, 10),  # too far
            (4_000_000, 3 * stored_shards.RUN_BYTES),  # longer than a run may be, and alone
            (4_000_000 + 3 * stored_shards.RUN_BYTES, 10),
        )
    ]
    runs = [len(run) for run in stored_shards._runs(photos)]
    assert runs == [3, 1, 1, 1]


def test_listing_reads_photos_from_where_they_are(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    place = uploaded(store, dataset, "listed")
    expected = list(Dataset(dataset).stream())
    for number, there in enumerate((place, str(dataset))):
        path = tmp_path / f"listing-{number}"
        listing.write(dataset, there, path)
        assert sorted(file.name for file in path.iterdir()) == [DESCRIPTION, MANIFEST]
        found = listing.read(path)
        assert list(found.stream()) == expected
        assert found.facts == Dataset(dataset).facts


def test_listing_is_no_dataset_and_a_dataset_no_listing(dataset: Path, tmp_path: Path) -> None:
    listing.write(dataset, "s3://elsewhere/photos", tmp_path / "listing")
    # Only who expects a listing goes where it leads: a stranger's dataset could name any place.
    with pytest.raises(InputError, match=r"no images-00000\.tar"):
        Dataset(tmp_path / "listing")
    with pytest.raises(InputError, match="does not say where the shards are"):
        listing.read(dataset)


@pytest.mark.parametrize("place", [7, "", None])
def test_place_that_is_none_is_told(dataset: Path, tmp_path: Path, place: object) -> None:
    listing.write(dataset, "s3://elsewhere/photos", tmp_path / "listing")
    reseal(tmp_path / "listing" / DESCRIPTION, **{listing.PLACE: place})
    with pytest.raises(InputError, match="does not say where the shards are"):
        listing.read(tmp_path / "listing")


def test_what_is_missing_or_changed_in_the_store_is_told(store: Store, dataset: Path) -> None:
    place = uploaded(store, dataset, "changed")
    missing = pytest.raises(InputError, match="nothing-there is no dataset: there is no manifest")
    with missing, listing.opened(f"{store.prefix}/nothing-there"):
        pass
    shard = (dataset / "images-00000.tar").read_bytes()
    changed = bytearray(shard)
    changed[-200_000] ^= 1
    store.put("changed/images-00000.tar", bytes(changed))
    with listing.opened(place) as found, pytest.raises(InputError, match=r"sha256 differs"):
        list(found.stream())
    store.put("changed/images-00000.tar", shard[:100_000])
    with pytest.raises(InputError, match=r"lies outside images"), listing.opened(place):
        pass
    storage.delete(f"{place}/images-00000.tar")
    with pytest.raises(InputError, match=r"images-00000.tar is missing"), listing.opened(place):
        pass


def test_range_ends_where_the_object_does(store: Store) -> None:
    store.put("range/one", b"0123456789")
    place = f"{store.prefix}/range/one"
    assert storage.read_range(place, 2, 3) == b"234"
    assert storage.read_range(place, 8, 100) == b"89"
    for start in (10, 99):
        with pytest.raises(InputError, match="range/one"):
            storage.read_range(place, start, 1)
    with pytest.raises(InputError, match="range/none"):
        storage.read_range(f"{store.prefix}/range/none", 0, 1)
