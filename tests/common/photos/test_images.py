"""The one decoder: what is broken is refused, what is good keeps its pixels and loses the rest."""

import contextlib
import io
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import heif_files
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

from components.common.photos import file_types, images, jpeg_markers
from components.common.photos.images import BadPhoto

ROOT = Path(__file__).parents[3]
GPS = 0x8825


def picture(width: int = 320, height: int = 240, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth noise: compresses like a photo, and every region differs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def saved(pixels: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def tells_only_pixels(jpeg: bytes) -> bool:
    image = opened(jpeg)
    return not image.getexif() and not {"exif", "icc_profile", "comment", "xmp"} & set(image.info)


def mean_difference(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    assert left.shape == right.shape
    return float(np.abs(left.astype(int) - right.astype(int)).mean())


NOISE = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
GOOD = images.encode(picture())
DENSE = images.encode(NOISE)


@pytest.mark.parametrize(
    ("data", "kind", "extension"),
    [
        (GOOD, "jpeg", "jpg"),
        (saved(picture(), "PNG"), "png", "png"),
        (saved(picture(), "GIF"), "gif", "gif"),
        (b"GIF87a....", "gif", "gif"),
        (saved(picture(), "BMP"), "bmp", "bmp"),
        (saved(picture(), "TIFF"), "tiff", "tif"),
        (saved(picture(), "TIFF", big_endian=True), "tiff", "tif"),
        (saved(picture(), "WEBP"), "webp", "webp"),
        (saved(picture(), "HEIF"), "heif", "heic"),
        (saved(picture(), "AVIF"), "avif", "avif"),
        (heif_files.box(b"ftyp", b"mif1", bytes(4), b"heic", b"miaf"), "heif", "heic"),
        (heif_files.box(b"ftyp", b"mif1", bytes(4), b"miaf", b"avif"), "avif", "avif"),
        (heif_files.box(b"ftyp", b"isom", bytes(4), b"heic", b"avif"), "", "bin"),
        (heif_files.box(b"ftyp", b"qt  "), "", "bin"),
        (b"<!DOCTYPE html><html>", "html", "html"),
        (b"\n  <HTML><head>", "html", "html"),
        (b"<?xml version='1.0'?><Error/>", "html", "html"),
        (b"", "", "bin"),
        (b"RIFF1234WAVEfmt ", "", "bin"),
        (b"not a photo", "", "bin"),
    ],
)
def test_type_is_told_by_content(data: bytes, kind: str, extension: str) -> None:
    assert file_types.sniff(data) == kind
    assert file_types.extension(data) == extension


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def jpeg_header(width: int, height: int) -> bytes:
    """`GOOD` with another size in its header."""
    frame = GOOD.index(b"\xff\xc0")
    return GOOD[: frame + 5] + struct.pack(">HH", height, width) + GOOD[frame + 9 :]


def holed(data: bytes, share: float) -> bytes:
    start = data.index(b"\xff\xda") + int((len(data) - data.index(b"\xff\xda") - 1000) * share)
    return data[:start] + bytes(512) + data[start + 512 :]


BROKEN = {
    "cut at half": (GOOD[: len(GOOD) // 2], "damaged"),
    "end marker cut": (GOOD[:-2], "damaged"),
    "last percent cut": (GOOD[: -(len(GOOD) // 100)], "damaged"),
    "header cut": (GOOD[:100], "damaged"),
    "three bytes": (GOOD[:3], "damaged"),
    "half, end marker appended": (GOOD[: len(GOOD) // 2] + b"\xff\xd9", "damaged"),
    "hole early": (holed(GOOD, 0.05), "damaged"),
    "hole in the middle": (holed(GOOD, 0.5), "damaged"),
    "hole late": (holed(DENSE, 0.95), "damaged"),
    "tail zeroed": (GOOD[: len(GOOD) // 2] + bytes(len(GOOD) - len(GOOD) // 2), "damaged"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>" * 99, "html"),
    "empty": (b"", "unknown_type"),
    "random bytes": (b"\x01" + np.random.default_rng(3).bytes(5000), "unknown_type"),
    "random bytes behind a JPEG's first": (
        b"\xff\xd8\xff" + np.random.default_rng(3).bytes(5000),
        "damaged",
    ),
    "PNG cut at half": (saved(NOISE, "PNG")[:50000], "damaged"),
    "WebP cut at half": (saved(NOISE, "WEBP")[:9000], "damaged"),
    "HEIC cut at half": (saved(NOISE, "HEIF")[:9000], "damaged"),
    "AVIF cut at half": (saved(NOISE, "AVIF")[:9000], "damaged"),
    "tiny": (images.encode(picture(31, 400)), "too_few_pixels"),
    "tiny PNG": (saved(picture(400, 31), "PNG"), "too_few_pixels"),
    "wider than a JPEG can be": (saved(NOISE[:40, [0] * 66000], "PNG"), "too_many_pixels"),
    "JPEG bomb": (jpeg_header(12000, 12000), "too_many_pixels"),
    "PNG bomb": (png_header(12000, 12000), "too_many_pixels"),
    "PNG superbomb": (png_header(30000, 30000), "too_many_pixels"),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_file_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadPhoto) as caught:
        images.to_clean_jpeg(data)
    assert caught.value.reason.removesuffix("_header") == reason
    with pytest.raises(BadPhoto):
        images.decode(data, 64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_flipped_bytes_give_a_sound_photo_or_a_reason(kind: str) -> None:
    """Nothing but BadPhoto ever comes out, and what is kept can be read again."""
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6
    sound = saved(picture(96, 64), kind, **({} if kind in ("GIF", "BMP") else {"exif": exif}))
    generator = np.random.default_rng(5)
    for round_ in range(150):
        data = bytearray(sound)
        # Half of the damage goes into the header, where most of the parsing is.
        end = min(len(data), 400) if round_ % 2 else len(data)
        for position in generator.integers(3, end, size=3):
            data[position] = generator.integers(0, 256)
        for use in (
            images.decode,
            lambda data: images.to_clean_jpeg(images.to_clean_jpeg(data).data),
        ):
            with contextlib.suppress(BadPhoto):
                use(bytes(data))


def test_progressive_jpeg_is_refused_when_its_last_scans_are_missing() -> None:
    data = saved(picture(), "JPEG", progressive=True)
    for share in (0.3, 0.6, 0.95):
        with pytest.raises(BadPhoto, match="damaged"):
            images.to_clean_jpeg(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_bomb_is_refused_without_decoding(tmp_path: Path, kind: str) -> None:
    """In a process with 300 MB left to allocate, where 144 megapixels would not fit."""
    bomb = tmp_path / "bomb"
    bomb.write_bytes(jpeg_header(12000, 12000) if kind == "jpeg" else png_header(12000, 12000))
    script = """
import resource, sys
from pathlib import Path
from components.common.photos import images
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 300_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    images.to_clean_jpeg(Path(sys.argv[1]).read_bytes())
except images.BadPhoto as bad:
    print(bad.reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(bomb)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "too_many_pixels", done.stderr


def test_photo_below_the_pixel_limit_passes_whatever_its_type() -> None:
    wide = np.zeros((9500, 9500), dtype=np.uint8)  # 90 megapixels of the 100 that are allowed
    clean = images.to_clean_jpeg(saved(wide, "PNG", compress_level=1))
    assert (clean.width, clean.height) == (9500, 9500)


def test_baseline_jpeg_keeps_its_compressed_pixels() -> None:
    clean = images.to_clean_jpeg(GOOD)
    assert (clean.width, clean.height) == (320, 240)
    assert np.array_equal(opened(clean.data), opened(GOOD))
    assert np.array_equal(images.decode(GOOD), opened(GOOD))


@pytest.mark.parametrize("junk", [b"\n", b"<html>", b"\xff\xd9\xff\xd8", bytes(3000), DENSE])
def test_trailing_junk_is_cut_off(junk: bytes) -> None:
    assert images.to_clean_jpeg(GOOD + junk).data == images.to_clean_jpeg(GOOD).data


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"quality": 30, "subsampling": "4:4:4"},
        {"restart_marker_blocks": 4},
        {"comment": b"secret place"},
    ],
    ids=str,
)
def test_metadata_goes_and_pixels_stay(options: dict[str, Any]) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    data = saved(picture(), "JPEG", exif=exif, xmp=b"<x:xmpmeta/>", **options)
    assert opened(data).getexif().get_ifd(GPS)
    stripped = jpeg_markers.strip_metadata(data)
    assert tells_only_pixels(stripped)
    assert b"Maker" not in stripped
    assert b"xmpmeta" not in stripped
    assert b"secret" not in stripped
    left, right = (simplejpeg.decode_jpeg(one, "RGB", strict=True) for one in (data, stripped))
    assert np.array_equal(left, right)
    assert images.to_clean_jpeg(data).data == stripped


def test_grey_jpeg_stays_as_it_is_and_decodes_to_three_channels() -> None:
    data = saved(picture()[..., 0], "JPEG")
    clean = images.to_clean_jpeg(data).data
    pixels = images.decode(clean)
    assert pixels.shape == (240, 320, 3)
    assert np.array_equal(pixels[..., 0], np.asarray(opened(data)))
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_cmyk_jpeg_becomes_rgb() -> None:
    data = saved(Image.fromarray(picture()).convert("CMYK"), "JPEG", quality=95)
    clean = images.to_clean_jpeg(data)
    assert opened(clean.data).mode == "RGB"
    assert mean_difference(images.decode(clean.data), np.asarray(opened(data).convert("RGB"))) < 3
    assert mean_difference(images.decode(clean.data), picture()) < 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF", "AVIF"])
def test_other_formats_become_jpeg(kind: str) -> None:
    data = saved(picture(), kind, **({"lossless": True} if kind == "WEBP" else {}))
    clean = images.to_clean_jpeg(data)
    assert file_types.sniff(clean.data) == "jpeg"
    assert (clean.width, clean.height) == (320, 240)
    pixels = images.decode(clean.data)
    assert mean_difference(pixels, np.asarray(opened(data).convert("RGB"))) < 7
    assert np.array_equal(images.decode(data), pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_transparency_is_laid_on_white(kind: str) -> None:
    alpha = np.zeros((240, 320, 1), dtype=np.uint8)
    alpha[:, 160:] = 255
    rgba = np.concatenate([np.full((240, 320, 3), 40, dtype=np.uint8), alpha], axis=2)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = images.decode(images.to_clean_jpeg(saved(rgba, kind, **options)).data)
    assert pixels[:, :140].min() > 250
    assert abs(int(pixels[:, 180:].mean()) - 40) < 3


def test_sixteen_bit_grey_is_scaled_to_eight() -> None:
    deep = np.linspace(0, 65535, 240 * 320).reshape(240, 320).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = images.decode(images.to_clean_jpeg(saved(deep, kind)).data)
        assert mean_difference(pixels[..., 0], (deep // 257).astype(np.uint8)) < 2


def test_palette_with_a_transparent_colour_is_converted() -> None:
    indexed = Image.fromarray(picture()).quantize(16)
    plain = images.decode(images.to_clean_jpeg(saved(indexed, "PNG")).data)
    assert mean_difference(plain, np.asarray(indexed.convert("RGB"))) < 5
    whole = Image.new("P", (64, 64), 3)
    whole.putpalette([10, 20, 30] * 16)
    for transparency in (3, bytes([255, 255, 255, 0])):
        data = saved(whole, "PNG", transparency=transparency)
        assert images.decode(images.to_clean_jpeg(data).data).min() > 250


def test_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        red, _, blue = images.decode(images.to_clean_jpeg(data).data).mean(axis=(0, 1))
        assert red > 240 > 15 > blue


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_baked_in(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = orientation
    data = saved(picture(), kind, exif=exif, quality=95)
    upright = np.asarray(ImageOps.exif_transpose(opened(data)).convert("RGB"))
    clean = images.to_clean_jpeg(data)
    assert (clean.height, clean.width) == upright.shape[:2]
    assert tells_only_pixels(clean.data)
    assert mean_difference(images.decode(clean.data), upright) < 4
    assert mean_difference(images.decode(data), upright) < 4


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_scaled_photo_looks_as_the_stored_one(orientation: int, mode: str) -> None:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = orientation
    large = Image.fromarray(picture(1280, 960)).convert(mode)
    data = saved(large, "JPEG", exif=exif, quality=95)
    assert input_difference(data, images.to_clean_jpeg(data).data) < 1.5


def input_difference(left: bytes, right: bytes) -> float:
    """How far apart two photos are for the network, in steps of 255."""
    pair = (images.model_input(data, 128) for data in (left, right))
    return 127.5 * float(np.abs(np.subtract(*pair)).mean())


def test_colours_of_a_profile_are_those_of_the_stored_photo(shared_photos: Path) -> None:
    photos = [path.read_bytes() for path in shared_photos.glob("mushrooms/*/*.jpg")]
    foreign = [data for data in photos if images.needs_conversion(data)]
    assert len(foreign) > 10
    changed = []
    for data in foreign:
        assert input_difference(data, images.to_clean_jpeg(data).data) < 1.5
        changed.append(input_difference(data, jpeg_markers.strip_metadata(data)))
    assert np.mean(changed) > 2  # the profile does count


def test_orientation_behind_long_segments_is_baked_in() -> None:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6
    data = saved(picture(), "JPEG", exif=exif, quality=95)
    comment = b"\xff\xfe" + struct.pack(">H", 40002) + b"x" * 40000
    late = data[:2] + comment * 2 + data[2:]
    assert opened(late).getexif()[images.EXIF_ORIENTATION] == 6
    clean = images.to_clean_jpeg(late)
    assert (clean.width, clean.height) == (240, 320)


XMP = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation="6"/>'


@pytest.mark.parametrize("where", ["behind fill bytes", "in XMP, with an Exif behind the picture"])
def test_orientation_in_an_unusual_place_is_baked_in(where: str) -> None:
    if where == "behind fill bytes":
        exif = Image.Exif()
        exif[images.EXIF_ORIENTATION] = 6
        data = saved(picture(), "JPEG", exif=exif, quality=95)
        odd = data.replace(b"\xff\xe1", b"\xff\xff\xff\xe1", 1)
    else:
        segment = b"\xff\xe1" + struct.pack(">H", 2 + len(XMP)) + XMP
        odd = GOOD[:2] + segment + GOOD[2:] + b"Exif\0"
    clean = images.to_clean_jpeg(odd)
    assert (clean.width, clean.height) == (240, 320)


def test_threads_leave_the_warning_filters_alone() -> None:
    before, data = list(warnings.filters), saved(picture(), "PNG")
    with warnings.catch_warnings():

        def convert() -> None:
            for _ in range(100):
                images.to_clean_jpeg(data)

        threads = [threading.Thread(target=convert) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = list(warnings.filters)
    assert after == before


@pytest.mark.parametrize("size", [128, 224])
@pytest.mark.parametrize("shape", [(900, 700), (40, 3000), (224, 224), (50, 60)])
def test_model_input_is_a_square_between_minus_one_and_one(
    size: int, shape: tuple[int, int]
) -> None:
    pixels = picture(*shape)
    pixels[: shape[1] // 2] = 0
    pixels[shape[1] // 2 :] = 255
    batch = images.model_input(images.encode(pixels), size)
    assert batch.shape == (size, size, 3)
    assert batch.dtype == np.float32
    assert (batch.min(), batch.max()) == (-1.0, 1.0)


def test_model_input_is_the_resized_picture() -> None:
    expected = cv2.resize(picture(224 * 2, 224 * 2), (128, 128), interpolation=cv2.INTER_AREA)
    got = images.model_input(images.encode(picture(224 * 2, 224 * 2)), 128)
    assert np.abs((got + 1) * 127.5 - expected).mean() < 3


@pytest.mark.parametrize("side", [1, 64, 128, 224, 300])
def test_decoding_never_goes_below_the_side_asked_for(side: int) -> None:
    for width, height in [(300, 301), (511, 513), (1793, 1025), (2400, 333)]:
        pixels = images.decode(images.encode(picture(width, height)), side)
        assert min(pixels.shape[:2]) >= side
        ratios = (height / pixels.shape[0], width / pixels.shape[1])
        factor = max(round(ratio) for ratio in ratios)
        assert factor in (1, 2, 4, 8)
        assert pixels.shape[:2] == (-(-height // factor), -(-width // factor))
        if side <= min(width, height) // 8:
            assert factor == 8


@pytest.mark.parametrize("shape", [(1000, 300), (300, 1000), (3000, 40), (100, 90)])
def test_thumbnail_stays_within_its_side(shape: tuple[int, int]) -> None:
    small = opened(images.thumbnail(images.encode(picture(*shape)), 160))
    assert max(small.size) == min(160, max(shape))
    assert small.width / small.height == pytest.approx(shape[0] / shape[1], rel=0.35)


def test_real_photos_pass_with_their_pixels_unchanged(shared_photos: Path) -> None:
    files = sorted(shared_photos.glob("*/*/*.jpg"))[::9]
    assert len(files) > 20
    for file in files:
        data = file.read_bytes()
        clean = images.to_clean_jpeg(data)
        assert tells_only_pixels(clean.data)
        if not images.needs_conversion(data):
            assert np.array_equal(
                simplejpeg.decode_jpeg(data, "RGB"), simplejpeg.decode_jpeg(clean.data, "RGB")
            )
        with pytest.raises(BadPhoto):
            images.to_clean_jpeg(data[: len(data) * 99 // 100])
