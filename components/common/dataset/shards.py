"""The shards of a dataset: tar files of photos, one behind the other, written and read ahead.

A thread writes while the caller hashes the next photo; threads read and hash while the caller works
on earlier photos (hashing and file access release the GIL). What waits in between is bounded.
"""

import collections
import contextlib
import hashlib
import os
import re
import sys
import tarfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.base.worker_threads import worker_threads
from components.common.dataset.photo import Photo
from components.common.untrusted import archive

SHARD_BYTES = 128 * 1024 * 1024
BLOCK_BYTES = tarfile.BLOCKSIZE
SHARD_NAME = re.compile(r"images-\d{5}\.tar")
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)

# Photos go from thread to thread in runs: single ones would cost more in handing over.
RUN_BYTES = 1024 * 1024
RUN_PHOTOS = 256
AHEAD_BYTES = 16 * RUN_BYTES  # in flight; one photo may have more, and then flies alone
READERS = 3  # threads beside the caller's
_BUFFERS_PER_WRITE = 1024  # IOV_MAX of Linux and macOS

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
        self._files = contextlib.ExitStack()
        self._buffers: list[bytes] = []
        self._buffered = 0  # bytes
        # One thread, so that everything is written in its order.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shard-writer")
        self._writing: collections.deque[tuple[Future[None], int]] = collections.deque()
        self._ahead = 0  # bytes handed over and not yet written

    def add(self, name: str, data: bytes) -> tuple[str, int]:
        """Append a member; returns its shard and the offset of its first byte.

        Raises:
            OSError: these or earlier bytes could not be written.
        """
        if self._file is None or self._end >= self._shard_bytes:
            self._begin_shard()
        header = member_header(name, len(data))
        offset = self._end + len(header)
        self._write(header, data, bytes(padded(len(data)) - len(data)))
        return self._shard, offset

    def close(self) -> None:
        """End the last shard, and wait until everything is written.

        Raises:
            OSError: something could not be written.
        """
        try:
            self._end_shard()
            while self._writing:
                self._await_first()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Write no more, and close the files."""
        self._pool.shutdown(cancel_futures=True)
        self._files.close()

    def _begin_shard(self) -> None:
        self._end_shard()
        self._shard = f"images-{self._shards:05d}.tar"
        self._shards += 1
        self._end = 0
        # `abandon` closes all of them: they are open over many calls.
        file = open(self._folder / self._shard, "wb", buffering=0)  # noqa: SIM115
        self._file = self._files.enter_context(file)

    def _end_shard(self) -> None:
        if self._file is not None:
            ended = self._end + len(END_OF_ARCHIVE)
            self._write(END_OF_ARCHIVE, bytes(-ended % tarfile.RECORDSIZE))
            self._hand_over()
            self._submit(self._file.close, 0)
            self._file = None

    def _write(self, *buffers: bytes) -> None:
        size = sum(map(len, buffers))
        self._buffers += buffers
        self._buffered += size
        self._end += size
        if self._buffered >= RUN_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        assert self._file is not None
        file, buffers, size = self._file, self._buffers, self._buffered
        self._buffers, self._buffered = [], 0
        while self._writing and (self._writing[0][0].done() or self._ahead + size > AHEAD_BYTES):
            self._await_first()
        self._submit(lambda: _write_all(file.fileno(), buffers), size)

    def _submit(self, work: Callable[[], None], size: int) -> None:
        self._writing.append((self._pool.submit(work), size))
        self._ahead += size

    def _await_first(self) -> None:
        future, size = self._writing[0]
        future.result()  # what failed stays in front: no later call passes over it
        self._writing.popleft()
        self._ahead -= size


def _write_all(descriptor: int, buffers: Sequence[bytes]) -> None:
    for first in range(0, len(buffers), _BUFFERS_PER_WRITE):
        some = buffers[first : first + _BUFFERS_PER_WRITE]
        left = sum(map(len, some)) - os.writev(descriptor, some)
        if left:  # such as where the disk is nearly full; the next call says so
            rest = memoryview(b"".join(some))[-left:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def read(place: Path, photo: Photo) -> bytes:
    """The bytes of one photo of the shard `place`, by its offset.

    Raises:
        InputError: they are not those that the manifest describes.
    """
    with open(place, "rb", buffering=0) as shard:
        return _checked(place, photo, _pread(shard.fileno(), photo.size, photo.offset))


def _checked(place: Path, photo: Photo, data: bytes) -> bytes:
    if not _is_described(photo, data):
        raise _differs(place, photo)
    return data


def _is_described(photo: Photo, data: bytes) -> bool:
    return len(data) == photo.size and hashlib.sha256(data).hexdigest() == photo.sha256


def _differs(place: Path, photo: Photo) -> InputError:
    return InputError(
        f"{place}: the bytes of {photo.path!r} are not those that the manifest describes "
        "(sha256 differs): make the dataset again"
    )


def most_photos(size: int) -> int:
    """How many photos shards of so many bytes can hold: each takes a block for its header."""
    return size // BLOCK_BYTES


def reader_pool() -> contextlib.AbstractContextManager[ThreadPoolExecutor]:
    """Threads that help `stream`; one fewer than processors, as the caller's reads too."""
    helpers = max(1, min(READERS, (os.cpu_count() or 1) - 1))
    return worker_threads(helpers, "shard-reader")


def stream(
    place: Path, expected: Mapping[int, Photo], wanted: Collection[int], pool: ThreadPoolExecutor
) -> Iterator[tuple[Photo, bytes]]:
    """The wanted photos of one shard with their bytes, read and checked a little ahead.

    Args:
        place: of the shard.
        expected: every photo of the shard by its offset, in this order.
        wanted: the offsets of those to give.
        pool: helps to read them.

    Raises:
        InputError: the shard holds anything but the expected photos.
    """
    seen, end = 0, 0
    try:
        with open(place, "rb") as file:
            runs = _runs(expected.values(), wanted)
            # Most shards are as `ShardWriter` made them, and this is ten times as fast as tarfile.
            with contextlib.closing(_read_ahead(file, runs, pool)) as found:
                for run in found:
                    while run.photos:
                        photo, data = run.photos.popleft()
                        if data is None:
                            raise _differs(place, photo)
                        yield photo, data
                    seen, end = seen + run.seen, run.end
                    if not run.regular:
                        break
            if os.fstat(file.fileno()).st_size < end:
                raise tarfile.ReadError("unexpected end of data")
            for photo in _others(file, end, place, expected):
                seen += 1
                if photo.offset in wanted:
                    file.seek(photo.offset)
                    yield photo, _checked(place, photo, file.read(photo.size))
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
        bounded = archive.Bounded(file, sys.maxsize, place)
        tar = tarfile.open(fileobj=bounded, mode="r:")  # noqa: SIM115 - `file` is closed
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


@dataclass(frozen=True)
class _Run:
    """Photos that follow one another.

    Attributes:
        start: where the header of the first must be.
        photos: each, and whether it is wanted.
        size: bytes of those that are wanted.
    """

    start: int
    photos: tuple[tuple[Photo, bool], ...]
    size: int


@dataclass(frozen=True)
class _Read:
    """What became of a run.

    Attributes:
        photos: the wanted photos and their bytes; None for bytes that the manifest does not
            describe.
        seen: how many photos of the run, wanted or not, lay where they must.
        end: of the last of them with its padding.
        regular: False if the run goes on otherwise than `ShardWriter` writes.
    """

    photos: collections.deque[tuple[Photo, bytes | None]]
    seen: int
    end: int
    regular: bool


def _runs(photos: Iterable[Photo], wanted: Collection[int]) -> Iterator[_Run]:
    start = end = size = 0
    run: list[tuple[Photo, bool]] = []
    for photo in photos:
        mine = photo.size if photo.offset in wanted else 0
        if run and (size + mine > RUN_BYTES or len(run) >= RUN_PHOTOS):
            yield _Run(start, tuple(run), size)
            start, run, size = end, [], 0
        run.append((photo, photo.offset in wanted))
        size += mine
        end = photo.offset + padded(photo.size)
    if run:
        yield _Run(start, tuple(run), size)


def _read_ahead(
    file: BinaryIO, runs: Iterator[_Run], pool: ThreadPoolExecutor
) -> Generator[_Read, None, None]:
    """The runs in their order; all that are in flight have at most `AHEAD_BYTES`."""
    reading: collections.deque[tuple[_Run, Future[_Read]]] = collections.deque()
    descriptor = _Descriptor(file)
    ahead = 0
    run = next(runs, None)
    try:
        while True:
            while run and (not reading or ahead + run.size <= AHEAD_BYTES):
                reading.append((run, pool.submit(_read_run, descriptor, run)))
                ahead += run.size
                run = next(runs, None)
            if not reading:
                return
            first, future = reading[0]
            # What no thread has begun is read here: that is sooner than to wait for one.
            yield _read_run(descriptor, first) if future.cancel() else future.result()
            ahead -= first.size
            reading.popleft()
    finally:
        # What is being read is not waited for: this may be closed in the thread that reads it.
        running = [future for _, future in reading if not future.cancel()]
        if not running:
            descriptor.close()


class _Descriptor:
    """Another descriptor of a file, closed at the latest when no thread holds it any more.

    While one reads, its number must not become another file's.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.number = os.dup(file.fileno())

    def close(self) -> None:
        """Close it; for when no thread reads from it."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        self.close()


def _read_run(descriptor: _Descriptor, run: _Run) -> _Read:
    found: collections.deque[tuple[Photo, bytes | None]] = collections.deque()
    end, number = run.start, descriptor.number
    for seen, (photo, wanted) in enumerate(run.photos):
        header = member_header(photo.path, photo.size)
        if photo.offset != end + len(header) or _pread(number, len(header), end) != header:
            return _Read(found, seen, end, regular=False)
        if wanted:
            data = _pread(number, photo.size, photo.offset)
            found.append((photo, data if _is_described(photo, data) else None))
        end = photo.offset + padded(photo.size)
    return _Read(found, len(run.photos), end, regular=True)


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    """So many bytes, or all up to the file's end; some file systems give them in pieces."""
    data = piece = os.pread(descriptor, size, offset)
    while piece and len(data) < size:
        piece = os.pread(descriptor, size - len(data), offset + len(data))
        data += piece
    return data
