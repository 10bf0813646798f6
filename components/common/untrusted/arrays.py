"""Reading a stranger's arrays, .npy and .npz: no pickle, and no more memory than the file is large.

A header may claim any shape, and a compressed member may unpack to a thousand times its size;
numpy believes both. Arrays of this project are stored as they are, so honest ones fit their files.
"""

import io
import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MAX_RATIO = 4  # of an archive unpacked to itself: floats hardly compress
ALLOWANCE_BYTES = 16 * 1024**2  # that a small archive may unpack to, whatever the ratio
MAX_ARRAYS = 10_000
KINDS = "biufSU"  # booleans, numbers and texts; never objects
HEADER_MAX_BYTES = 16 * 1024
CHUNK_BYTES = 16 * 1024**2
_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file.

    Raises:
        ValueError: it is damaged, holds objects, or its header claims more than the file holds.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return _checked(file, path.stat().st_size)


def map_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file, read-only, whose bytes are read when they are used.

    They stay the file's, and so the system may take their memory back. The file must not change
    while the array is used; it may be removed or replaced by another one.

    Raises:
        ValueError: as of `read_npy`.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        size = path.stat().st_size
        shape, order, dtype = _header(file, size)
        start, claimed = file.tell(), math.prod(shape) * dtype.itemsize
        if start + claimed > size:
            raise ValueError(f"it was cut: {start + claimed - size} of {claimed} bytes are missing")
        if not claimed:  # nothing cannot be mapped
            return np.empty(shape, dtype, order)
        return np.asarray(np.memmap(file, dtype, "r", start, shape, order))


def read_npz(source: Path | IO[bytes], wanted: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by name, in its order.

    Args:
        source: the file.
        wanted: names of those to read; all by default.

    Raises:
        ValueError: it is damaged, lacks a wanted array, holds objects, or claims to be larger than
            it is.
        OSError: it cannot be read.
    """
    size = source.stat().st_size if isinstance(source, Path) else source.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(source) as archive:
            members = {
                member.filename.removesuffix(".npy"): member for member in archive.infolist()
            }
            missing = [name for name in wanted if name not in members]
            if missing:
                raise ValueError(f"it has no array {missing[0]!r}")
            chosen = wanted or tuple(members)
            unpacked = sum(members[name].file_size for name in chosen)
            if len(members) > MAX_ARRAYS or unpacked > max(ALLOWANCE_BYTES, MAX_RATIO * size):
                raise ValueError(f"it claims {len(members)} arrays of {unpacked} bytes in all")
            return {name: _member(archive, members[name]) for name in chosen}
    except OSError:
        raise
    except Exception as error:  # zipfile, zlib and lzma raise many types on a damaged file
        raise ValueError(f"it is not a sound .npz file: {error}") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        return _checked(file, member.file_size)


def _checked(file: IO[bytes], size: int) -> NDArray[Any]:
    """The array, once its header is known to claim no more than `size` bytes."""
    shape, order, dtype = _header(file, size)
    array = np.empty(math.prod(shape), dtype)
    claimed = array.nbytes
    place = memoryview(array.view(np.uint8)) if claimed else memoryview(b"")  # type: ignore[arg-type]
    while place:
        count = file.readinto(place[:CHUNK_BYTES])  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"it was cut: {len(place)} of {claimed} bytes are missing")
        place = place[count:]
    return array.reshape(shape, order=order)


def _header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    """Shape, order and type of an array of at most `size` bytes; the file is then at its start."""
    try:
        head = io.BytesIO(file.read(HEADER_MAX_BYTES))  # the header may claim any length itself
        version = npy.read_magic(head)
        if version not in _HEADERS:
            raise ValueError(f"the version {version} of its format is not read")
        shape, fortran_order, dtype = _HEADERS[version](head)
        file.seek(head.tell())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header is damaged: {error}"[:200]) from error
    if dtype.kind not in KINDS or not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"its header claims the type {dtype} and the shape {shape}"[:200])
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > size:
        raise ValueError(f"its header claims {claimed} bytes, and it has {size}")
    return shape, "F" if fortran_order else "C", dtype
