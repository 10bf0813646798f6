"""The chunks of a PNG that its picture needs, without decoding it: ISO 15948."""

import struct
import zlib

_SIGNATURE_BYTES = 8
MAX_CHUNKS = 100_000  # 64 MB in pieces of 8 KB, as some encoders cut them, are eight thousand
MAX_PROFILE_BYTES = 1024**2  # unpacked; Pillow takes no more
_PICTURE = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))


def without_metadata(data: bytes) -> bytes:
    """The PNG with no chunks but those of its picture, its EXIF and a colour profile that unpacks.

    Decoders refuse a whole photo for a text that is too long, or for one bit of its date.
    What follows a chunk that runs past the end stays as it is: the picture is damaged there.
    """
    kept = [data[:_SIGNATURE_BYTES]]
    position = _SIGNATURE_BYTES
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            break
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        chunk = data[position:end]
        if name in _PICTURE or (_is_whole(chunk) and (name == b"eXIf" or _is_profile(chunk))):
            kept.append(chunk)
        position = end
        if name == b"IEND":
            return b"".join(kept)
    return b"".join(kept) + data[position:]


def _is_whole(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _is_profile(chunk: bytes) -> bool:
    """True for a colour profile that can be unpacked, and is not too large."""
    name, _, packed = chunk[8:-4].partition(b"\0")
    if chunk[4:8] != b"iCCP" or not name or packed[:1] != b"\0":
        return False
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(packed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return False
    return unpacking.eof and len(unpacked) < MAX_PROFILE_BYTES
