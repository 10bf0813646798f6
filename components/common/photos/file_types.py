"""What a file is, by its first bytes and never by its name; and notices that are no photos."""

import hashlib

_MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
# ISO base media files name their kind, and kinds that they are compatible with, in their first box.
_HEIF = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_AVIF = frozenset((b"avif", b"avis"))
_CONTAINERS = frozenset((b"mif1", b"msf1"))  # of either
EXTENSIONS = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}
NO_PHOTO = ("", "html")  # what `sniff` says of files that are none
# For people.
NAMES = "JPEG, HEIC, PNG, WebP, AVIF, GIF, BMP or TIFF"
# Notices that hosts serve in place of a photo that is gone, by MD5: the Flickr placeholder, and
# other junk seen in ImageNet downloads.
PLACEHOLDER_MD5 = frozenset(
    {
        "880a7a58e05d3e83797f27573bb6d35c",
        "596246739a83bb45e30e13437e0810d9",
        "969e595182a947c7fdaaef4a34401760",
        "af5db09e39ca35d8930b4e59962e09e5",
    }
)


def sniff(data: bytes) -> str:
    """The type by the first bytes.

    One of "jpeg", "png", "gif", "bmp", "tiff", "webp", "heif", "avif", "html", or empty for any
    other.
    """
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _media_kind(data)
    start = data[:256].lstrip().lower()
    return "html" if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")) else ""


def _media_kind(data: bytes) -> str:
    """Of ISO base media: "heif" or "avif" for a picture, empty for a video."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    main, others = data[8:12], {data[place : place + 4] for place in range(16, end, 4)}
    if main in _AVIF or (main in _CONTAINERS and others & _AVIF):
        return "avif"
    return "heif" if main in _HEIF | _CONTAINERS else ""


def extension(data: bytes) -> str:
    """The file name extension that fits the content, "bin" where it is unknown."""
    kind = sniff(data)
    return EXTENSIONS.get(kind, kind) or "bin"


def is_known_placeholder(data: bytes) -> bool:
    """True for the very bytes of a notice that a host serves in place of photos that are gone."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest() in PLACEHOLDER_MD5
