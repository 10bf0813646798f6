"""The shards of a dataset: tar files of photos, one behind the other.

They are read in the caller's thread, and written by one beside it, a megabyte at a time, while the
caller hashes the next photos: threads that wait for one another at every photo gain nothing.
"""

import contextlib
import hashlib
import os
import re
import sys
import tarfile
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset.photo import Photo
from components.common.untrusted import archive

SHARD_BYTES = 128 * 1024 * 1024
BLOCK_BYTES = tarfile.BLOCKSIZE
SHARD_NAME = re.compile(r"images-\d{5}\.tar")
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)

RUN_BYTES = 1024 * 1024  # written at once; at most two such runs are held

_PLAIN_HEADER = tarfile.TarInfo().tobuf(tarfile.PAX_FORMAT)
_BEFORE_SIZE = _PLAIN_HEADER[100:124]
_AFTER_SIZE = _PLAIN_HEADER[136:148]
_AFTER_CHECKSUM = _PLAIN_HEADER[156:]
_FIXED_SUM = sum(_BEFORE_SIZE) + sum(_AFTER_SIZE) + sum(_AFTER_CHECKSUM) + 8 * 0x20


def member_header(name: str, size: int) -> bytes:
    """The header of a member, as tarfile writes it; `size` in bytes.

    Names that a plain header cannot hold (longer than 100 bytes, or not ASCII) get a pax header.
    """
    if len(name) > 100 or not name.isascii():
        member = tarfile.TarInfo(name)
        member.size = size
        return member.tobuf(tarfile.PAX_FORMAT)
    # ustar: name 100 bytes, size at 124, checksum at 148 (over the header with blanks there).
    plain, digits = name.encode(), b"%011o\0" % size
    checksum = sum(plain) + sum(digits) + _FIXED_SUM
    return b"%s%s%s%s%06o\0 %s" % (
        plain.ljust(100, b"\0"),
        _BEFORE_SIZE,
        digits,
        _AFTER_SIZE,
        checksum,
        _AFTER_CHECKSUM,
    )


def padded(size: int) -> int:
    """`size` rounded up to tar's blocks of 512 bytes."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


class ShardWriter:
    """Writes photos into `images-00000.tar`, `images-00001.tar`, … of a folder.

    Args:
        folder: where the shards go.
        shard_bytes: a new shard is begun once one has reached so many.
    """

    def __init__(self, folder: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._shard = ""
        self._shards = 0
        self._end = 0  # of the current shard
        self._file: BinaryIO | None = None
        self._run: list[bytes] = []  # what is to be written next
        self._run_bytes = 0
        self._thread = ThreadPoolExecutor(1, "shards")
        self._written: Future[int] | None = None  # the run before

    def add(self, name: str, data: bytes) -> tuple[str, int]:
        """Append a member; returns its shard and the offset of its first byte.

        Raises:
            OSError: earlier bytes could not be written.
        """
        if self._run_bytes >= RUN_BYTES:
            self._write_run()
        if self._file is None or self._end >= self._shard_bytes:
            self._begin_shard()
        header = member_header(name, len(data))
        offset = self._end + len(header)
        self._append(header, data, bytes(padded(len(data)) - len(data)))
        return self._shard, offset

    def close(self) -> None:
        """End the last shard.

        Raises:
            OSError: something could not be written.
        """
        self._end_shard()
        self._thread.shutdown()

    def abandon(self) -> None:
        """Close the file, whatever is in it."""
        self._thread.shutdown()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _begin_shard(self) -> None:
        self._end_shard()
        self._shard = f"images-{self._shards:05d}.tar"
        self._shards += 1
        self._end = 0
        self._file = open(self._folder / self._shard, "wb")  # noqa: SIM115

    def _end_shard(self) -> None:
        if self._file is not None:
            ended = self._end + len(END_OF_ARCHIVE)
            self._append(END_OF_ARCHIVE, bytes(-ended % tarfile.RECORDSIZE))
            self._write_run().result()
            self._file.close()
            self._file = None

    def _append(self, *pieces: bytes) -> None:
        size = sum(map(len, pieces))
        self._run += pieces
        self._run_bytes += size
        self._end += size

    def _write_run(self) -> Future[int]:
        assert self._file is not None
        if self._written:
            self._written.result()  # whoever goes on after a failure would leave a hole
        self._written = self._thread.submit(self._file.write, b"".join(self._run))
        self._run, self._run_bytes = [], 0
        return self._written


class ShardFolder:
    """The shards in a folder of this machine.

    Args:
        folder: that they are in.

    Attributes:
        sizes: of the shards in bytes, by name, in their order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        there = sorted(folder.glob("images-*.tar"))
        self.sizes = {shard.name: shard.stat().st_size for shard in there if shard.is_file()}

    def size(self, shard: str) -> int:
        """Its bytes.

        Raises:
            InputError: there is no such file, or it is a link.
        """
        path = self._folder / shard
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path} is missing or is no regular file: the dataset is damaged")
        return path.stat().st_size

    def read(self, photo: Photo) -> bytes:
        """The bytes of one photo, by its offset.

        Raises:
            InputError: they are not those that the manifest describes.
        """
        path = self._folder / photo.shard
        with open(path, "rb", buffering=0) as shard:
            return _read(shard.fileno(), path, photo)

    def stream(
        self, shard: str, expected: Mapping[int, Photo], wanted: Collection[int]
    ) -> Iterator[tuple[Photo, bytes]]:
        """The wanted photos of one shard with their bytes; see `stream`."""
        return stream(self._folder / shard, expected, wanted)


def _read(descriptor: int, place: Path, photo: Photo) -> bytes:
    data = _pread(descriptor, photo.size, photo.offset)
    if len(data) != photo.size or hashlib.sha256(data).hexdigest() != photo.sha256:
        raise changed(place, photo)
    return data


def changed(place: Path | str, photo: Photo) -> InputError:
    """Says that a shard holds other bytes where a photo should be."""
    return InputError(
        f"{place}: the bytes of {photo.path!r} are not those that the manifest describes "
        "(sha256 differs): make the dataset again"
    )


def most_photos(size: int) -> int:
    """How many photos shards of so many bytes can hold: each takes a block for its header."""
    return size // BLOCK_BYTES


def stream(
    place: Path, expected: Mapping[int, Photo], wanted: Collection[int]
) -> Iterator[tuple[Photo, bytes]]:
    """The wanted photos of one shard with their bytes.

    Args:
        place: of the shard.
        expected: every photo of the shard by its offset, in this order.
        wanted: the offsets of those to give.

    Raises:
        InputError: the shard holds anything but the expected photos.
    """
    seen, end = 0, 0
    try:
        with open(place, "rb") as file:
            # Most shards are as `ShardWriter` made them, and this is ten times as fast as tarfile.
            for photo in expected.values():
                header = member_header(photo.path, photo.size)
                if (
                    photo.offset != end + len(header)
                    or _pread(file.fileno(), len(header), end) != header
                ):
                    break
                if photo.offset in wanted:
                    yield photo, _read(file.fileno(), place, photo)
                seen, end = seen + 1, photo.offset + padded(photo.size)
            if os.fstat(file.fileno()).st_size < end:
                raise tarfile.ReadError("unexpected end of data")
            for photo in _others(file, end, place, expected):
                seen += 1
                if photo.offset in wanted:
                    yield photo, _read(file.fileno(), place, photo)
    except tarfile.TarError as error:
        raise InputError(f"{place} is damaged ({error}): make the dataset again") from error
    if seen != len(expected):
        raise InputError(
            f"{place} holds {counted(seen, 'photo')}, the manifest lists {len(expected)}"
        )


def _others(
    file: BinaryIO, start: int, place: Path, expected: Mapping[int, Photo]
) -> Iterator[Photo]:
    """What else there is from `start` on: what any tar may hold, the photos and an end."""
    file.seek(start)
    try:
        # A header may claim any length, and tarfile would ask for it at once.
        tar = archive.opened(file, sys.maxsize, place)
        for member in tar:
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep all of them
            if not member.isreg() or member.issparse():
                raise InputError(f"{place}: {member.name!r:.200} is a link or a special file")
            listed = expected.get(member.offset_data)
            if listed is None or (listed.path, listed.size) != (member.name, member.size):
                raise InputError(f"{place}: {member.name!r:.200} is not what the manifest lists")
            yield listed
        file.seek(tar.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end, or goes on with something else")
    except archive.DAMAGE as error:
        raise tarfile.ReadError(f"a header is forged: {error}") from error


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    """So many bytes, or all up to the file's end; some file systems give them in pieces."""
    data = piece = os.pread(descriptor, size, offset)
    while piece and len(data) < size:
        piece = os.pread(descriptor, size - len(data), offset + len(data))
        data += piece
    return data
