"""Files for TensorBoard's embedding projector: bottlenecks, their classes, and a thumbnail each."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.base.files import naming_full_disk
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.photos import images

MOST_PHOTOS = 1000  # a sprite has at most 8192 x 8192 pixels, and a browser its patience
SIDE = 64  # pixels of a thumbnail
CONFIG = "projector_config.pbtxt"  # the name that the plugin looks for
VECTORS, METADATA, SPRITE = "bottlenecks.bytes", "bottlenecks.tsv", "thumbnails.png"


def write(
    directory: Path, dataset: Dataset, photos: Sequence[Photo], vectors: NDArray[np.float32]
) -> None:
    """Write the projector's files into a log directory.

    Args:
        directory: of a run's logs.
        dataset: where the photos are.
        photos: to show, N of them; of more than `MOST_PHOTOS`, evenly chosen ones.
        vectors: float32, shape (N, D), their bottlenecks.
    """
    if len(photos) > MOST_PHOTOS:
        rows = np.linspace(0, len(photos) - 1, MOST_PHOTOS).astype(int)
        photos, vectors = [photos[row] for row in rows], vectors[rows]
    with naming_full_disk("the TensorBoard logs", directory):
        (directory / VECTORS).write_bytes(np.ascontiguousarray(vectors, "<f4").tobytes())
        lines = ["class\tpart\tphoto", *(_line(photo) for photo in photos)]
        (directory / METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")
        (directory / SPRITE).write_bytes(_sprite(dataset, photos))
        (directory / CONFIG).write_text(
            "embeddings {\n"
            '  tensor_name: "bottlenecks"\n'
            f'  tensor_path: "{VECTORS}"\n'
            f"  tensor_shape: {len(photos)}\n"
            f"  tensor_shape: {vectors.shape[1]}\n"
            f'  metadata_path: "{METADATA}"\n'
            f'  sprite {{ image_path: "{SPRITE}" '
            f"single_image_dim: {SIDE} single_image_dim: {SIDE} }}\n"
            "}\n"
        )


def _line(photo: Photo) -> str:
    return "\t".join(" ".join(text.split()) for text in (photo.label, photo.split, photo.path))


def _sprite(dataset: Dataset, photos: Sequence[Photo]) -> bytes:
    """A PNG with the thumbnails row by row, as many in a row as there are rows."""
    across = math.ceil(math.sqrt(len(photos)))
    sheet = np.zeros((across * SIDE, across * SIDE, 3), np.uint8)
    for number, photo in enumerate(photos):
        pixels = images.decode(dataset.read(photo), SIDE)
        small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        top, left = (SIDE * place for place in divmod(number, across))
        sheet[top : top + SIDE, left : left + SIDE] = small
    done, encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    assert done
    return bytes(encoded)
