"""`curate` of photos that lie in an object store: the same as of the folder, and little is sent."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from curation_items import SMALL, Item, items, places, prepare
from object_stores import Store

from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.dataset import listing
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.store import storage
from components.curate.curate import curate, curate_listed
from components.curate.options import CurateOptions

OPTIONS = CurateOptions(**vars(SMALL))


def stored(root: Path, datasets: Sequence[Path], store: Store, name: str) -> list[Path]:
    """Listings of datasets that were moved to a store."""
    listings = []
    for number, dataset in enumerate(datasets):
        place = f"{store.prefix}/{name}/{number}"
        storage.upload_files({path.name: path for path in dataset.iterdir()}, place)
        listing.write(dataset, place, root / f"listing-{name}-{number}")
        listings.append(root / f"listing-{name}-{number}")
        for shard in dataset.glob("*.tar"):
            shard.rename(root / f"{shard.name}-{name}-{number}")
    return listings


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hash_file(path) for path in folder.rglob("*.*")}


def test_photos_in_a_store_are_curated_as_in_the_folder(store: Store, tmp_path: Path) -> None:
    photos = items("daisy", 16) + items("roses", 13)
    photos += [Item("daisy", "copy", like="daisy 0", width=200), Item("roses", "daisy 3")]
    sources, vectors = prepare(tmp_path, photos)
    with DatasetWriter(tmp_path / "bad", rejects=True) as writer:
        writer.add(Photo("daisy", reason="damaged"), b"no photo", extension="bin")
    expected = places(tmp_path / "expected")
    curate(sources, vectors, expected, clean_rejects=[tmp_path / "bad"], options=OPTIONS)
    listings = stored(tmp_path, sources, store, "good")
    bad = stored(tmp_path, [tmp_path / "bad"], store, "bad")
    found, used = places(tmp_path / "found"), tmp_path / "used"
    curate_listed(listings, [vectors], found, used, clean_rejects=bad, options=OPTIONS)
    assert content(tmp_path / "found") == content(tmp_path / "expected")
    of_use = [*Dataset(found.training).photos, *Dataset(found.demo).photos]
    kept, every = bottlenecks.load(used), bottlenecks.load(vectors)
    assert set(kept.sha256) == {photo.sha256 for photo in of_use}
    assert len(kept.sha256) < len(every.sha256)
    for name in ("vectors", "scores", "fingerprints"):
        of_all = getattr(every, name)[every.rows(of_use)]
        assert (getattr(kept, name)[kept.rows(of_use)] == of_all).all()


def test_surplus_photos_are_not_fetched(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 60) + items("roses", 60))
    listings = stored(tmp_path, sources, store, "many")
    monkeypatch.setattr("components.common.dataset.stored_shards.GAP_BYTES", 0)
    fetched: list[int] = []
    read_range = storage.read_range

    def noted(uri: str, start: int, size: int) -> bytes:
        fetched.append(size)
        return read_range(uri, start, size)

    monkeypatch.setattr(storage, "read_range", noted)
    outputs = places(tmp_path / "out")
    curate_listed(listings, [vectors], outputs, tmp_path / "used", options=OPTIONS)
    written = [outputs.training, outputs.demo, outputs.rejects]
    photos = [photo for path in written for photo in Dataset(path).photos]
    assert sum(fetched) == sum(photo.size for photo in photos)
    assert len(photos) == 24


def test_curation_that_cannot_go_on_shows_the_photos_all_the_same(
    store: Store, tmp_path: Path
) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 12))
    listings = stored(tmp_path, sources, store, "one-class")
    outputs = places(tmp_path / "out")
    with pytest.raises(InputError, match="at least two classes"):
        curate_listed(listings, [vectors], outputs, tmp_path / "used", options=OPTIONS)
    assert outputs.page.is_file()
    assert not (tmp_path / "used").exists()
