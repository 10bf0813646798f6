"""Folders of photos that were chosen to be labelled, without a model."""

import hashlib
from pathlib import Path

import numpy as np

from components.common.dataset.class_facts import ClassFacts
from components.common.photos import images
from components.label_image.photos import Reader
from programs.select import selection
from programs.select.pool import Candidate, Pool
from programs.select.selection import Selection

CLASSES = ("daisy", "rose", "tulip")


def jpeg(number: int) -> bytes:
    """A photo of its own for each number."""
    noise = np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)
    return images.encode(noise)


def chosen(folder: Path, photos: Path, count: int = 4, names: tuple[str, ...] = ()) -> Selection:
    """Write a selection of `count` photos, which are written too; the first weighs most.

    Args:
        folder: of the selection.
        photos: folder for the photos.
        count: of them.
        names: of their files; "0.jpg" and so on for those that have none here.
    """
    photos.mkdir(parents=True)
    candidates = []
    for number in range(count):
        path = photos / (names[number] if number < len(names) else f"{number}.jpg")
        path.write_bytes(jpeg(number))
        sure = 0.4 + 0.1 * number / count
        candidates.append(
            Candidate(
                str(path),
                hashlib.sha256(jpeg(number)).hexdigest(),
                len(jpeg(number)),
                np.array([sure, 0.9 - sure, 0.1], np.float32),
                0.5,
                unknown=number == 0,
                vector=np.eye(count, dtype=np.float32)[number],
                fingerprint=np.zeros((32, 32), np.uint8),
            )
        )
    pool = Pool(tuple(candidates), found=count + 3, unusable=1, copies=2, known=0)
    made = selection.choose(pool, count, seed=0)
    with Reader(photos) as reader:
        return selection.write(folder, pool, made, CLASSES, ClassFacts(), reader)
