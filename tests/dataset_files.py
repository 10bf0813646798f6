"""Small datasets for tests, and changes of their files as only a hand makes them."""

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.photo import Photo


def content(number: int, size: int = 700) -> bytes:
    return random.Random(number).randbytes(size)


def write(path: Path, labels: tuple[str, ...] = ("daisy", "roses"), each: int = 3) -> list[Photo]:
    with DatasetWriter(path) as writer:
        return [
            writer.add(Photo(label=label), f"{label} {number} ".encode() * (50 + number))
            for label in labels
            for number in range(each)
        ]


def rewrite_tar(shard: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    with tarfile.open(shard) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    change(members)
    with tarfile.open(shard, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))


def flip_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
