"""Distorted copies of the training photos: flipped, cropped, scaled, brighter and darker.

retrain.py distorted every photo of every batch and ran the whole network on it, "many hours". Here
a few distorted copies of each photo go through the network once, in batches, and are cached.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import Backbone
from components.common.photos import images
from components.retrain.options import Distortions

VERSION = 1  # part of the cache's key: change it when a distortion makes something else


@dataclass(frozen=True)
class Distortion:
    """What is done to one photo.

    Attributes:
        side: pixels of the square at which the photo is drawn.
        top, left: corner of the square that is cut out of it.
        mirrored: left and right are exchanged.
        brightness: that the pixels are multiplied by.
    """

    side: int
    top: int
    left: int
    mirrored: bool
    brightness: np.float32


def draw(size: int, distortions: Distortions, generator: np.random.Generator) -> Distortion:
    """Draw a distortion as retrain.py's add_input_distortions does.

    The photo is drawn at size x (1 + crop / 100) x U(1, 1 + scale / 100), a random square of `size`
    pixels is cut out, mirrored or not, and multiplied by U(1 - brightness / 100, 1 + the same).
    """
    scale = generator.uniform(1, 1 + distortions.random_scale / 100)
    side = round(size * (1 + distortions.random_crop / 100) * scale)
    top, left = generator.integers(side - size + 1, size=2).tolist()
    mirrored = generator.random() < 0.5
    most = distortions.random_brightness / 100
    brightness = np.float32(generator.uniform(1 - most, 1 + most))
    return Distortion(side, top, left, distortions.flip_left_right and mirrored, brightness)


def distorted_input(data: bytes, size: int, distortion: Distortion) -> NDArray[np.float32]:
    """A photo as the network takes it, distorted.

    Returns:
        float32 array of shape (size, size, 3), RGB; -1 to 1, a little more where it is brightened.
    """
    side = distortion.side
    drawn = cv2.resize(images.decode(data, size), (side, side), interpolation=cv2.INTER_LINEAR)
    rows = slice(distortion.top, distortion.top + size)
    columns = slice(distortion.left, distortion.left + size)
    cut = drawn[rows, columns].astype(np.float32)
    if distortion.mirrored:
        cut = cut[:, ::-1]
    distorted: NDArray[np.float32] = cut * distortion.brightness / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(distorted)


def distorted_bottlenecks(
    backbone: Backbone,
    dataset: Dataset,
    photos: Sequence[Photo],
    distortions: Distortions,
    kept_in: Path,
    seed: int,
) -> list[NDArray[np.float32]]:
    """Bottlenecks of distorted copies.

    Args:
        backbone: the network.
        dataset: where the photos are.
        photos: those to distort, N of them.
        distortions: how, and how many copies.
        kept_in: folder where vectors are kept: by photo, options, seed and number of the copy.
        seed: same seed and photo, same copies.

    Returns:
        for each copy, float32 of shape (N, D).
    """
    copies = []
    for number in range(distortions.distorted_copies):
        kind = {**dataclasses.asdict(distortions), "copy": number, "seed": seed, "v": VERSION}
        del kind["distorted_copies"]  # the first copies are the same however many there are
        variant = hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
        prepare = functools.partial(_prepare, distortions=distortions, variant=variant)
        computed = bottlenecks.compute(
            backbone,
            ((photo, dataset.read(photo)) for photo in photos),
            kept_in,
            prepare=prepare,
            variant=variant,
            what=f"bottlenecks of distorted copies {number + 1}/{distortions.distorted_copies}",
        )
        copies.append(computed.vectors[computed.rows(photos)])
    return copies


def _prepare(
    photo: Photo, data: bytes, size: int, *, distortions: Distortions, variant: str
) -> NDArray[np.float32]:
    digest = hashlib.sha256(f"{variant} {photo.sha256}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    return distorted_input(data, size, draw(size, distortions, generator))
