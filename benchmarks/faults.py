"""Faults planted in real photos, with a fixed seed: what `benchmarks.cleaning` looks for."""

import io
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

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
COPIES = (
    "resized",
    "recompressed",
    "brightened",
    "darkened",
    "grey",
    "mirrored",
    "turned by 90",
    "turned by 180",
    "turned by 270",
    "mirrored and turned",
    "framed in white",
    "framed in black",
    "square with white",
    "square with black",
    "watermarked",
    "tilted and cut",
    "cut by 5 %",
    "cut by 15 %",
    "cut to a corner",
    "cut to a square",
)
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
    if kind == "recompressed":
        return images.encode(images.decode(jpeg), 30)
    with Image.open(io.BytesIO(jpeg)) as image:
        altered = _altered(image.convert("RGB"), kind)
    return images.encode(np.asarray(altered.convert("RGB")))


def _altered(image: Image.Image, kind: str) -> Image.Image:
    across, down = image.size
    made: dict[str, Callable[[], Image.Image]] = {
        "resized": lambda: image.resize((across // 2, down // 2), Image.Resampling.BOX),
        "brightened": lambda: ImageEnhance.Brightness(image).enhance(1.3),
        "darkened": lambda: ImageEnhance.Brightness(image).enhance(0.7),
        "grey": lambda: image.convert("L"),
        "mirrored": lambda: ImageOps.mirror(image),
        "turned by 90": lambda: image.transpose(Image.Transpose.ROTATE_90),
        "turned by 180": lambda: image.transpose(Image.Transpose.ROTATE_180),
        "turned by 270": lambda: image.transpose(Image.Transpose.ROTATE_270),
        "mirrored and turned": lambda: image.transpose(Image.Transpose.TRANSPOSE),
        "framed in white": lambda: ImageOps.expand(image, max(image.size) * 6 // 100, "white"),
        "framed in black": lambda: ImageOps.expand(image, max(image.size) * 6 // 100, "black"),
        "square with white": lambda: ImageOps.pad(image, (max(image.size),) * 2, color="white"),
        "square with black": lambda: ImageOps.pad(image, (max(image.size),) * 2, color="black"),
        "watermarked": lambda: _watermarked(image),
        "tilted and cut": lambda: _cut(image.rotate(5, Image.Resampling.BICUBIC), 0.09),
        "cut by 5 %": lambda: _cut(image, 0.05),
        "cut by 15 %": lambda: _cut(image, 0.15),
        "cut to a corner": lambda: image.crop((across // 4, 0, across, down * 3 // 4)),
        "cut to a square": lambda: ImageOps.fit(image, (min(image.size),) * 2),
    }
    return made[kind]()


def _cut(image: Image.Image, share: float) -> Image.Image:
    """Without a share of the width and height at each side."""
    across, down = int(image.width * share), int(image.height * share)
    return image.crop((across, down, image.width - across, image.height - down))


def _watermarked(image: Image.Image) -> Image.Image:
    """With a line of letters across it, a tenth of its width high."""
    marked = image.copy()
    place = image.width // 20, image.height * 45 // 100
    size = image.width // 10
    ImageDraw.Draw(marked).text(place, "(c) Some Body 2019", "white", font_size=size)
    return marked


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
