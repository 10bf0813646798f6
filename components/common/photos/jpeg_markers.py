"""The segments of a JPEG, without decoding it: ITU T.81, annex B."""

import re
from collections.abc import Iterator

# A progressive JPEG has about ten scans. Each goes over the whole picture, and costs as few as a
# hundred bytes: a file of thousands keeps a core busy for many minutes.
MAX_SCANS = 64
# Long metadata comes in segments of 64 KB: a picture has dozens, and a file of millions of empty
# ones would cost seconds each time that it is gone through.
MAX_SEGMENTS = 4096
_START_OF_SCAN = b"\xff\xda"
SOF2, EOI, SOS, DNL, APP0, APP14, APP15, COM = 0xC2, 0xD9, 0xDA, 0xDC, 0xE0, 0xEE, 0xEF, 0xFE
# Frame headers; the other codes from C0 to CF are tables and an extension.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment
# Within entropy-coded data FF is followed by 00 or a restart marker; anything else is a marker.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# What any decoder reads in the same way: frames, tables, application data and comments.
_PLAIN_SEGMENTS = frozenset((0xC0, 0xC1, SOF2, 0xC4, 0xDB, 0xDD, *range(APP0, APP15 + 1), COM))
# What a decoder needs of JFIF's and Adobe's segments: version, density, how colours are coded.
_JFIF, _JFIF_BYTES = b"JFIF\0", 12
_ADOBE, _ADOBE_BYTES = b"Adobe", 12
# What says how the pixels are to be shown.
TURNING = (b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0")
SHOWING = (*TURNING, b"ICC_PROFILE\0")


def has_too_many_scans(data: bytes) -> bool:
    """True for a JPEG of more than `MAX_SCANS` scans."""
    # Nearly all are baseline, which have one for each colour at most: decoders refuse more.
    if _frame(data) in _FRAMES - {SOF2}:
        return False
    return data.count(_START_OF_SCAN) > MAX_SCANS


def _frame(data: bytes) -> int:
    """The code of the frame header, such as `SOF2`; 0 where there is none before the data."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        if data[position : position + 1] != b"\xff" or len(data) <= position + 3:
            break
        code = data[position + 1]
        if code in _FRAMES:
            return code
        if code == SOS:
            return 0
        if code == 0xFF:  # filling
            position += 1
        elif code in _ALONE:
            position += 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return 0


def header_end(data: bytes) -> int:
    """Where a JPEG's metadata ends: at its first scan, or with the file where that is unclear."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        if data[position : position + 1] != b"\xff" or not data[position + 1 : position + 2]:
            break
        if data[position + 1] == SOS:
            # Pillow turns by XMP too, but is asked only about files with an Exif anywhere.
            return len(data) if data.find(b"/xap/1.0/\0", 0, position) >= 0 else position
        if data[position + 1] not in _PLAIN_SEGMENTS:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return len(data)


def strip_metadata(data: bytes, *, but: tuple[bytes, ...] = ()) -> bytes:
    """Cut EXIF, comments, profiles, thumbnails and trailing bytes out of a JPEG.

    Its pixels stay as they are. Of APP0 and APP14 stays what says how colours are coded, and
    application data that begins with one of `but` stays whole.

    Raises:
        ValueError: the marker structure is broken, or has more than `MAX_SEGMENTS`.
    """
    kept = [data[:2]]
    for code, start, end in _pieces(data):
        piece = data[start:end]
        if code == APP0:
            # Without a thumbnail; two zeros say so.
            plain = piece[4:].startswith(_JFIF) and len(piece) >= 4 + _JFIF_BYTES
            # Strict decoders refuse any version but 1.
            version = piece[9:11] if piece[9:10] == b"\1" else b"\1\1"
            head = _JFIF + version + piece[11 : 4 + _JFIF_BYTES]
            piece = b"\xff\xe0\0\x10" + head + b"\0\0" if plain else b""
        elif code == APP14:
            plain = piece[4:].startswith(_ADOBE) and len(piece) >= 4 + _ADOBE_BYTES
            piece = b"\xff\xee\0\x0e" + piece[4 : 4 + _ADOBE_BYTES] if plain else b""
        elif not code:
            piece = piece.rstrip(b"\xff")  # filling before the next marker
        elif code in (COM, DNL) or (APP0 < code <= APP15 and not piece.startswith(but, 4)):
            continue  # a number of lines, DNL, is read by no decoder of ours
        kept.append(piece)
    return b"".join(kept)


def has_end(data: bytes) -> bool:
    """False for a JPEG that was cut. Whether the picture is sound, only decoding shows."""
    if data.endswith(b"\xff\xd9"):  # as nearly all do; never within the picture's own data
        return True
    try:
        strip_metadata(data)
    except ValueError:
        return False
    return True


def _pieces(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Code, start and end of each segment, and of the data between, whose code is 0."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        marker = _MARKER.search(data, position)
        if not marker:
            raise ValueError("no end-of-image marker")
        start, code = marker.start(), data[marker.start() + 1]
        if start > position:  # entropy-coded data of the scan before
            yield 0, position, start
        if code == EOI:
            yield code, start, start + 2
            return
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        end = start + 2 + length
        if length < 2 or end > len(data):
            raise ValueError("a segment runs past the end")
        yield code, start, end
        position = end
    raise ValueError(f"more than {MAX_SEGMENTS} segments")
