"""Reading a stranger's tar archive, member by member, within limits. Nothing is ever unpacked."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from components.common.base.errors import InputError

MAX_MEMBERS = 1_000_000
MAX_MEMBER_BYTES = 64 * 1024**2
MAX_RATIO = 20  # unpacked to packed; photos hardly compress
ALLOWANCE_BYTES = 16 * 1024**2  # that a small archive may unpack to, whatever the ratio
GZIP = b"\x1f\x8b"
# What tarfile raises, beside its own errors, at headers that are forged or destroyed.
DAMAGE = (ValueError, IndexError, OverflowError, RecursionError)


def is_archive(path: Path) -> bool:
    """True for a tar archive, plain or gzipped, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(512)
    return head[:2] == GZIP or head[257:262] == b"ustar"


def read_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each regular file of an archive, in its order.

    Links, devices, folders and sparse files, which may claim more than the archive holds, are
    passed over; names are only names, nothing is written.

    Raises:
        InputError: the archive is damaged, or larger unpacked than an honest one would be.
    """
    limit = max(ALLOWANCE_BYTES, MAX_RATIO * path.stat().st_size)
    with open(path, "rb") as packed:
        compressed = packed.read(2) == GZIP
        packed.seek(0)
        unpacked = gzip.GzipFile(fileobj=packed) if compressed else packed
        try:
            with opened(unpacked, limit, path) as tar:
                yield from _regular(tar, path)
        except (*DAMAGE, tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"the archive {path} is damaged: {error}") from error


def opened(stream: "BinaryIO | gzip.GzipFile", limit: int, path: Path) -> tarfile.TarFile:
    """A tar archive that refuses to be read further than an honest one goes.

    Args:
        stream: the archive, unpacked.
        limit: position behind which nothing is read.
        path: of the archive, for messages.
    """
    bounded: Any = _Bounded(stream, limit, path)  # all that tarfile asks of a file to read
    return tarfile.open(fileobj=bounded, mode="r:")


def _regular(tar: tarfile.TarFile, path: Path) -> Iterator[tuple[str, bytes]]:
    for number, member in enumerate(tar):
        if number >= MAX_MEMBERS:
            raise InputError(f"the archive {path} has more than {MAX_MEMBERS} members")
        tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep all of them
        if tar.offset < member.offset_data:  # of the next header; a size below 0 leads back
            raise InputError(f"the archive {path} is damaged: {member.name!r:.100} has no size")
        if not member.isreg() or member.issparse():
            continue
        if member.size > MAX_MEMBER_BYTES:
            raise InputError(
                f"the archive {path}: {member.name!r:.100} has {member.size} bytes, at most "
                f"{MAX_MEMBER_BYTES} are read"
            )
        content = tar.extractfile(member)
        assert content is not None
        yield member.name, content.read()
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it has no end, so it was cut")  # tarfile itself does not mind


class _Bounded:
    """The stream of an archive, for tarfile; see `opened`."""

    def __init__(self, inner: "BinaryIO | gzip.GzipFile", limit: int, path: Path) -> None:
        self._inner = inner
        self._limit = limit
        self._path = path

    def read(self, size: int) -> bytes:
        """As many bytes, if an honest header could ask for so many."""
        # A header may claim any length, and tarfile asks for it at once.
        if not 0 <= size <= MAX_MEMBER_BYTES:
            raise InputError(f"the archive {self._path} has a header that claims {size} bytes")
        self._check(self._inner.tell())
        return self._inner.read(size)

    def tell(self) -> int:
        """The position."""
        return self._inner.tell()

    def seek(self, offset: int) -> int:
        """Go to a position, counted from the start."""
        self._check(offset)
        return self._inner.seek(offset)

    def _check(self, position: int) -> None:
        if position < 0:
            raise tarfile.ReadError("a header leads to before the archive")
        if position > self._limit:
            raise InputError(
                f"the archive {self._path} unpacks to more than {self._limit} bytes, far more than "
                "an archive of photos would: it is refused"
            )
