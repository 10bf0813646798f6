"""references.parquet of a model: the photos it was made of, to find those that look alike."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.common.base.batches import in_turn
from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import IMAGENET
from components.common.model.unknown import unit_length
from components.common.photos import images
from components.common.untrusted import tables

# Shown with thumbnail and vector; of the others only hash and group are kept.
MAX_SHOWN = 2000
MAX_DIMENSIONS = 4096  # of a vector: twice as many as of any network that is used
THUMBNAIL_SIDE = 160  # pixels
MAX_BYTES = 512 * 1024**2

_TEXTS = ("label", "sha256", "group", "title", "author", "licence", "source_url", "source_page")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        ("thumbnail", pa.binary()),
        ("vector", pa.list_(pa.float16())),
    ]
)


@dataclass(frozen=True)
class Reference:
    """A photo that the model was made of.

    Attributes:
        photo: label, credits and hashes.
        thumbnail: JPEG.
        similarity: cosine of its bottleneck with that of the photo asked about, -1 to 1.
    """

    photo: Photo
    thumbnail: bytes
    similarity: float


def write(
    path: Path, dataset: Dataset, photos: Sequence[Photo], bottlenecks: NDArray[np.float32]
) -> None:
    """Write the file.

    At most `MAX_SHOWN` photos, as many of each class, get a thumbnail and a vector; photos under
    ImageNet's terms, which may not be passed on, get none.

    Args:
        path: of the file.
        dataset: where the photos are.
        photos: that the model was made of, N of them.
        bottlenecks: float32, shape (N, D), theirs.
    """
    chosen = set(_chosen(photos))
    directions = unit_length(bottlenecks).astype(np.float16)
    columns: dict[str, list[object]] = {
        name: [getattr(photo, name) for photo in photos] for name in _TEXTS
    }
    columns["thumbnail"] = [
        images.thumbnail(dataset.read(photo), THUMBNAIL_SIDE) if row in chosen else b""
        for row, photo in enumerate(photos)
    ]
    columns["vector"] = [directions[row] if row in chosen else [] for row in range(len(photos))]
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    pq.write_table(pa.table(arrays, schema=SCHEMA), path, compression="zstd")


def _chosen(photos: Sequence[Photo]) -> list[int]:
    """Rows to show: of every class in turn, in the order given."""
    by_class: dict[str, list[int]] = {}
    for row, photo in enumerate(photos):
        if IMAGENET not in photo.flags:
            by_class.setdefault(photo.label, []).append(row)
    return list(itertools.islice(in_turn(by_class.values()), MAX_SHOWN))


class References:
    """The photos that a model was made of.

    Args:
        path: references.parquet.

    Raises:
        InputError: it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        with tables.explained(path, MAX_BYTES):
            most_rows = tables.rows_with_hashes(path.stat().st_size)
            listed = MAX_SHOWN * MAX_DIMENSIONS + most_rows
            table = tables.read(path, SCHEMA, most_rows=most_rows, most_listed=listed)
        self.photos = [Photo(**row) for row in table.select(_TEXTS).to_pylist()]
        vectors = table.column("vector").combine_chunks()
        lengths = vectors.value_lengths().to_numpy()
        self._rows = np.flatnonzero(lengths).tolist()
        if len(set(lengths[self._rows].tolist())) > 1:
            raise InputError(f"{path} cannot be read: its vectors differ in length")
        numbers = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        self._vectors = numbers.reshape(len(self._rows), -1) if self._rows else numbers
        self._thumbnails = table.column("thumbnail")
        if not np.isfinite(self._vectors).all():
            raise InputError(f"{path} cannot be read: its vectors hold no finite numbers")

    def shown(self) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
        """Thumbnail and direction of the bottleneck, float32 (D,), of each photo that has them."""
        for row, vector in zip(self._rows, self._vectors, strict=True):
            yield self._thumbnails[row].as_py(), vector

    def nearest(self, bottleneck: NDArray[np.float32], count: int) -> list[Reference]:
        """The photos that look most like one, most alike first.

        Args:
            bottleneck: float32, shape (D,), of the one.
            count: how many at most.
        """
        if not self._rows or self._vectors.shape[1:] != bottleneck.shape:
            return []
        alike = self._vectors @ unit_length(bottleneck[None])[0]
        order = np.argsort(-alike, kind="stable")[:count]
        return [
            Reference(
                self.photos[self._rows[place]],
                self._thumbnails[self._rows[place]].as_py(),
                float(alike[place]),
            )
            for place in order.tolist()
        ]
