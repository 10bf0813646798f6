"""Pictures of five mushroom species: deterministic, photograph-like, and some with planted faults.

They stand in when a person has no photos yet and serve as test data. They are drawings: nothing may
call them real photos. The bytes depend on label, index and seed alone, for a given version of
numpy, OpenCV and simplejpeg. The scenery is drawn by scenery.py, the species by specimens.py.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

import cv2
import numpy as np
import simplejpeg

from components.download.sample.scenery import (
    Array,
    Scene,
    develop,
    draw_background,
    draw_foreground,
)
from components.download.sample.specimens import SPECIMENS, draw_specimens, draw_table

LABELS = tuple(SPECIMENS)
FAULTS = (
    "truncated",
    "png_named_jpg",
    "placeholder",
    "exact_duplicate",
    "near_duplicate",
    "other_class",
    "no_mushroom",
)
MIN_SIZE_BYTES = 22_000


@dataclass(frozen=True)
class RenderedPhoto:
    """One picture: its file name, what draws and encodes it, and the planted fault, if any."""

    name: str
    render: Callable[[], bytes]
    fault: str | None

    @cached_property
    def data(self) -> bytes:
        """Its bytes."""
        return self.render()


def render_class(label: str, count: int, *, seed: int = 0) -> Iterator[RenderedPhoto]:
    """Render `count` good pictures of `label`, then one photo for each of FAULTS, lazily.

    Args:
        label: one of LABELS.
        count: number of good pictures, at least 1. Picture i is the same for every count.
        seed: any integer; another seed gives other pictures.
    """
    slug = label.replace(" ", "-")
    return chain(
        (
            RenderedPhoto(f"{slug}-{number:03d}.jpg", partial(_good, label, number, seed), None)
            for number in range(count)
        ),
        (
            RenderedPhoto(
                f"{slug}-{fault.replace('_', '-')}.jpg",
                partial(_faulty, label, fault, count, seed),
                fault,
            )
            for fault in FAULTS
        ),
    )


def _faulty(label: str, fault: str, count: int, seed: int) -> bytes:
    """Return the bytes of the photo with the planted `fault`."""
    if fault == "truncated":
        data = _jpeg(_picture(label, fault, seed), smallest=36_000)
        return data[: len(data) * 6 // 10]
    if fault == "placeholder":
        return _png(_placeholder())
    if fault == "exact_duplicate":
        return _good(label, 0, seed)
    if fault == "near_duplicate":
        pixels = simplejpeg.decode_jpeg(_good(label, 1 % count, seed))
        return _jpeg(cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), 80)
    if fault == "other_class":
        return _good(LABELS[(LABELS.index(label) + 1) % len(LABELS)], 2 % count, seed)
    pixels = _picture(label, fault, seed)
    return _png(pixels) if fault == "png_named_jpg" else _jpeg(pixels)


def _good(label: str, key: int | str, seed: int) -> bytes:
    return _jpeg(_picture(label, key, seed))


def _jpeg(pixels: Array, quality: int = 90, smallest: int = MIN_SIZE_BYTES) -> bytes:
    """Encode (height, width, 3) uint8 RGB; raise the quality until `smallest` bytes are reached."""
    for attempt in (quality, 90, 95, 98, 100):
        data = simplejpeg.encode_jpeg(pixels, quality=attempt, colorsubsampling="420")
        if len(data) >= smallest:
            break
    return bytes(data)


def _png(pixels: Array) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def _placeholder() -> Array:
    """Draw a lookalike of the notice that Flickr serves for a removed photo, (374, 500, 3)."""
    pixels = np.full((374, 500, 3), 238, np.uint8)
    font, grey = cv2.FONT_HERSHEY_SIMPLEX, (205, 205, 205)
    for row, words in ((178, "This photo is"), (212, "no longer available")):
        left = 250 - cv2.getTextSize(words, font, 0.8, 1)[0][0] // 2
        cv2.putText(pixels, words, (left, row), font, 0.8, grey, 1, cv2.LINE_AA)
    return pixels


def _picture(label: str, key: int | str, seed: int) -> Array:
    """Render one picture, uint8 RGB, (375, 500, 3) or, for about a third, (500, 375, 3)."""
    digest = hashlib.sha256(f"{label}\0{key}\0{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "little"))
    shape = (400, 300, 3) if rng.random() < 1 / 3 else (300, 400, 3)  # enlarged when developed
    azimuth = rng.uniform(-np.pi, 0)
    sun = np.array([np.cos(azimuth), 0.7 * np.sin(azimuth) - 0.35, rng.uniform(0.1, 0.9)])
    strengths = rng.uniform(0.15, 0.85), rng.uniform(0.45, 0.7)
    pitch, image = rng.uniform(0.12, 0.95), np.zeros(shape, np.float32)
    scene = Scene(image, rng, pitch, (sun / np.linalg.norm(sun)).astype(np.float32), *strengths)
    if key == "no_mushroom":
        draw_table(scene)
    else:
        draw_background(scene)
        draw_specimens(scene, label)
        draw_foreground(scene)
    return develop(scene)
