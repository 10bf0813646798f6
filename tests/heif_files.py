"""HEIC files built box by box of a picture that is really coded: what no encoder would write."""

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pillow_heif
from PIL import Image

from components.common.photos import isobmff

pillow_heif.register_heif_opener()  # so that tests can save HEIC; who reads it registers by itself


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">II", width, height))


def irot(quarters: int) -> bytes:
    """Turned anticlockwise by so many quarters."""
    return box(b"irot", bytes([quarters]))


def imir(axis: int) -> bytes:
    """Mirrored: 0 swaps above and below, 1 left and right."""
    return box(b"imir", bytes([axis]))


def clap(width: int, height: int) -> bytes:
    """Only the middle of it is shown."""
    return box(b"clap", struct.pack(">8I", width, 1, height, 1, 0, 1, 0, 1))


def profile(icc: bytes) -> bytes:
    return box(b"colr", b"prof", icc)


@dataclass(frozen=True)
class Item:
    """One item: its data, its properties as boxes, what it is made of, and what it describes."""

    kind: bytes
    data: bytes
    properties: Sequence[bytes] = ()
    made_of: Sequence[int] = ()
    describes: Sequence[int] = ()


def coded(image: Image.Image, *properties: bytes, size: tuple[int, int] | None = None) -> Item:
    """A picture as HEVC, with further properties; `size` is what its header says."""
    stream = io.BytesIO()
    image.save(stream, "HEIF", quality=90, chroma=444)
    data = stream.getvalue()
    start = data.index(b"hvcC") - 4
    decoder = data[start : start + int.from_bytes(data[start : start + 4], "big")]
    (mdat,) = [one for one in isobmff._boxes(data, 0, len(data)) if one.kind == b"mdat"]
    own = (decoder, ispe(*(size or image.size)))
    return Item(b"hvc1", data[mdat.start : mdat.end], (*own, *properties))


def file(items: Mapping[int, Item], primary: int = 1, brand: bytes = b"heic") -> bytes:
    """A file of these items by their numbers."""
    head = box(b"ftyp", brand, bytes(4), b"mif1", b"heic")
    empty = _meta(items, primary, 0)
    data = b"".join(item.data for item in items.values())
    return head + _meta(items, primary, len(head) + len(empty) + 8) + box(b"mdat", data)


def _meta(items: Mapping[int, Item], primary: int, start: int) -> bytes:
    entries, places, links, references, properties = [], [], [], [], []
    for number, item in items.items():
        name = b"\0application/rdf+xml\0" if item.kind == b"mime" else b"\0"
        entries.append(full(b"infe", struct.pack(">HH", number, 0), item.kind, name, version=2))
        places.append(struct.pack(">HHHII", number, 0, 1, start, len(item.data)))
        start += len(item.data)
        indices = bytes(range(len(properties) + 1, len(properties) + 1 + len(item.properties)))
        properties += item.properties
        links.append(struct.pack(">HB", number, len(indices)) + indices)
        for kind, others in ((b"dimg", item.made_of), (b"cdsc", item.describes)):
            if others:
                listed = struct.pack(f">HH{len(others)}H", number, len(others), *others)
                references.append(box(kind, listed))
    count = struct.pack(">H", len(items))
    associations = struct.pack(">I", len(items)) + b"".join(links)
    return full(
        b"meta",
        full(b"hdlr", bytes(4), b"pict", bytes(13)),
        full(b"pitm", struct.pack(">H", primary)),
        full(b"iloc", b"\x44\0", count, *places),
        full(b"iinf", count, *entries),
        full(b"iref", *references) if references else b"",
        box(b"iprp", box(b"ipco", *properties), full(b"ipma", associations)),
    )


def overlay(width: int, height: int, part: int, times: int) -> Item:
    """A picture of this size that shows another so many times at the same place."""
    data = struct.pack(">BB6H", 0, 0, 0, 0, 0, 0xFFFF, width, height) + bytes(4 * times)
    return Item(b"iovl", data, (ispe(width, height),), (part,) * times)


def grid(width: int, height: int, rows: int, columns: int, part: int) -> Item:
    """A picture of this size of so many tiles, which are all the same one."""
    data = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    return Item(b"grid", data, (ispe(width, height),), (part,) * (rows * columns))
