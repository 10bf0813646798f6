"""HEIC and AVIF: turned exactly once, of many pictures the main one, and bounded."""

import io
import sys
import time
from pathlib import Path

import heif_files
import little_memory
import numpy as np
import pytest
from conftest import run_captured
from heif_files import Item, coded, file, grid, imir, irot, ispe, overlay
from PIL import Image, ImageOps

from components.common.photos import images, isobmff
from components.common.photos.images import BadPhoto

TURN = Image.Transpose


def quarters() -> Image.Image:
    """A picture that shows how it was turned: four colours, wider than high."""
    picture = Image.new("RGB", (96, 64), "red")
    picture.paste("blue", (48, 0, 96, 32))
    picture.paste("lime", (0, 32, 48, 64))
    picture.paste("white", (48, 32, 96, 64))
    return picture


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = orientation
    return exif.tobytes()


def saved(kind: str, picture: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, quality=95, **options)
    return stream.getvalue()


def shows(data: bytes, expected: Image.Image) -> bool:
    found = images.decode(images.to_clean_jpeg(data).data).astype(int)
    wanted = np.asarray(expected)
    return found.shape == wanted.shape and bool(np.abs(found - wanted).mean() < 8)


# Rotation is anticlockwise, and comes before mirroring where it stands before it.
PROPERTIES = {
    "none": ((), ()),
    "a quarter": ((irot(1),), (TURN.ROTATE_90,)),
    "half": ((irot(2),), (TURN.ROTATE_180,)),
    "three quarters": ((irot(3),), (TURN.ROTATE_270,)),
    "mirrored": ((imir(1),), (TURN.FLIP_LEFT_RIGHT,)),
    "upside down": ((imir(0),), (TURN.FLIP_TOP_BOTTOM,)),
    "turned and mirrored": ((irot(1), imir(1)), (TURN.ROTATE_90, TURN.FLIP_LEFT_RIGHT)),
}


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
@pytest.mark.parametrize("name", PROPERTIES)
def test_heic_is_turned_by_its_properties_alone(name: str, orientation: int | None) -> None:
    """Telephones say it twice: what turns is the property, and EXIF says so for other programs."""
    properties, turns = PROPERTIES[name]
    expected = quarters()
    for turn in turns:
        expected = expected.transpose(turn)
    items = {1: coded(quarters(), *properties)}
    if orientation:
        items[2] = Item(b"Exif", bytes(4) + exif_of(orientation), describes=(1,))
    assert shows(file(items), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(orientation: int) -> None:
    turned = quarters()
    turned.getexif()[images.EXIF_ORIENTATION] = orientation
    assert shows(
        saved("AVIF", quarters(), exif=exif_of(orientation)), ImageOps.exif_transpose(turned)
    )


def test_main_picture_of_several_is_taken() -> None:
    others = {number: coded(Image.new("RGB", (64, 64), "black")) for number in (1, 2, 4)}
    assert shows(file({**others, 3: coded(quarters())}, primary=3), quarters())
    frames = [Image.new("RGB", (64, 64), "black")] * 2
    data = saved("HEIF", quarters(), save_all=True, append_images=frames, primary_index=0)
    assert shows(data, quarters())


def test_first_frame_of_an_avif_is_taken() -> None:
    frames = [Image.new("RGB", (96, 64), "black")] * 2
    assert shows(saved("AVIF", quarters(), save_all=True, append_images=frames), quarters())


def test_photo_in_tiles_is_put_together() -> None:
    tile = coded(Image.new("RGB", (64, 64), "orange"))
    assert shows(
        file({1: grid(150, 100, 2, 3, 2), 2: tile}), Image.new("RGB", (150, 100), "orange")
    )


def test_ten_bits_and_grey_are_read() -> None:
    grey = quarters().convert("L")
    assert shows(saved("HEIF", grey), grey.convert("RGB"))
    deep = Image.fromarray(np.full((64, 96), 40_000, np.uint16))
    assert shows(saved("HEIF", deep), Image.new("RGB", (96, 64), (156, 156, 156)))


def test_transparent_heic_is_laid_on_white() -> None:
    picture = Image.new("RGBA", (96, 64), (200, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 48, 64))
    pixels = images.decode(images.to_clean_jpeg(saved("HEIF", picture)).data)
    assert pixels[:, :40].min() > 240
    assert abs(int(pixels[:, 60:, 0].mean()) - 200) < 6


@pytest.fixture(scope="module")
def large() -> Item:
    return coded(Image.new("RGB", (2048, 2048), "green"))


def bombs(large: Item) -> dict[str, bytes]:
    """Files of a few KB that would be decoded for minutes, or into gigabytes."""
    nested = {number: Item(b"iden", b"", (ispe(64, 64),), (number + 1,)) for number in range(1, 20)}
    circle = {1: Item(b"iden", b"", (ispe(64, 64),), (2,)), 2: Item(b"iden", b"", (), (1,))}
    return {
        "a header of 900 megapixels": file({1: coded(quarters(), size=(30_000, 30_000))}),
        "a header of 2**64 pixels": file({1: coded(quarters(), size=(2**32 - 1, 2**32 - 1))}),
        "a grid of many tiles, shown small": file({1: grid(320, 240, 16, 16, 2), 2: large}),
        "a grid of 900 megapixels": file({1: grid(30_000, 30_000, 15, 15, 2), 2: large}),
        "the same picture laid over itself": file({1: overlay(320, 240, 2, 900), 2: large}),
        "beside a small main picture": file(
            {1: coded(quarters()), 3: grid(320, 240, 16, 16, 2), 2: large}
        ),
        "a large picture with a small header": file(
            {1: Item(large.kind, large.data, (large.properties[0], ispe(64, 64)))}
        ),
        "pictures of pictures": file({**nested, 20: large}),
        "pictures in a circle": file(circle),
    }


TAKE = """
import sys, time
from components.common.photos import images
for path in sys.argv[1:]:
    started = time.monotonic()
    try:
        images.to_clean_jpeg(open(path, "rb").read())
        print("taken", end=" ")
    except images.BadPhoto as bad:
        print(bad.reason, end=" ")
    print(time.monotonic() - started)
"""


def test_bombs_are_refused_at_once_in_little_memory(tmp_path: Path, large: Item) -> None:
    files = bombs(large)
    for number, data in enumerate(files.values()):
        assert len(data) < 100_000
        (tmp_path / str(number)).write_bytes(data)
    paths = [str(tmp_path / str(number)) for number in range(len(files))]
    done = little_memory.run(TAKE, *paths, megabytes=500)
    assert done.returncode == 0, done.stderr
    found = dict(zip(files, (line.split() for line in done.stdout.splitlines()), strict=True))
    assert {reason for reason, _ in found.values()} <= {"too_many_pixels", "damaged"}, found
    many = [name for name, (reason, _) in found.items() if reason == "too_many_pixels"]
    assert len(many) == 6, found
    assert sorted(files) != many  # the others are caught by the decoder's own limits


def test_reading_the_boxes_of_a_strange_file_ends_soon() -> None:
    head = heif_files.box(b"ftyp", b"heic", bytes(4))
    strange = [
        head,
        head + heif_files.box(b"meta", bytes(4)),
        head + bytes(8) * 100_000,
        head + heif_files.box(b"free") * 100_000,
        head + b"\0\0\0\1meta" + b"\xff" * 8,
        head + heif_files.box(b"meta", bytes(4), heif_files.box(b"free") * 100_000),
        head + heif_files.box(b"meta", bytes(4), heif_files.box(b"iinf")),
    ]
    started = time.monotonic()
    for data in strange:
        with pytest.raises(BadPhoto, match="damaged"):
            images.to_clean_jpeg(data)
    assert time.monotonic() - started < 10


def test_only_metadata_is_hidden() -> None:
    described = Item(b"Exif", bytes(4) + exif_of(6), describes=(1,))
    data = file({1: coded(quarters()), 2: described})
    hidden = isobmff.without_metadata(data)
    assert len(hidden) == len(data)
    assert hidden == data.replace(b"Exif\0", b"skip\0", 1)


def test_heic_and_avif_are_decoded_by_the_thread_that_asks(tmp_path: Path) -> None:
    """A step has as many threads as processors already."""
    script = (
        "import sys\n"
        "from components.common.photos import images\n"
        "for path in sys.argv[1:]: images.to_clean_jpeg(open(path, 'rb').read())\n"
        "import pillow_heif\nfrom PIL import AvifImagePlugin\n"
        "print(pillow_heif.options.DECODE_THREADS, AvifImagePlugin.DEFAULT_MAX_THREADS,\n"
        "      pillow_heif.options.THUMBNAILS, pillow_heif.options.AUX_IMAGES,\n"
        "      pillow_heif.options.DEPTH_IMAGES)\n"
    )
    for kind in ("HEIF", "AVIF"):
        (tmp_path / kind).write_bytes(saved(kind, quarters()))
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    done = run_captured(sys.executable, "-c", script, *names)
    assert done.stdout.split() == ["1", "1", "False", "False", "False"], done.stderr
