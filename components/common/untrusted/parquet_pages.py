"""What the pages of a parquet file unpack to, counted before any of them is unpacked.

The footer says how large each column is, and the header of each page says it again; decoders
believe the page. Only sizes are read here: `PageHeader` of parquet.thrift, in Thrift's compact
protocol, whose other fields are passed over.
"""

from typing import BinaryIO

HEADER_MAX_BYTES = 1024 * 1024  # statistics hold the smallest and the largest value
MAX_DEPTH = 8
UNCOMPRESSED, COMPRESSED = 2, 3  # field numbers of PageHeader: sizes in bytes
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = (
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    10,
    11,
    12,
)
_INTEGERS = (4, 5, 6)  # of 16, 32 and 64 bits


def unpacked_bytes(file: BinaryIO, start: int, length: int) -> int:
    """How many bytes the pages of one column of one row group unpack to, as they say themselves.

    Args:
        file: the parquet file.
        start: where the first page of the column begins.
        length: of all of its pages with their headers.

    Raises:
        ValueError: the pages run past this place, or a header is damaged.
    """
    total, end = 0, start + length
    while start < end:
        file.seek(start)
        header = _Header(file.read(min(HEADER_MAX_BYTES, end - start)))
        sizes = header.sizes()
        if min(sizes) < 0 or start + header.position + sizes[1] > end:
            raise ValueError("a page runs past its column")
        total += sizes[0]
        start += header.position + sizes[1]
    return total


class _Header:
    """One header; `position` is behind what has been read of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def sizes(self) -> tuple[int, int]:
        """Unpacked and packed size of the page."""
        found = {}
        number = 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            number = number + delta if delta else self._integer()
            if number in (UNCOMPRESSED, COMPRESSED) and kind in _INTEGERS:
                found[number] = self._integer()
            else:
                self._pass_over(kind, 0)
        if len(found) < 2:
            raise ValueError("the header of a page names no sizes")
        return found[UNCOMPRESSED], found[COMPRESSED]

    def _byte(self) -> int:
        if self.position >= len(self._data):
            raise ValueError("the header of a page is cut or too long")
        self.position += 1
        return self._data[self.position - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("the header of a page holds an endless number")

    def _integer(self) -> int:
        value = self._varint()  # zigzag
        return value >> 1 ^ -(value & 1)

    def _pass_over(self, kind: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueError("the header of a page is nested too deeply")
        if kind in (_TRUE, _FALSE):
            return
        if kind == _BYTE:
            self.position += 1
        elif kind in _INTEGERS:
            self._varint()
        elif kind == _DOUBLE:
            self.position += 8
        elif kind == _BINARY:
            size = self._varint()
            self.position += size
        elif kind in (_LIST, _SET):
            self._pass_over_list(depth)
        elif kind == _MAP:
            raise ValueError("the header of a page holds a map")
        elif kind == _STRUCT:
            while inner := self._byte():
                if not inner >> 4:
                    self._integer()
                self._pass_over(inner & 15, depth + 1)
        else:
            raise ValueError(f"the header of a page holds a value of the type {kind}")

    def _pass_over_list(self, depth: int) -> None:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size > len(self._data):
            raise ValueError("the header of a page holds an endless list")
        for _ in range(size):
            if head & 15 in (_TRUE, _FALSE):
                self.position += 1
            else:
                self._pass_over(head & 15, depth + 1)
