"""Faults planted in real photos, with a fixed seed: what `benchmarks.cleaning` looks for."""

import io
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from components.common.photos import images

BROKEN = (
    "end marker cut",
    "last 1 % cut",
    "half cut",
    "progressive, half cut",
    "tail zeroed",
    "cut in the header",
    "half cut, end marker added",
    "512-byte hole",
    "200 bytes dropped",
    "10 bits flipped",
    "HTML",
    "empty",
    "random bytes",
    "12,000 x 12,000 bomb",
)
SOUND = ("baseline", "progressive", "grey", "CMYK", "trailing junk", "PNG named .jpg")
COPIES = ("resized", "recompressed", "cropped", "mirrored", "brightened", "darkened")
LIGHT = ("dark", "bright", "blurred", "blank")


def with_pillow(jpeg: bytes, mode: str = "RGB", kind: str = "JPEG", **options: object) -> bytes:
    """The photo, encoded again by Pillow."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def broken(jpeg: bytes, kind: str, draw: np.random.Generator) -> bytes:
    """The photo's file, damaged in one of the ways of `BROKEN`."""
    half, size = len(jpeg) // 2, len(jpeg)
    place = int(draw.integers(size // 4, size * 3 // 4))
    if kind == "progressive, half cut":
        progressive = with_pillow(jpeg, progressive=True)
        return progressive[: len(progressive) // 2]
    if kind == "10 bits flipped":
        data = bytearray(jpeg)
        for where in draw.integers(size // 4, size - 2, 10):
            data[where] ^= 1 << int(draw.integers(0, 8))
        return bytes(data)
    made = {
        "end marker cut": jpeg[:-2],
        "last 1 % cut": jpeg[: size - size // 100 - 2],
        "half cut": jpeg[:half],
        "tail zeroed": jpeg[:half] + bytes(size - half),
        "cut in the header": jpeg[:300],
        "half cut, end marker added": jpeg[:half] + b"\xff\xd9",
        "512-byte hole": jpeg[:place] + bytes(512) + jpeg[place + 512 :],
        "200 bytes dropped": jpeg[:place] + jpeg[place + 200 :],
        "HTML": b"<!DOCTYPE html><html><body>404 not found</body></html>" * 500,
        "empty": b"",
        "random bytes": draw.bytes(30_000),
    }
    return made[kind] if kind in made else bomb()


def bomb() -> bytes:
    """A grey JPEG of 144 megapixels in 2 MB."""
    buffer = io.BytesIO()
    Image.new("L", (12_000, 12_000), 128).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def sound(jpeg: bytes, kind: str) -> bytes:
    """The photo's file in one of the ways of `SOUND`: unusual, but nothing is wrong with it."""
    if kind == "progressive":
        return with_pillow(jpeg, progressive=True)
    if kind == "grey":
        return with_pillow(jpeg, "L")
    if kind == "CMYK":
        return with_pillow(jpeg, "CMYK", quality=90)
    if kind == "PNG named .jpg":
        return with_pillow(jpeg, kind="PNG")
    return jpeg + b"\0junk" * 20 if kind == "trailing junk" else with_pillow(jpeg)


def copy(jpeg: bytes, kind: str) -> bytes:
    """The same photo as it comes back from other places, in one of the ways of `COPIES`."""
    pixels = images.decode(jpeg)
    height, width = pixels.shape[:2]
    if kind == "recompressed":
        return images.encode(pixels, 30)
    if kind == "resized":
        size = width // 2, height // 2
        return images.encode(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    if kind == "cropped":  # by 5 % at each side
        edge = slice(height // 20, -height // 20), slice(width // 20, -width // 20)
        return images.encode(np.ascontiguousarray(pixels[edge]))
    if kind == "mirrored":
        return images.encode(np.ascontiguousarray(pixels[:, ::-1]))
    factor = 1.3 if kind == "brightened" else 0.7
    return images.encode(np.clip(pixels * factor, 0, 255).astype(np.uint8))


def badly_lit(jpeg: bytes, kind: str, draw: np.random.Generator) -> bytes:
    """The photo dark, bright, blurred by 2 % of its longer side, or nothing but noise."""
    pixels = images.decode(jpeg)
    light = pixels.astype(np.float64)
    made: NDArray[np.float64]
    if kind == "dark":
        made = light * 0.25
    elif kind == "bright":
        made = 255 - (255 - light) * 0.2
    elif kind == "blurred":
        made = cv2.GaussianBlur(light, (0, 0), max(pixels.shape) / 50)  # type: ignore[assignment]
    else:
        made = draw.normal(draw.integers(20, 235), 2, pixels.shape)
    return images.encode(np.clip(made, 0, 255).astype(np.uint8))


def placeholders(real: bytes) -> Iterator[bytes]:
    """Notices in place of photos: the one of Flickr as served, others, and other bytes of it."""
    yield real
    yield real + b"\n"
    yield with_pillow(real, quality=95)
    for side, tone, words in ((500, 221, "not available"), (640, 255, "404"), (320, 40, "removed")):
        notice = Image.new("RGB", (side, side * 3 // 4), (tone, tone, tone))
        ImageDraw.Draw(notice).text((side // 3, side // 3), words, fill=(120, 120, 120))
        buffer = io.BytesIO()
        notice.save(buffer, "JPEG", quality=95)
        yield buffer.getvalue()
