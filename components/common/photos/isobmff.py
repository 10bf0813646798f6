"""The boxes of a HEIC or AVIF file, without decoding it: ISO 14496-12 and 23008-12 (HEIF).

A file is a tree of boxes. `meta` describes its items: coded pictures, pictures that are put
together of others (a telephone's is a grid of tiles), and metadata.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# A photo of 100 megapixels in tiles of 512 x 512 has four hundred items of four boxes each.
MAX_BOXES = 20_000
MAX_DEPTH = 8  # pictures made of pictures
MAX_PARTS = 65_536  # of all pictures together; a grid has no more than 256 x 256
_METADATA = (b"Exif", b"mime", b"uri ")
_NOBODY_S = b"skip"  # a type of item that no decoder knows


class BoxError(Exception):
    """The boxes contradict one another or the file, or are too many."""


@dataclass(frozen=True)
class Box:
    """One box: its type, and where its content begins and ends in the file."""

    kind: bytes
    start: int
    end: int


def pixels_to_decode(data: bytes) -> int:
    """The most pixels that a decoder decodes for one of the pictures: of a grid, its tiles'.

    Far more than the picture has means a bomb: the same part named a thousand times, or a small
    cutting of a huge picture.

    Raises:
        BoxError: the file describes no picture.
    """
    meta = _meta(data)
    pixels, parts = _pixels(data, meta), _parts(data, meta)
    known: dict[int, int] = {}
    return max(_work(item, pixels, parts, known, MAX_DEPTH) for item in {0, *pixels, *parts})


def without_metadata(data: bytes) -> bytes:
    """The file with Exif, XMP and the like out of the decoder's sight, and all else in its place.

    How the picture is turned is a property of it, not metadata.

    Raises:
        BoxError: the file describes no items.
    """
    hidden = bytearray(data)
    items = _child(data, _meta(data), b"iinf")
    wide = data[items.start : items.start + 1] != b"\0"
    for entry in _boxes(data, items.start + (8 if wide else 6), items.end):
        version = data[entry.start : entry.start + 1]
        place = entry.start + (10 if version == b"\x03" else 8)
        if entry.kind == b"infe" and data[place : place + 4] in _METADATA:
            hidden[place : place + 4] = _NOBODY_S
    return bytes(hidden)


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, kind, head = _number(data, start, 4), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = _number(data, start + 8, 8), 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            raise BoxError(f"the box {kind!r} runs past its end")
        yield Box(kind, start + head, start + size)
        start += size
    raise BoxError(f"more than {MAX_BOXES} boxes")


def _child(data: bytes, parent: Box, kind: bytes) -> Box:
    for box in _boxes(data, parent.start, parent.end):
        if box.kind == kind:
            return box
    raise BoxError(f"there is no box {kind!r}")


def _meta(data: bytes) -> Box:
    for box in _boxes(data, 0, len(data)):
        if box.kind == b"meta":
            return Box(box.kind, box.start + 4, box.end)
    raise BoxError("there is no box b'meta'")


def _number(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise BoxError("a box is too short")
    return int.from_bytes(data[start : start + size], "big")


def _pixels(data: bytes, meta: Box) -> dict[int, int]:
    """Width times height of each item that has a size."""
    properties = _child(data, meta, b"iprp")
    container = _child(data, properties, b"ipco")
    sizes = [
        _number(data, box.start + 4, 4) * _number(data, box.start + 8, 4)
        if box.kind == b"ispe"
        else 0
        for box in _boxes(data, container.start, container.end)
    ]
    pixels: dict[int, int] = {}
    for box in _boxes(data, properties.start, properties.end):
        if box.kind == b"ipma":
            for item, indices in _associations(data, box):
                named = [sizes[index - 1] for index in indices if 0 < index <= len(sizes)]
                pixels[item] = max([pixels.get(item, 0), *named])
    return {item: size for item, size in pixels.items() if size}


def _associations(data: bytes, box: Box) -> Iterator[tuple[int, list[int]]]:
    """Each item with the places of its properties, from 1."""
    width = 4 if _number(data, box.start, 1) else 2
    # The first bit says that a decoder must understand the property.
    step, mask = (2, 0x7FFF) if _number(data, box.start + 3, 1) & 1 else (1, 0x7F)
    position = box.start + 8
    for _ in range(min(_number(data, box.start + 4, 4), MAX_BOXES)):
        item, count = _number(data, position, width), _number(data, position + width, 1)
        position += width + 1
        yield item, [_number(data, position + step * n, step) & mask for n in range(count)]
        position += step * count


def _parts(data: bytes, meta: Box) -> dict[int, list[int]]:
    """Of each item that is made of others, these others, as often as they are named."""
    parts: dict[int, list[int]] = {}
    total = 0
    for box in _boxes(data, meta.start, meta.end):
        if box.kind != b"iref":
            continue
        width = 4 if _number(data, box.start, 1) else 2
        for link in _boxes(data, box.start + 4, box.end):
            if link.kind == b"dimg":
                item, count = _number(data, link.start, width), _number(data, link.start + width, 2)
                total += count
                if total > MAX_PARTS:
                    raise BoxError(f"pictures are made of more than {MAX_PARTS} others")
                first = link.start + width + 2
                listed = [_number(data, first + width * n, width) for n in range(count)]
                parts.setdefault(item, []).extend(listed)
    return parts


def _work(
    item: int,
    pixels: Mapping[int, int],
    parts: Mapping[int, Sequence[int]],
    known: dict[int, int],
    depth: int,
) -> int:
    """Pixels to decode for one item; `known` is added to."""
    if not depth:
        raise BoxError("pictures are made of pictures, too deep")
    if item not in known:
        made = sum(_work(part, pixels, parts, known, depth - 1) for part in parts.get(item, ()))
        known[item] = max(made, pixels.get(item, 0))
    return known[item]
