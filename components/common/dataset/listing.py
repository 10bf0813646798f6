"""A dataset without its shards: the manifest, and where the shards are.

Whoever decides by what a manifest says, or needs some of the photos only, takes a listing instead
of the dataset, and Kubeflow's launcher moves a few megabytes instead of all photos. A listing is a
folder with `manifest.parquet` and a `dataset.json` that has one field more.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.files import atomic_directory
from components.common.dataset.dataset import (
    DESCRIPTION,
    DESCRIPTION_KIND,
    MANIFEST,
    MANIFEST_MAX_BYTES,
    Dataset,
)
from components.common.dataset.stored_shards import StoredShards
from components.common.store import storage
from components.common.untrusted import sealed

PLACE = "shards_at"  # the field: a folder, gs://… or s3://…


def write(dataset: Path, place: str, listing: Path) -> None:
    """Write the listing of a dataset.

    Args:
        dataset: the dataset as it lies here.
        place: where others will find it: a folder, gs://… or s3://….
        listing: directory to write.
    """
    content = sealed.read(dataset / DESCRIPTION, DESCRIPTION_KIND)
    with atomic_directory(listing, what="the listing", marker=MANIFEST) as folder:
        shutil.copyfile(dataset / MANIFEST, folder / MANIFEST)
        sealed.dump(folder / DESCRIPTION, {**content, PLACE: place}, what="the listing")


def read(listing: Path) -> Dataset:
    """The dataset of a listing, its photos read from where they are.

    Only of listings that this run has written: a stranger's could name any place.

    Raises:
        InputError: it is no listing, or its shards are not there.
    """
    place = sealed.read(listing / DESCRIPTION, DESCRIPTION_KIND).get(PLACE)
    if not isinstance(place, str) or not place:
        raise InputError(f"{listing / DESCRIPTION} does not say where the shards are")
    if storage.is_uri(place):
        return Dataset(listing, shards_in=StoredShards(place, _sizes(place)))
    return Dataset(place)


@contextmanager
def opened(place: str, *, part: str = "") -> Iterator[Dataset]:
    """The dataset at a place, of which only the manifest is fetched at once.

    Args:
        place: a folder, gs://… or s3://….
        part: as of `Dataset`.

    Raises:
        InputError: there is no dataset, or it cannot be read.
    """
    if not storage.is_uri(place):
        yield Dataset(place, part=part)
        return
    sizes = _sizes(place)
    if MANIFEST not in sizes:
        raise InputError(f"{place} is no dataset: there is no {MANIFEST} in it")
    with tempfile.TemporaryDirectory() as folder:
        for name in (MANIFEST, DESCRIPTION):
            if sizes.get(name, 0) > MANIFEST_MAX_BYTES:
                raise InputError(f"{place}/{name} is larger than {MANIFEST_MAX_BYTES} bytes")
            if name in sizes:  # datasets of version 2 have no description
                storage.download(f"{storage.plain(place)}/{name}", Path(folder) / name)
        yield Dataset(folder, part=part, shards_in=StoredShards(place, sizes))


def _sizes(place: str) -> dict[str, int]:
    """Size in bytes of each object of a dataset, by name."""
    prefix = f"{storage.plain(place)}/"
    return {stored.uri.removeprefix(prefix): stored.size for stored in storage.list_objects(prefix)}
