"""The bottlenecks artifact: by content, features, ImageNet scores and fingerprints."""

import hashlib
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.files import atomic_directory, write_file
from components.common.base.step import Progress
from components.common.base.wording import counted
from components.common.base.worker_threads import OnePerThread, map_in_threads, step_threads
from components.common.dataset.photo import Photo
from components.common.dataset.rows import Rows, RowsOf
from components.common.network.architecture import parse_architecture
from components.common.network.backbone import (
    DESCRIPTION_FILE,
    DESCRIPTION_MAX_BYTES,
    Backbone,
    BackboneKey,
    make_key,
)
from components.common.photos import fingerprint, images
from components.common.untrusted import arrays, sealed, tables

VECTORS = "bottlenecks.npy"
SCORES = "imagenet.npy"
FINGERPRINTS = "fingerprints.npy"
INDEX = "index.parquet"
INDEX_SCHEMA = pa.schema([("sha256", pa.string()), ("label", pa.string())])
# Of backbone.json; without a version it is from before it had a seal and `files`.
KIND = sealed.Kind("the bottlenecks", "", (0, 1, 2), sealed_since=1)
FINGERPRINTS_SINCE = 2
CACHE_FOLDER = "bottlenecks"  # of the cache
SAVED_TOGETHER = 2048  # vectors in a file of the cache: 12 MB, a quarter of a minute of work
AHEAD = 64  # photos in memory
BLOCK_ROWS = 4096  # of a file, in memory at once: 17 MB of 1,024 dimensions


@dataclass(frozen=True)
class Bottlenecks:
    """Vectors of N photos.

    Attributes:
        sha256: of each photo as stored, the key of its row.
        vectors: float32, shape (N, D), pooled features. Matrices that were loaded are read-only,
            and read from their files when they are used.
        scores: float16, shape (N, 1000), ImageNet probabilities.
        fingerprints: uint8, shape (N, 1024), grey levels row by row, by which copies are found;
            shape (N, 0) where an earlier version made the artifact.
        key: what the vectors depend on beside the photo.
    """

    sha256: tuple[str, ...]
    vectors: NDArray[np.float32]
    scores: NDArray[np.float16]
    fingerprints: NDArray[np.uint8]
    key: BackboneKey

    @property
    def family(self) -> str:
        """The design of their network, by which limits that depend on it are found."""
        return parse_architecture(self.key.architecture).family.name

    def rows(self, photos: Sequence[Photo]) -> NDArray[np.intp]:
        """The row of each photo.

        Raises:
            InputError: a photo has no vector here: the two artifacts are of different runs.
        """
        position = {sha256: row for row, sha256 in enumerate(self.sha256)}
        missing = [photo.path for photo in photos if photo.sha256 not in position]
        if missing:
            raise InputError(
                f"{counted(len(missing), 'photo has', 'photos have')} no bottleneck (the first is "
                f"{missing[0]!r}): "
                "these bottlenecks were made from other photos"
            )
        return np.array([position[photo.sha256] for photo in photos], dtype=np.intp)

    def fingerprints_of(self, rows: NDArray[np.intp]) -> RowsOf[np.uint8]:
        """The fingerprints of M rows as pictures: uint8, shape (M, 32, 32), copied when taken.

        Raises:
            InputError: there are none.
        """
        if not self.fingerprints.size:
            raise InputError(
                "these bottlenecks are of an earlier version, without what copies are found by: "
                "make them again"
            )
        return RowsOf(self.fingerprints, rows, (fingerprint.SIDE, fingerprint.SIDE))


class _Row(NamedTuple):
    """What is known of one photo, as a row of `Bottlenecks`."""

    vector: NDArray[np.float32]
    scores: NDArray[np.float16]
    fingerprint: NDArray[np.uint8]


# The matrices of rows, in memory and in a file of the cache, and their files in the artifact.
_TYPES: dict[str, Any] = {"vectors": np.float32, "scores": np.float16, "fingerprints": np.uint8}
FILES = dict(zip(_TYPES, (VECTORS, SCORES, FINGERPRINTS), strict=True))


def _stacked(rows: Sequence[_Row]) -> dict[str, NDArray[Any]]:
    """The matrices of rows, by their names."""
    columns = zip(*rows, strict=True)
    return {name: np.stack(column) for name, column in zip(_TYPES, columns, strict=True)}


def _check(name: str, matrix: NDArray[Any], count: int) -> None:
    """Raise `ValueError` where a matrix is not what the rows of `count` photos are made of."""
    dtype = np.dtype(_TYPES[name])
    if matrix.dtype != dtype or matrix.ndim != 2 or not all(map(_is_finite, _blocks(matrix))):
        raise ValueError(f"{FILES[name]} is not a finite {dtype} matrix")
    if dtype == np.uint8 and matrix.shape[1] != fingerprint.SIDE**2:
        raise ValueError(f"{FILES[name]} has rows of {matrix.shape[1]} pixels")
    if len(matrix) != count:
        raise ValueError("its files differ in length: they are of different runs")


def _blocks(matrix: Rows[Any]) -> Iterator[NDArray[Any]]:
    """A matrix, some rows at a time."""
    return (matrix[start : start + BLOCK_ROWS] for start in range(0, len(matrix), BLOCK_ROWS))


def _is_finite(block: NDArray[Any]) -> bool:
    return bool(np.isfinite(block).all())


class Prepare(Protocol):
    """Makes the network's input of a photo."""

    def __call__(self, photo: Photo, data: bytes, size: int, /) -> NDArray[np.float32]:
        """Float32 array of shape (size, size, 3), RGB, -1 to 1."""


def as_it_is(photo: Photo, data: bytes, size: int, /) -> NDArray[np.float32]:
    """The photo as every model sees it."""
    del photo
    return images.model_input(data, size)


def compute(
    backbone: Backbone,
    photos: Iterable[tuple[Photo, bytes]],
    kept_in: Path | None = None,
    *,
    prepare: Prepare = as_it_is,
    variant: str = "",
    what: str = "bottlenecks",
) -> Bottlenecks:
    """The bottlenecks of photos, those already in the cache looked up.

    Photos with the same bytes share one row. Each thread has the network for itself and takes one
    photo at a time, from its bytes to its vector: what the layers hand on stays in a core's cache,
    and no core waits for another.

    Args:
        backbone: the network.
        photos: rows with their bytes; read once, a few in memory at a time.
        kept_in: folder where earlier vectors are kept by content; None for none.
        prepare: makes the network's input of a photo.
        variant: tells vectors of another `prepare` apart in the cache.
        what: is computed, for the log.
    """
    cache = _Cache(backbone.key, kept_in, variant)
    progress = Progress(what, verb="looked at")
    own_network = OnePerThread(backbone.for_one_thread)

    def run(row: tuple[Photo, bytes]) -> tuple[str, _Row]:
        photo, data = row
        network = own_network()
        pixels = prepare(photo, data, network.key.input_size)
        vectors, scores = network(pixels[np.newaxis])
        own = fingerprint.fingerprint(pixels).ravel()
        return photo.sha256, _Row(vectors[0], scores[0].astype(np.float16), own)

    missing = cache.missing(photos, progress)
    with closing(map_in_threads(run, missing, threads=step_threads(), ahead=AHEAD)) as computed:
        for sha256, computed_row in computed:
            cache.add(sha256, computed_row)
            progress.advance()
    result, fresh = cache.collect()
    count = len(result.sha256)
    progress.finish(
        f"{counted(count, 'photo')}, {fresh} computed now, {count - fresh} remembered from before"
    )
    return result


class _Cache:
    """Vectors by content: rows asked for in this run, and where they come from."""

    def __init__(self, key: BackboneKey, folder: Path | None, variant: str) -> None:
        self.key = key
        name = f"{key.digest}-{variant}" if variant else key.digest
        self._folder = folder / name if folder else None
        self._order: dict[str, None] = {}
        self._known: dict[str, _Row] = {}
        self._unsaved: list[str] = []
        self._fresh = 0
        for part in sorted(self._folder.glob("*.npz")) if self._folder else []:
            self._load(part)

    def _load(self, part: Path) -> None:
        try:
            stored = arrays.read_npz(part, ("sha256", *_TYPES))
            names = [bytes(name).decode() for name in stored.pop("sha256")]
            for name, matrix in stored.items():
                _check(name, matrix, len(names))
        except (ValueError, TypeError, OSError):
            part.unlink(missing_ok=True)  # a cache: what is damaged is computed again
            return
        rows = map(_Row, *(stored[name] for name in _TYPES))
        self._known.update(zip(names, rows, strict=True))

    def missing(
        self, photos: Iterable[tuple[Photo, bytes]], progress: Progress
    ) -> Iterable[tuple[Photo, bytes]]:
        """The photos that must be computed, each content once."""
        for photo, data in photos:
            if photo.sha256 in self._order:
                continue
            self._order[photo.sha256] = None
            if photo.sha256 in self._known:
                progress.advance()
            else:
                yield photo, data

    def add(self, name: str, row: _Row) -> None:
        self._known[name] = row
        self._fresh += 1
        self._unsaved.append(name)
        if len(self._unsaved) >= SAVED_TOGETHER:
            self._save()

    def collect(self) -> tuple[Bottlenecks, int]:
        """All rows asked for, in the order of asking; what is new goes into the cache."""
        self._save()
        names = tuple(self._order)
        if not names:
            raise InputError("there are no photos to compute bottlenecks of")
        made = _stacked([self._known[name] for name in names])
        return Bottlenecks(names, **made, key=self.key), self._fresh

    def _save(self) -> None:
        """Put what is new into the cache."""
        if self._folder and self._unsaved:
            buffer = io.BytesIO()
            stored = _stacked([self._known[name] for name in self._unsaved])
            stored["sha256"] = np.array([name.encode() for name in self._unsaved], dtype="S64")
            np.savez(buffer, allow_pickle=False, **stored)
            name = hashlib.sha256("".join(self._unsaved).encode()).hexdigest()[:16]
            data = buffer.getvalue()
            write_file(self._folder / f"{name}.npz", data, what="the bottleneck cache")
        self._unsaved.clear()


def save(bottlenecks: Bottlenecks, path: Path, labels: Sequence[str]) -> None:
    """Write the artifact; `labels` names the class of each row."""
    with atomic_directory(path, what="the bottlenecks", marker=DESCRIPTION_FILE) as temporary:
        for name, file in FILES.items():
            np.save(temporary / file, getattr(bottlenecks, name))
        _describe(temporary, bottlenecks.sha256, labels, bottlenecks.key)


def _describe(folder: Path, names: Sequence[str], labels: Sequence[str], key: BackboneKey) -> None:
    """Write what goes with the matrices of a folder: the index and the description."""
    pq.write_table(pa.table({"sha256": list(names), "label": list(labels)}), folder / INDEX)
    description = {**key.fields, **KIND.head, sealed.FILES: sealed.hash_files(folder)}
    sealed.dump(folder / DESCRIPTION_FILE, description, what="the bottlenecks")


def join(paths: Sequence[Path], path: Path) -> None:
    """Write one artifact of several: each photo once, where it is first, by the last of its labels.

    Holds a block of rows in memory, and the names of all.

    Raises:
        InputError: one cannot be read, they are of different networks, or there are none.
    """
    loaded = [(place, *_load(place)) for place in paths]
    if not loaded:
        raise InputError("there are no bottlenecks to put together")
    first, key, width = loaded[0][0], loaded[0][1].key, loaded[0][1].vectors.shape[1]
    labels: dict[str, str] = {}
    new: list[tuple[Bottlenecks, NDArray[np.intp]]] = []
    for place, part, names in loaded:
        if part.key != key or part.vectors.shape[1] != width:
            raise InputError(f"{place} and {first} are of different networks")
        rows = []
        for row, (sha256, label) in enumerate(zip(part.sha256, names, strict=True)):
            if sha256 not in labels:
                rows.append(row)
            labels[sha256] = label
        new.append((part, np.array(rows, np.intp)))
    with atomic_directory(path, what="the bottlenecks", marker=DESCRIPTION_FILE) as temporary:
        for name, file in FILES.items():
            _write(temporary / file, [RowsOf(getattr(part, name), rows) for part, rows in new])
        _describe(temporary, list(labels), list(labels.values()), key)


def _write(path: Path, parts: Sequence[RowsOf[Any]]) -> None:
    """Write matrices one below the other, as `np.save` would write all of them."""
    count, kind = sum(map(len, parts)), parts[0][:0]
    with open(path, "wb") as file:
        header = npy.header_data_from_array_1_0(kind)
        npy.write_array_header_1_0(file, {**header, "shape": (count, *kind.shape[1:])})
        for block in itertools.chain.from_iterable(map(_blocks, parts)):
            file.write(np.ascontiguousarray(block).data)


def save_chosen(vectors: Bottlenecks, photos: Sequence[Photo], path: Path) -> None:
    """Write the artifact of some photos, in the order of all.

    Args:
        vectors: of these and other photos.
        photos: which are wanted.
        path: directory to write.

    Raises:
        InputError: a photo has no bottleneck.
    """
    rows = np.unique(vectors.rows(photos))
    matrices = {name: getattr(vectors, name)[rows] for name in _TYPES}
    names = tuple(vectors.sha256[row] for row in rows)
    labels = {photo.sha256: photo.label for photo in photos}
    kept = Bottlenecks(names, **matrices, key=vectors.key)
    save(kept, path, [labels[name] for name in names])


def load(path: Path) -> Bottlenecks:
    """Read the artifact.

    Raises:
        InputError: a file is missing, damaged or does not fit the others.
    """
    return _load(path)[0]


def _load(path: Path) -> tuple[Bottlenecks, list[str]]:
    if not (path / DESCRIPTION_FILE).is_file():
        raise InputError(f"{path} holds no bottlenecks: there is no {DESCRIPTION_FILE} in it")
    description = sealed.read(path / DESCRIPTION_FILE, KIND, max_bytes=DESCRIPTION_MAX_BYTES)
    if description.pop(sealed.SEAL, None):
        sealed.check_files(path, description.pop(sealed.FILES, {}), DESCRIPTION_FILE)
    version = description.pop(sealed.VERSION, 0)
    try:
        key = make_key(description, DESCRIPTION_FILE)
        most_rows = tables.rows_with_hashes((path / INDEX).stat().st_size)
        index = tables.read(path / INDEX, INDEX_SCHEMA, most_rows=most_rows)
        names, labels = index.column("sha256").to_pylist(), index.column("label").to_pylist()
        files = {
            name: path / file
            for name, file in FILES.items()
            if name != "fingerprints" or version >= FINGERPRINTS_SINCE
        }
        for name, file in files.items():
            _check(name, arrays.map_npy(file), len(names))  # what it has read goes with this map
        stored = {name: arrays.map_npy(file) for name, file in files.items()}
    except (ValueError, TypeError, OSError, pa.ArrowException) as error:
        raise InputError(f"the bottlenecks in {path} cannot be read: {error}") from error
    stored.setdefault("fingerprints", np.empty((len(names), 0), np.uint8))
    return Bottlenecks(tuple(names), **stored, key=key), labels
