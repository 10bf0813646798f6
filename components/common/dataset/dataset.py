"""The dataset artifact: photographs in tar shards, described by one manifest.

A dataset is a directory with `manifest.parquet`, `ATTRIBUTION.md` and `images-00000.tar`,
`images-00001.tar`, …; one of rejects has `REASONS.csv` too, and one that models are trained on may
have `left_out.parquet`.
Untarring every shard gives a folder per class. The manifest holds the byte offset of each photo,
so one can be read at random without unpacking anything. docs/artifacts.md describes the format.
"""

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.base.batches import parse_part
from components.common.base.errors import InputError
from components.common.base.files import atomic_directory, hash_file
from components.common.base.wording import counted
from components.common.dataset import attribution, left_out, reasons, shards
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.photo import Photo, check_label
from components.common.dataset.shards import ShardWriter
from components.common.untrusted import sealed, tables

# Version 2 has no dataset.json and no checksums, and is read as it is.
KIND = sealed.Kind("the dataset", "wild-mushrooms-dataset", (2, 3), sealed_since=3)
DESCRIPTION_KIND = dataclasses.replace(KIND, versions=(3,), sealed_since=0)
MANIFEST = "manifest.parquet"
DESCRIPTION = "dataset.json"  # sealed: hashes of the manifest and of `BESIDE`, and `FACTS`
FACTS = "facts"
BESIDE = (attribution.FILE_NAME, reasons.FILE_NAME, left_out.FILE_NAME)
# A manifest row takes well under 1 KB; this bounds what a stranger's manifest can make us read.
MANIFEST_MAX_BYTES = 2 * 1024**3
PHOTO_MAX_BYTES = 256 * 1024 * 1024

# The columns are the fields of `Photo`, in their order.
_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    tuple[str, ...]: pa.list_(pa.string()),
}
_PIXELS = {"width": pa.int32(), "height": pa.int32()}
SCHEMA = pa.schema(
    [
        (field.name, _PIXELS.get(field.name) or _TYPES[field.type])
        for field in dataclasses.fields(Photo)
    ],
    metadata={name: str(value) for name, value in KIND.head.items()},
)

_MEMBER_NAME = re.compile(r"[^/\0]+/[0-9a-f]{16}(-\d+)?\.[a-z0-9]{2,4}")


class DatasetWriter(AbstractContextManager["DatasetWriter"]):
    """Writes a dataset; it appears under its name when the block ends without error.

    Args:
        path: its directory.
        shard_bytes: how much a shard holds before the next one is begun.
        rejects: it holds photos that were left out: REASONS.csv says why.
        facts: what is known of the classes.

    Example:
        >>> with DatasetWriter(Path("photos")) as writer:
        ...     photo = writer.add(Photo(label="daisy"), data, extension="jpg")
    """

    def __init__(
        self,
        path: Path,
        *,
        shard_bytes: int = shards.SHARD_BYTES,
        rejects: bool = False,
        facts: ClassFacts = ClassFacts(),
    ) -> None:
        self.path = Path(path)
        self._rejects = rejects
        self._facts = facts
        self._measured: dict[str, str] = {}
        self._left_out: list[Photo] = []
        self._shard_bytes = shard_bytes
        self._photos: list[Photo] = []
        self._names: set[str] = set()

    def __enter__(self) -> "DatasetWriter":
        self._writing = self._write()
        self._writing.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writing.__exit__(*error)

    @contextmanager
    def _write(self) -> Iterator[None]:
        """The shards while the block lasts, and after it what is said of them."""
        with atomic_directory(self.path, what="the dataset", marker=MANIFEST) as folder:
            self._shards = ShardWriter(folder, shard_bytes=self._shard_bytes)
            try:
                yield
                self._shards.close()
            finally:
                self._shards.abandon()
            (folder / attribution.FILE_NAME).write_text(attribution.render(self._photos), "utf-8")
            if self._rejects:
                # With the mark by which spreadsheets know UTF-8.
                rows = reasons.render([*self._photos, *self._left_out], self._measured)
                (folder / reasons.FILE_NAME).write_text(rows, "utf-8-sig")
            if self._left_out:
                left_out.write(self._left_out, folder / left_out.FILE_NAME)
            write_manifest(self._photos, folder / MANIFEST, self._facts)

    def add(
        self,
        photo: Photo,
        data: bytes,
        *,
        extension: str = "jpg",
        sha256: str = "",
        measured: str = "",
    ) -> Photo:
        """Append one photo; returns its row with path, shard, offset, size and sha256 filled in.

        Args:
            photo: what is known about it.
            data: its bytes.
            extension: of its name.
            sha256: of `data`, from a caller that has computed it already.
            measured: of a reject, for REASONS.csv: what its reason goes by.
        """
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        name = self._member_name(check_label(photo.label), sha256, extension)
        shard, offset = self._shards.add(name, data)
        stored = dataclasses.replace(
            photo,
            path=name,
            shard=shard,
            offset=offset,
            size=len(data),
            sha256=sha256,
            source_sha256=photo.source_sha256 or sha256,
        )
        self._photos.append(stored)
        if measured:
            self._measured[name] = measured[: reasons.MAX_TEXT]
        return stored

    def leave_out(self, photo: Photo) -> None:
        """Note a photo that is not of the dataset.

        Recipes are measured on it all the same; or, of rejects, it is good but not needed.
        """
        self._left_out.append(photo)

    def revise(self, change: Callable[[Photo], Photo]) -> list[Photo]:
        """Change the rows written so far, such as their parts; returns them.

        Where a photo lies and what its bytes are must stay as they are.
        """
        self._photos = [change(photo) for photo in self._photos]
        return list(self._photos)

    def _member_name(self, label: str, sha256: str, extension: str) -> str:
        name = f"{label}/{sha256[:16]}.{extension}"
        copies = 1
        while name in self._names:
            copies += 1
            name = f"{label}/{sha256[:16]}-{copies}.{extension}"
        self._names.add(name)
        return name


def write_manifest(photos: Sequence[Photo], path: Path, facts: ClassFacts = ClassFacts()) -> None:
    """Write rows as parquet, and dataset.json beside it; list order is kept."""
    columns = {
        name: pa.array([getattr(photo, name) for photo in photos], type=SCHEMA.field(name).type)
        for name in SCHEMA.names
    }
    table = pa.table(columns, schema=SCHEMA)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
    names = [name for name in (MANIFEST, *BESIDE) if (path.parent / name).is_file()]
    files = {name: hash_file(path.parent / name) for name in names}
    content = {**DESCRIPTION_KIND.head, FACTS: facts.to_json(), sealed.FILES: files}
    sealed.dump(path.with_name(DESCRIPTION), content, what="the dataset")


class Shards(Protocol):
    """Where the photos of a dataset are: `shards.ShardFolder` or `stored_shards.StoredShards`."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each shard, by its name, in their order."""

    def size(self, shard: str) -> int:
        """Bytes of a shard; `InputError` where there is none."""

    def read(self, photo: Photo) -> bytes:
        """The bytes of a photo; `InputError` where they are others than the manifest describes."""

    def stream(
        self, shard: str, expected: Mapping[int, Photo], wanted: Collection[int]
    ) -> Iterator[tuple[Photo, bytes]]:
        """Photos of a shard at the wanted offsets; `InputError` as of `read`."""


class Dataset:
    """Reads a dataset artifact and checks what it reads against the manifest.

    Args:
        path: the dataset's directory.
        part: "2/4" for the second of four equal parts, as several machines share the work; empty
            for all photos. The parts one after another are the whole, in its order.
        shards_in: the shards, where they are not in the directory (`listing`).

    Attributes:
        facts: what is known of the classes; of a dataset of before there were such, nothing.

    Raises:
        InputError: it is no dataset, of another version, or its manifest names things that it must
            not (another folder, a link, bytes outside a shard), or `part` is no part.
    """

    def __init__(
        self, path: Path | str, *, part: str = "", shards_in: "Shards | None" = None
    ) -> None:
        self.path = Path(path)
        self._shards: Shards = shards_in or shards.ShardFolder(self.path)
        self.photos = self._listed = _read_manifest(self.path, self._shards.sizes)
        self.facts = _read_facts(self.path)
        self._check_places()
        if part:
            number, count = parse_part(part)
            ordered, total = self.in_order(), len(self.photos)
            self.photos = ordered[total * (number - 1) // count : total * number // count]

    @property
    def labels(self) -> list[str]:
        """The class names, sorted."""
        return sorted({photo.label for photo in self.photos})

    def left_out(self) -> list[Photo]:
        """Photos that are not of the dataset but noted beside it: see `DatasetWriter.leave_out`.

        Raises:
            InputError: left_out.parquet is damaged, or of another dataset.
        """
        if left_out.FILE_NAME not in self._beside():
            return []
        path = sealed.check_file(self.path, left_out.FILE_NAME, self._beside(), DESCRIPTION)
        return left_out.read(path)

    def _beside(self) -> dict[str, str]:
        return listed_files(self.path) if (self.path / DESCRIPTION).is_file() else {}

    def read(self, photo: Photo) -> bytes:
        """The bytes of one photo, by its offset.

        Raises:
            InputError: the bytes are not those that the manifest describes.
        """
        return self._shards.read(photo)

    def stream(
        self, only: Sequence[bool] | None = None
    ) -> Generator[tuple[Photo, bytes], None, None]:
        """Every photo with its bytes, in the order of the shards.

        Args:
            only: whether each is wanted, in the order of `in_order`; all are by default.

        Raises:
            InputError: a shard holds anything but the photos that the manifest lists.
        """
        photos = self.photos
        if only is not None:
            photos = list(itertools.compress(self.in_order(), only))
        wanted: dict[str, set[int]] = {}
        for photo in photos:
            wanted.setdefault(photo.shard, set()).add(photo.offset)
        by_shard: dict[str, dict[int, Photo]] = {}
        for photo in _in_order(self._listed):
            if photo.shard in wanted:
                by_shard.setdefault(photo.shard, {})[photo.offset] = photo
        for shard, expected in by_shard.items():
            yield from self._shards.stream(shard, expected, wanted[shard])

    def in_order(self) -> list[Photo]:
        """The photos in the order of `stream`."""
        return _in_order(self.photos)

    def _check_places(self) -> None:
        sizes: dict[str, int] = {}
        places = {(photo.shard, photo.offset) for photo in self.photos}
        if len(places) != len(self.photos):
            raise InputError(f"{self.path / MANIFEST} lists a photo twice: the dataset is damaged")
        for label in {photo.label for photo in self.photos}:
            check_label(label)
        for photo in self.photos:
            if photo.shard not in sizes:
                if not shards.SHARD_NAME.fullmatch(photo.shard):
                    raise self._misplaced(
                        photo, f"names the shard {photo.shard!r}, not images-NNNNN.tar"
                    )
                sizes[photo.shard] = self._shards.size(photo.shard)
            if (
                not _MEMBER_NAME.fullmatch(photo.path)
                or photo.path != f"{photo.label}/{photo.path.rpartition('/')[2]}"
            ):
                raise self._misplaced(photo, "is not named <label>/<sha256 prefix>.<type>")
            if (
                photo.offset < 0
                or not 0 <= photo.size <= PHOTO_MAX_BYTES
                or photo.offset + photo.size > sizes[photo.shard]
            ):
                raise self._misplaced(photo, f"lies outside {photo.shard}: the dataset is damaged")

    def _misplaced(self, photo: Photo, what: str) -> InputError:
        return InputError(f"{self.path / MANIFEST}: photo {photo.path!r} {what}")


def _read_manifest(path: Path, there: Mapping[str, int]) -> list[Photo]:
    manifest = path / MANIFEST
    if not manifest.is_file() or manifest.is_symlink():
        raise InputError(f"{path} is no dataset: there is no {MANIFEST} in it")
    if manifest.stat().st_size > MANIFEST_MAX_BYTES:
        raise InputError(f"{manifest} is larger than {MANIFEST_MAX_BYTES} bytes")
    try:
        version = _check_version(manifest, tables.metadata(manifest))
        # Also where the version is an older one, which damage can make of it.
        if version >= KIND.sealed_since or (path / DESCRIPTION).exists():
            sealed.check_file(path, MANIFEST, listed_files(path), DESCRIPTION)
        most_rows = shards.most_photos(sum(there.values()))
        table = tables.read(manifest, SCHEMA, most_rows=most_rows)
    except (pa.ArrowException, OSError) as error:
        beside = (
            f"{counted(len(there), 'shard')}, {next(iter(there))} the first"
            if there
            else "no images-00000.tar"
        )
        raise InputError(
            f"{manifest} cannot be read: {error} (beside it: {beside}): make the dataset again"
        ) from error
    # Not to_pylist, which is ten times as slow.
    columns = {name: table.column(name).to_numpy().tolist() for name in SCHEMA.names}
    columns["flags"] = [tuple(flags) for flags in table.column("flags").to_pylist()]
    return list(map(Photo, *columns.values()))


def _check_version(manifest: Path, metadata: Mapping[bytes, bytes]) -> int:
    told = {
        name: metadata.get(name.encode(), b"").decode(errors="replace")
        for name in (sealed.FORMAT, sealed.VERSION)
    }
    return KIND.check_texts(told, str(manifest))


def listed_files(path: Path) -> dict[str, str]:
    """SHA-256 of the manifest and of the files for people, by name, as dataset.json lists them.

    Raises:
        InputError: dataset.json is missing, damaged, or lists no files.
    """
    files = sealed.read(path / DESCRIPTION, DESCRIPTION_KIND).get(sealed.FILES)
    if not isinstance(files, dict):
        raise InputError(f"{path / DESCRIPTION} lists no {sealed.FILES}: make the dataset again")
    return files


def _read_facts(path: Path) -> ClassFacts:
    if not (path / DESCRIPTION).exists():  # of version 2
        return ClassFacts()
    try:
        return ClassFacts.parse(sealed.read(path / DESCRIPTION, DESCRIPTION_KIND).get(FACTS))
    except ValueError as error:
        raise InputError(f"{path / DESCRIPTION} cannot be read: {error}") from error


def _in_order(photos: Iterable[Photo]) -> list[Photo]:
    return sorted(photos, key=lambda photo: (photo.shard, photo.offset))


def stream_all(
    datasets: Iterable[Dataset], only: Sequence[bool] | None = None
) -> Generator[tuple[Photo, bytes], None, None]:
    """Every photo of several datasets, one dataset after another; of them `only` those wanted."""
    start = 0
    for dataset in datasets:
        end = start + len(dataset.photos)
        yield from dataset.stream(None if only is None else only[start:end])
        start = end
