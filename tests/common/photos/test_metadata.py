"""What lies beside the pixels never costs a photo: broken profiles, EXIF, texts, markers."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import heif_files
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from components.common.photos import images, png_chunks
from components.common.photos.images import BadPhoto

WIDTH, HEIGHT = 160, 120
KINDS = ("JPEG", "CMYK", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")


@cache
def picture() -> Image.Image:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def saved(kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    if kind == "CMYK":
        picture().convert("CMYK").save(stream, "JPEG", quality=95, **options)
    else:
        picture().save(stream, kind, **({"quality": 95} | options if kind != "PNG" else options))
    return stream.getvalue()


def looks_right(data: bytes, shown: Image.Image | None = None) -> bool:
    """Whether a file is taken, by both ways of reading it, and shows what it should."""
    expected = np.asarray(shown or picture()).astype(int)
    found: list[NDArray[np.uint8]] = [
        images.decode(images.to_clean_jpeg(data).data),
        images.decode(data),
    ]
    return all(
        pixels.shape == expected.shape and np.abs(pixels - expected).mean() < 6 for pixels in found
    )


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# With another name it is not known to be sRGB, and is applied.
OTHER = SRGB.replace(b"sRGB", b"p3p3").replace(b"s\0R\0G\0B", b"p\0p\0p\0p")
PROFILES = {
    "sound": OTHER,
    "cut at half": OTHER[: len(OTHER) // 2],
    "cut at 200": OTHER[:200],
    "zeros": bytes(3000),
    "text": b"Adobe RGB (1998)" * 40,
    "one byte": b"\1",
    "of other colours": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    "of grey": OTHER[:16] + b"GRAY" + OTHER[20:],
    "2 MB": OTHER + random.Random(0).randbytes(2_000_000),
    "2 MB of zeros": bytes(2_000_000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", PROFILES)
def test_profile_never_costs_a_photo(profile: str, kind: str) -> None:
    assert looks_right(saved(kind, icc_profile=PROFILES[profile]))


def sound_exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = orientation
    return exif.tobytes()


def orientation_entry(kind: int, count: int, value: bytes) -> bytes:
    head = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01"
    return head + struct.pack("<HI", kind, count) + value + bytes(4)


EXIF = {
    "empty": b"Exif\0\0",
    "junk": b"Exif\0\0junkjunkjunk",
    "no prefix": b"hello world",
    "one byte": b"\1",
    "cut": sound_exif(1)[:-8],
    "offset beyond": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "a text as orientation": orientation_entry(2, 2, b"a\0\0\0"),
    "orientation 0": orientation_entry(3, 1, b"\0\0\0\0"),
    "orientation 9": orientation_entry(3, 1, b"\x09\0\0\0"),
    "two orientations": orientation_entry(3, 2, b"\x01\0\x06\0"),
    "orientation as a fraction": orientation_entry(5, 1, b"\xff\xff\xff\x7f"),
    "a million entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(2000),
    "in a circle": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
}


def with_exif(kind: str, exif: bytes) -> bytes:
    """A photo with these bytes where EXIF belongs, whatever its encoder thinks of them."""
    if kind == "HEIF":
        described = heif_files.Item(b"Exif", bytes(4) + exif, describes=(1,))
        return heif_files.file({1: heif_files.coded(picture()), 2: described})
    if kind == "AVIF":
        long = Image.Exif()
        long[0x010E] = "x" * 3000
        data = saved("AVIF", exif=long)
        start, end = data.rindex(b"MM\0*"), data.rindex(b"xxx") + 3
        return data[:start] + exif.ljust(end - start, b"\0") + data[end:]
    return saved(kind, exif=exif)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "TIFF"])
@pytest.mark.parametrize("exif", EXIF)
def test_exif_never_costs_a_photo(exif: str, kind: str) -> None:
    assert looks_right(with_exif(kind, EXIF[exif]))


@pytest.mark.parametrize("kind", ["JPEG", "CMYK", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("profile", ["cut at 200", "2 MB", "of other colours"])
def test_photo_with_a_broken_profile_is_still_turned_upright(profile: str, kind: str) -> None:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6
    data = saved(kind, icc_profile=PROFILES[profile], exif=exif)
    assert looks_right(data, picture().transpose(Image.Transpose.ROTATE_270))


def test_sound_profile_is_applied_whatever_the_exif() -> None:
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = swapped.replace(b"sRGB", b"swap").replace(b"s\0R\0G\0B", b"s\0w\0a\0p")
    swapped = swapped.replace(b"rXYZ", b"~~~~").replace(b"bXYZ", b"rXYZ").replace(b"~~~~", b"bXYZ")
    for kind in ("JPEG", "PNG", "WEBP"):
        good, junk = (
            images.decode(images.to_clean_jpeg(saved(kind, icc_profile=swapped, exif=exif)).data)
            for exif in (sound_exif(1), EXIF["junk"])
        )
        assert np.abs(good.astype(int) - np.asarray(picture())).mean() > 20
        assert np.abs(good.astype(int) - junk).mean() < 1


def chunk(name: bytes, data: bytes, *, sound: bool = True) -> bytes:
    check = zlib.crc32(name + data) ^ (not sound)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


BOMB = zlib.compress(bytes(64 * 1024**2), 9)
CHUNKS = {
    "text bomb": chunk(b"zTXt", b"t\0\0" + BOMB),
    "long text bomb": chunk(b"iTXt", b"t\0\1\0\0\0" + BOMB),
    "XMP bomb": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "profile bomb": chunk(b"iCCP", b"p\0\0" + BOMB),
    "a thousand texts": chunk(b"tEXt", b"t\0" + b"x" * 80_000) * 1000,
    "text that is not packed": chunk(b"zTXt", b"t\0\0no zlib data"),
    "text of an unknown method": chunk(b"zTXt", b"t\0\7x"),
    "profile that is not packed": chunk(b"iCCP", b"p\0\0no zlib data"),
    "profile cut within": chunk(b"iCCP", b"p\0\0" + zlib.compress(OTHER)[:-30]),
    "profile without a name": chunk(b"iCCP", b""),
    "wrong check of a text": chunk(b"tEXt", b"t\0x", sound=False),
    "wrong check of a date": chunk(b"tIME", bytes(7), sound=False),
    "wrong check of EXIF": chunk(b"eXIf", sound_exif(1)[6:], sound=False),
    "EXIF that is none": chunk(b"eXIf", b"junk"),
    **{
        f"short {name.decode()}": chunk(name, b"\0")
        for name in (
            b"pHYs",
            b"gAMA",
            b"cHRM",
            b"sRGB",
            b"sBIT",
            b"bKGD",
            b"hIST",
            b"sPLT",
            b"tIME",
        )
    },
    "animation of nothing": chunk(b"acTL", bytes(8)),
    "frame that lies outside": chunk(b"fcTL", b"\xff" * 26),
    "private": chunk(b"prVt", b"\0" * 5000),
}


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("name", CHUNKS)
def test_png_chunk_beside_the_picture_never_costs_a_photo(name: str, place: str) -> None:
    png = saved("PNG")
    where = png.index(b"IDAT") - 4 if place == "before" else png.rindex(b"IEND") - 4
    assert looks_right(png[:where] + CHUNKS[name] + png[where:])


def test_png_is_read_with_its_palette_transparency_profile_and_exif_only() -> None:
    stream = io.BytesIO()
    indexed = picture().quantize(16)
    indexed.save(stream, "PNG", transparency=3, icc_profile=SRGB, exif=sound_exif(6), dpi=(72, 72))
    kept = png_chunks.without_metadata(stream.getvalue())
    names = [b"IHDR", b"iCCP", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"]
    assert [name for name in (*names, b"pHYs") if name in kept] == names


def segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(body) + 2) + body


BODIES = {
    "empty": b"",
    "JFIF": b"JFIF\0",
    "JFIF of another version": b"JFIF\0\x09\x01\x01\0\x01\0\x01\0\0",
    "JFXX": b"JFXX\0\x10",
    "Adobe": b"Adobe",
    "Photoshop": b"Photoshop 3.0\x008BIM\x04\x04\xff",
    "MPF": b"MPF\0II*\0\xff\xff\xff\x7f",
    "MPF of many": b"MPF\0II*\0\x08\0\0\0\x01\0\x01\xb0\x04\0\x01\0\0\0\xff\xff\0\0\0\0\0\0",
    "FPXR": b"FPXR\0\xff",
    "profile without parts": b"ICC_PROFILE\0",
    "last of no profile": b"ICC_PROFILE\0\xff\xff" + OTHER,
    "the same part again": b"ICC_PROFILE\0\1\1" + OTHER,
    "part nought": b"ICC_PROFILE\0\0\0",
    "EXIF": b"Exif\0\0junk",
    "XMP": b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='",
    "text": b"\xff\xd8" * 3000,
}


@pytest.mark.parametrize("kind", ["JPEG", "CMYK"])
@pytest.mark.parametrize("body", BODIES)
def test_application_data_of_a_jpeg_never_costs_a_photo(body: str, kind: str) -> None:
    for options in ({}, {"icc_profile": OTHER}):
        data = saved(kind, **options)
        end = 4 + struct.unpack(">H", data[4:6])[0]
        for code in range(0xE0, 0xF0):
            if (body, code) == ("Adobe", 0xEE) and kind == "CMYK":
                continue  # it says how the colours of the picture are coded
            extra = segment(code, BODIES[body])
            assert looks_right(data[:end] + extra + data[end:]), hex(code)


def in_webp(name: bytes, body: bytes) -> bytes:
    """A WebP with one more chunk behind its picture."""
    data = saved("WEBP", exif=sound_exif(1)) + name + struct.pack("<I", len(body)) + body
    data += b"\0" * (len(body) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@pytest.mark.parametrize("name", [b"EXIF", b"XMP ", b"ICCP", b"prVt"])
def test_webp_chunk_behind_the_picture_never_costs_a_photo(name: bytes) -> None:
    for body in (b"", b"junk", bytes(300_000)):
        assert looks_right(in_webp(name, body))


HEIF_METADATA = {
    "XMP": heif_files.Item(b"mime", b"<x tiff:Orientation='9'", describes=(1,)),
    "private": heif_files.Item(b"prVt", b"junk", describes=(1,)),
    "address": heif_files.Item(b"uri ", b"junk", describes=(1,)),
    "EXIF that points beyond": heif_files.Item(b"Exif", b"\xff" * 8, describes=(1,)),
    "no EXIF": heif_files.Item(b"Exif", b"", describes=(1,)),
}


@pytest.mark.parametrize("name", HEIF_METADATA)
def test_item_of_a_heic_beside_its_picture_never_costs_a_photo(name: str) -> None:
    coded = heif_files.coded(picture())
    assert looks_right(heif_files.file({1: coded, 2: HEIF_METADATA[name]}))


def test_heic_whose_metadata_was_cut_off_is_taken() -> None:
    described = heif_files.Item(b"Exif", bytes(4) + sound_exif(1), describes=(1,))
    data = heif_files.file({1: heif_files.coded(picture()), 2: described})
    # The box with the data ends where the file does.
    place = data.rindex(b"mdat") - 4
    cut = data[:place] + struct.pack(">I", len(data) - 10 - place) + data[place + 4 : -10]
    assert looks_right(cut)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_photo_that_is_cut_is_still_refused(cut: float, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image, stream = Image.fromarray(noise), io.BytesIO()
    save: Callable[..., None] = (image.convert("CMYK") if kind == "CMYK" else image).save
    profile = PROFILES["cut at 200"]
    save(stream, "JPEG" if kind == "CMYK" else kind, icc_profile=profile)
    data = stream.getvalue()
    if kind == "TIFF":  # its directory stands at the end
        data = data[: len(data) // 8]
    with pytest.raises(BadPhoto):
        images.to_clean_jpeg(data[: int(len(data) * cut)])
