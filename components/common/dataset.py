"""The dataset artifact: photographs in tar shards, described by one manifest.

A dataset is a directory with `manifest.parquet`, `ATTRIBUTION.md` and `images-00000.tar`,
`images-00001.tar`, …
Untarring every shard gives a folder per class. The manifest holds the byte offset of each photo,
so one can be read at random without unpacking anything. docs/artifacts.md describes the format.
"""

import dataclasses
import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from components.common import attribution
from components.common.errors import InputError
from components.common.files import atomic_directory
from components.common.photo import Photo, check_label

FORMAT = "wild-mushrooms-dataset"
FORMAT_VERSION = "2"
MANIFEST = "manifest.parquet"
SHARD_BYTES = 128 * 1024 * 1024
BUFFER_BYTES = 1024 * 1024
# A manifest row takes well under 1 KB; this bounds what a stranger's manifest can make us read.
MANIFEST_MAX_BYTES = 2 * 1024**3
PHOTO_MAX_BYTES = 256 * 1024 * 1024

SCHEMA = pa.schema(
    [
        ("label", pa.string()),
        ("path", pa.string()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("source_sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("phash", pa.string()),
        ("source", pa.string()),
        ("source_url", pa.string()),
        ("source_page", pa.string()),
        ("title", pa.string()),
        ("author", pa.string()),
        ("licence", pa.string()),
        ("observation", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("reason", pa.string()),
    ],
    metadata={"format": FORMAT, "format_version": FORMAT_VERSION},
)

END_OF_ARCHIVE = bytes(2 * tarfile.BLOCKSIZE)
_PLAIN_HEADER = tarfile.TarInfo().tobuf(tarfile.PAX_FORMAT)
_SHARD_NAME = re.compile(r"images-\d{5}\.tar")
_MEMBER_NAME = re.compile(r"[^/\0]+/[0-9a-f]{16}(-\d+)?\.[a-z0-9]{2,4}")


class DatasetWriter(AbstractContextManager["DatasetWriter"]):
    """Writes a dataset; it appears under its name when the block ends without error.

    Example:
        >>> with DatasetWriter(Path("photos")) as writer:
        ...     photo = writer.add(Photo(label="daisy"), data, extension="jpg")
    """

    def __init__(self, path: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
        self.path = Path(path)
        self._shard_bytes = shard_bytes
        self._photos: list[Photo] = []
        self._names: set[str] = set()
        self._shard = ""
        self._shards = 0
        self._file: BinaryIO | None = None
        self._end = 0  # of what is written of the shard
        self._directory = atomic_directory(self.path, what="the dataset", marker=MANIFEST)

    def __enter__(self) -> "DatasetWriter":
        self._temporary = self._directory.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._close_shard()
            if error is None:
                written = attribution.render(self._photos)
                (self._temporary / attribution.FILE_NAME).write_text(written, encoding="utf-8")
                write_manifest(self._photos, self._temporary / MANIFEST)
        except BaseException as late:
            self._directory.__exit__(type(late), late, late.__traceback__)
            raise
        self._directory.__exit__(kind, error, traceback)

    def add(self, photo: Photo, data: bytes, *, extension: str = "jpg", sha256: str = "") -> Photo:
        """Append one photo; returns its row with path, shard, offset, size and sha256 filled in.

        Args:
            photo: what is known about it.
            data: its bytes.
            extension: of its name.
            sha256: of `data`, from a caller that has computed it already.
        """
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        name = self._member_name(check_label(photo.label), sha256, extension)
        if self._file is None or self._end >= self._shard_bytes:
            self._file = self._open_shard()
        header = member_header(name, len(data))
        offset = self._end + len(header)
        padding = _padded(len(data)) - len(data)
        self._file.write(header)
        self._file.write(data)
        self._file.write(bytes(padding))
        self._end = offset + len(data) + padding
        stored = dataclasses.replace(
            photo,
            path=name,
            shard=self._shard,
            offset=offset,
            size=len(data),
            sha256=sha256,
            source_sha256=photo.source_sha256 or sha256,
        )
        self._photos.append(stored)
        return stored

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

    def _open_shard(self) -> BinaryIO:
        self._close_shard()
        self._shard = f"images-{self._shards:05d}.tar"
        self._shards += 1
        self._end = 0
        # Closed by _close_shard: the shard stays open over many calls.
        return open(self._temporary / self._shard, "wb", buffering=BUFFER_BYTES)

    def _close_shard(self) -> None:
        if self._file is not None:
            with self._file:
                ended = self._end + len(END_OF_ARCHIVE)
                self._file.write(END_OF_ARCHIVE + bytes(-ended % tarfile.RECORDSIZE))
            self._file = None


def member_header(name: str, size: int) -> bytes:
    """The header of a member, as tarfile writes it; `size` in bytes.

    Names that a plain header cannot hold (longer than 100 bytes, or not ASCII) get a pax header.
    """
    if len(name) > 100 or not name.isascii():
        member = tarfile.TarInfo(name)
        member.size = size
        return member.tobuf(tarfile.PAX_FORMAT)
    # ustar: name 100 bytes, size at 124, checksum at 148 (over the header with blanks there).
    head = b"%s%s%011o\0%s" % (
        name.encode().ljust(100, b"\0"),
        _PLAIN_HEADER[100:124],
        size,
        _PLAIN_HEADER[136:148],
    )
    tail = _PLAIN_HEADER[156:]
    checksum = sum(head) + sum(tail) + 8 * 0x20
    return b"%s%06o\0 %s" % (head, checksum, tail)


def parse_part(text: str) -> tuple[int, int]:
    """The numbers of "2/4": the second of four parts.

    Raises:
        InputError: it names no part.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    if not found or int(found[1]) > int(found[2]):
        raise InputError(f"the part is {text!r}: expected such as 2/4, the second of four")
    return int(found[1]), int(found[2])


def write_manifest(photos: Sequence[Photo], path: Path) -> None:
    """Write rows as parquet; list order is kept."""
    columns = {
        name: pa.array([getattr(photo, name) for photo in photos], type=SCHEMA.field(name).type)
        for name in SCHEMA.names
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd")


class Dataset:
    """Reads a dataset artifact and checks what it reads against the manifest.

    Args:
        path: the dataset's directory.
        part: "2/4" for the second of four equal parts, as several machines share the work; empty
            for all photos. The parts one after another are the whole, in its order.

    Raises:
        InputError: it is no dataset, of another version, or its manifest names things that it must
            not (another folder, a link, bytes outside a shard), or `part` is no part.
    """

    def __init__(self, path: Path | str, *, part: str = "") -> None:
        self.path = Path(path)
        self.photos = self._listed = _read_manifest(self.path)
        self._check_places()
        if part:
            number, count = parse_part(part)
            ordered, total = self.in_order(), len(self.photos)
            self.photos = ordered[total * (number - 1) // count : total * number // count]

    @property
    def labels(self) -> list[str]:
        """The class names, sorted."""
        return sorted({photo.label for photo in self.photos})

    def read(self, photo: Photo) -> bytes:
        """The bytes of one photo, by its offset.

        Raises:
            InputError: the bytes are not those that the manifest describes.
        """
        with open(self.path / photo.shard, "rb") as shard:
            shard.seek(photo.offset)
            return self._checked(photo, shard.read(photo.size))

    def stream(self) -> Iterator[tuple[Photo, bytes]]:
        """Every photo with its bytes, in the order of the shards, one photo in memory at a time.

        Raises:
            InputError: a shard holds anything but the photos that the manifest lists.
        """
        wanted: dict[str, set[int]] = {}
        for photo in self.photos:
            wanted.setdefault(photo.shard, set()).add(photo.offset)
        by_shard: dict[str, dict[int, Photo]] = {}
        for photo in _in_order(self._listed):
            if photo.shard in wanted:
                by_shard.setdefault(photo.shard, {})[photo.offset] = photo
        for shard, expected in by_shard.items():
            yield from self._stream_shard(shard, expected, wanted[shard])

    def in_order(self) -> list[Photo]:
        """The photos in the order of `stream`."""
        return _in_order(self.photos)

    def _stream_shard(
        self, shard: str, expected: dict[int, Photo], wanted: Collection[int]
    ) -> Iterator[tuple[Photo, bytes]]:
        place = self.path / shard
        seen = 0
        try:
            with open(place, "rb", buffering=BUFFER_BYTES) as file:
                for photo in expected.values():
                    # Most shards are as `DatasetWriter` made them, and this is ten times as fast.
                    header = member_header(photo.path, photo.size)
                    if photo.offset != file.tell() + len(header):
                        break
                    if file.read(len(header)) != header:
                        file.seek(photo.offset - len(header))
                        break
                    if photo.offset in wanted:
                        yield photo, self._checked(photo, file.read(photo.size))
                    else:
                        file.seek(photo.size, os.SEEK_CUR)
                    seen += 1
                    padding = _padded(photo.size) - photo.size
                    if len(file.read(padding)) < padding:
                        raise tarfile.ReadError("unexpected end of data")
                # Whatever else there is must be what any tar may hold: the photos, and an end.
                tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - `file` is closed
                for member in tar:
                    if not member.isreg():
                        raise InputError(f"{place}: {member.name!r} is a link or a special file")
                    listed = expected.get(member.offset_data)
                    if listed is None or (listed.path, listed.size) != (member.name, member.size):
                        raise InputError(f"{place}: {member.name!r} is not what the manifest lists")
                    seen += 1
                    if listed.offset in wanted:
                        file.seek(member.offset_data)
                        yield listed, self._checked(listed, file.read(member.size))
        except tarfile.TarError as error:
            raise InputError(f"{place} is damaged ({error}): make the dataset again") from error
        if seen != len(expected):
            raise InputError(f"{place} holds {seen} photos, the manifest lists {len(expected)}")

    def _checked(self, photo: Photo, data: bytes) -> bytes:
        if len(data) != photo.size or hashlib.sha256(data).hexdigest() != photo.sha256:
            raise InputError(
                f"{self.path / photo.shard}: the bytes of {photo.path!r} are not those that the "
                "manifest describes (sha256 differs): make the dataset again"
            )
        return data

    def _check_places(self) -> None:
        sizes: dict[str, int] = {}
        places = {(photo.shard, photo.offset) for photo in self.photos}
        if len(places) != len(self.photos):
            raise InputError(f"{self.path / MANIFEST} lists a photo twice: the dataset is damaged")
        for label in {photo.label for photo in self.photos}:
            check_label(label)
        for photo in self.photos:
            if photo.shard not in sizes:
                if not _SHARD_NAME.fullmatch(photo.shard):
                    raise self._misplaced(
                        photo, f"names the shard {photo.shard!r}, not images-NNNNN.tar"
                    )
                sizes[photo.shard] = _shard_size(self.path / photo.shard)
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
                raise self._misplaced(photo, "lies outside its shard: the dataset is damaged")

    def _misplaced(self, photo: Photo, what: str) -> InputError:
        return InputError(f"{self.path / MANIFEST}: photo {photo.path!r} {what}")


def _read_manifest(path: Path) -> list[Photo]:
    manifest = path / MANIFEST
    if not manifest.is_file() or manifest.is_symlink():
        raise InputError(f"{path} is no dataset: there is no {MANIFEST} in it")
    if manifest.stat().st_size > MANIFEST_MAX_BYTES:
        raise InputError(f"{manifest} is larger than {MANIFEST_MAX_BYTES} bytes")
    try:
        metadata = pq.read_schema(manifest).metadata or {}
        version = metadata.get(b"format_version", b"none").decode(errors="replace")
        if metadata.get(b"format") != FORMAT.encode() or version != FORMAT_VERSION:
            raise InputError(
                f"{manifest} has format version {version!r}; this program reads {FORMAT} "
                f"{FORMAT_VERSION}: make the dataset again with this version"
            )
        table = pq.read_table(manifest)
        table.validate(full=True)  # strings that are no UTF-8
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{manifest} cannot be read: {error}") from error
    if not table.schema.equals(SCHEMA) or any(column.null_count for column in table.columns):
        raise InputError(f"{manifest} has other columns than a dataset's: make the dataset again")
    columns = {name: table.column(name).to_pylist() for name in SCHEMA.names}
    columns["flags"] = [tuple(flags) for flags in columns["flags"]]
    rows = zip(*columns.values(), strict=True)
    return [Photo(**dict(zip(columns, row, strict=True))) for row in rows]


def _shard_size(shard: Path) -> int:
    if shard.is_symlink() or not shard.is_file():
        raise InputError(f"{shard} is missing or is no regular file: the dataset is damaged")
    return shard.stat().st_size


def _in_order(photos: Iterable[Photo]) -> list[Photo]:
    return sorted(photos, key=lambda photo: (photo.shard, photo.offset))


def _padded(size: int) -> int:
    """`size` rounded up to tar's blocks of 512 bytes."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def stream_all(datasets: Iterable[Dataset]) -> Iterator[tuple[Photo, bytes]]:
    """Every photo of several datasets, one dataset after another."""
    for dataset in datasets:
        yield from dataset.stream()
