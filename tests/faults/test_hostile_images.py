"""Pictures of strangers: what they carry beside their pixels, and what they would unpack to."""

import io
import struct
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path

import little_memory
import numpy as np
import pytest
import simplejpeg
from PIL import Image, PngImagePlugin

from components.common.photos import images, jpeg_markers
from components.common.photos.images import BadPhoto

SCRIPT = b"<script>alert(1)</script>"
MEGABYTE = 1024**2
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")


def picture() -> Image.Image:
    coarse = np.random.default_rng(1).integers(0, 256, (8, 10, 3), np.uint8)
    return Image.fromarray(coarse).resize((200, 160))


def saved(kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture().save(stream, kind, **options)
    return stream.getvalue()


@cache
def jpeg() -> bytes:
    return saved()


def segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(body) + 2) + body


def with_segment(code: int, body: bytes) -> bytes:
    """The JPEG with one more segment after its first."""
    place = 4 + struct.unpack(">H", jpeg()[4:6])[0] - 2 + 2
    return jpeg()[:place] + segment(code, body) + jpeg()[place:]


JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01"
CARRIERS = {
    "comment": with_segment(0xFE, SCRIPT),
    **{f"APP{number}": with_segment(0xE0 + number, SCRIPT * 9) for number in range(16)},
    "JFIF with a thumbnail": jpeg()[:2]
    + segment(0xE0, JFIF + b"\x08\x01" + SCRIPT[:24])
    + jpeg()[20:],
    "JFIF with more": jpeg()[:2] + segment(0xE0, JFIF + b"\0\0" + SCRIPT) + jpeg()[20:],
    "JFXX": with_segment(0xE0, b"JFXX\0\x10" + SCRIPT),
    "Adobe with more": with_segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SCRIPT),
    "number of lines": with_segment(0xDC, SCRIPT),
    "EXIF": with_segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0" + SCRIPT),
    "XMP": with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SCRIPT),
    "behind the end": jpeg() + SCRIPT,
    "a whole page behind the end": jpeg() + b"<!DOCTYPE html><html>" + SCRIPT,
    "two pictures": jpeg() + with_segment(0xFE, SCRIPT),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_stored_photo_carries_nothing_but_its_pixels(carrier: str) -> None:
    data = CARRIERS[carrier]
    assert b"<script" in data
    stored = images.to_clean_jpeg(data).data
    assert b"<script" not in stored
    left, right = (simplejpeg.decode_jpeg(one, "RGB", strict=True) for one in (jpeg(), stored))
    assert np.array_equal(left, right)
    # What is stored is as plain as it can be, and is so again.
    assert images.to_clean_jpeg(stored).data == stored


@pytest.mark.parametrize(
    "data",
    [
        with_segment(0xF0, SCRIPT),
        with_segment(0x02, SCRIPT),
        jpeg()[:20] + SCRIPT + jpeg()[20:],
        jpeg()[:-2] + SCRIPT + jpeg()[-2:],
    ],
    ids=["extension", "reserved", "between segments", "before the end"],
)
def test_text_where_no_camera_puts_any_is_damage(data: bytes) -> None:
    with pytest.raises(BadPhoto):
        images.to_clean_jpeg(data)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("front", [False, True], ids=["behind", "within"])
def test_archive_and_picture_in_one_is_no_archive_any_more(kind: str, front: bool) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hack.html", SCRIPT)
    data = saved(kind)
    if front and kind == "JPEG":
        data = with_segment(0xFE, packed.getvalue()) + packed.getvalue()
    else:
        data += packed.getvalue()
    assert zipfile.is_zipfile(io.BytesIO(data))
    stored = images.to_clean_jpeg(data).data
    assert not zipfile.is_zipfile(io.BytesIO(stored))
    assert b"PK\x03\x04" not in stored
    assert b"hack.html" not in stored


def described(kind: str) -> bytes:
    """A picture of any kind with texts wherever its kind has room for some."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x8298] = SCRIPT.decode()
    options: dict[str, object] = {"exif": exif}
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", SCRIPT.decode())
        texts.add_itxt("XML:com.adobe.xmp", SCRIPT.decode())
        options["pnginfo"] = texts
    elif kind in ("WEBP", "JPEG"):
        options["xmp"] = SCRIPT
    elif kind in ("GIF", "BMP"):
        options = {"comment": SCRIPT}
    return saved(kind, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_every_kind_are_gone(kind: str) -> None:
    data = described(kind) + (SCRIPT if kind == "BMP" else b"")
    assert SCRIPT in data
    assert b"script" not in images.to_clean_jpeg(data).data


def progressive(scans: int) -> bytes:
    """A sound progressive JPEG of so many scans: a frequency and a colour at a time."""
    data = saved(progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + scans * data[start:-2] + data[-2:]


@pytest.mark.parametrize(
    "hidden",
    [
        b"",
        b"\xff" * 7,
        b"\xff\x01",
        b"\xff\xd0",
        segment(0xE5, segment(0xC0, bytes(15))),
    ],
    ids=["plain", "filling", "TEM", "RST", "a false frame"],
)
def test_thousands_of_scans_are_refused_before_they_are_decoded(hidden: bytes) -> None:
    data = progressive(2000)
    data = data[:2] + hidden + data[2:]
    for take in (images.to_clean_jpeg, images.decode, images.jpeg_size):
        with pytest.raises(BadPhoto, match="too_many_scans"):
            take(data)
    with pytest.raises(BadPhoto, match="too_many_scans"):
        images.to_clean_jpeg(data, strict=False)


def test_progressive_photo_is_taken() -> None:
    data = saved(progressive=True)
    assert 5 < data.count(b"\xff\xda") < jpeg_markers.MAX_SCANS
    assert images.to_clean_jpeg(data).width == 200


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def gif(screen: tuple[int, int], frame: tuple[int, int]) -> bytes:
    """A GIF whose first picture is larger than its screen."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", *screen, 0x80, 0, 0)
        + b"\0\0\0\xff\xff\xff,"
        + struct.pack("<HHHHB", 0, 0, *frame, 0)
        + b"\x02\x02\x44\x01\0;"
    )


def webp(width: int, height: int) -> bytes:
    """A lossless WebP whose header says this size."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<IB", 5, 0x2F) + struct.pack("<I", bits) + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def tiff(**tags: tuple[int, int, int]) -> bytes:
    """A TIFF of 60,000 by 60,000 pixels in one strip that is not there."""
    entries = {
        "width": (256, 4, 60_000),
        "height": (257, 4, 60_000),
        "bits": (258, 3, 8),
        "compression": (259, 3, 8),
        "photometric": (262, 3, 1),
        "offset": (273, 4, 8),
        "samples": (277, 3, 1),
        "rows": (278, 4, 60_000),
        "bytes": (279, 4, 2**31 - 1),
        **tags,
    }
    listed = sorted(entries.values())
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in listed)
    return b"II*\0" + struct.pack("<IH", 8, len(listed)) + body + bytes(4)


@cache
def zeros(megabytes: int) -> bytes:
    return zlib.compress(bytes(megabytes * MEGABYTE), 9)


def bombs() -> dict[str, bytes]:
    """Small files that would be huge."""
    return {
        "PNG of 900 megapixels": png(30_000, 30_000, chunk(b"IDAT", zeros(64))),
        "PNG with a profile of 64 MB": png(100, 100, chunk(b"iCCP", b"p\0\0" + zeros(64))),
        "PNG with a text of 64 MB": png(100, 100, chunk(b"zTXt", b"t\0\0" + zeros(64))),
        "PNG with more data than pixels": png(100, 100, chunk(b"IDAT", zeros(64))),
        "PNG of 2 GB a row": png(2**31 - 1, 40, chunk(b"IDAT", zeros(1))),
        "GIF that is larger than its screen": gif((40, 40), (65_535, 65_535)),
        "GIF of 4,294 megapixels": gif((65_535, 65_535), (65_535, 65_535)),
        "WebP of 268 megapixels": webp(16_384, 16_384),
        "TIFF of 3,600 megapixels": tiff(),
        "TIFF of 65,535 colours": tiff(
            width=(256, 4, 100), height=(257, 4, 100), samples=(277, 3, 65_535)
        ),
        "TIFF in a circle": b"II*\0\x08\0\0\0\x01\0"
        + struct.pack("<HHII", 330, 4, 1, 8)
        + struct.pack("<I", 8),
        "BMP of 2**62 pixels": b"BM"
        + bytes(8)
        + struct.pack("<IIiiHHIIiiII", 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, *[0] * 6),
        "JPEG of 4,290 megapixels": jpeg()[:2]
        + segment(
            0xC0, struct.pack(">BHHB", 8, 65_500, 65_500, 3) + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
        )
        + segment(0xDA, b"\x03\x01\0\x02\0\x03\0\0\x3f\0")
        + b"\xff\xd9",
    }


TAKE = """
import resource, sys
from components.common.photos import images
for path in sys.argv[1:]:
    try:
        images.to_clean_jpeg(open(path, "rb").read())
        print("taken")
    except images.BadPhoto as bad:
        print(bad.reason)
"""


def test_bombs_are_refused_or_taken_in_little_memory() -> None:
    files = bombs()
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, str(number))) for number in range(len(files))]
        for path, data in zip(paths, files.values(), strict=True):
            assert len(data) < MEGABYTE
            Path(path).write_bytes(data)
        done = little_memory.run(TAKE, *paths, megabytes=500)
    assert done.returncode == 0, done.stderr
    found = dict(zip(files, done.stdout.split(), strict=True))
    # Of that one, no more is unpacked than it has pixels.
    assert [name for name in files if found[name] == "taken"] == ["PNG with more data than pixels"]
    large = [name for name in files if "pixels" in name and "more data" not in name]
    assert {found[name] for name in large} <= {"too_many_pixels", "damaged"}, found
