"""Photos of tests of `curate`: made up, with features and hashes that follow from their names."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import SURPLUS
from components.common.network import bottlenecks
from components.common.network.backbone import BackboneKey
from components.common.network.bottlenecks import Bottlenecks
from components.curate import facts
from components.curate.curate import Outputs
from components.curate.options import Division

KEY = BackboneKey("mobilenet_1.0_128", 128, "0" * 64)
SMALL = Division(train_per_class=10, demo_per_class=2)


@dataclass(frozen=True)
class Item:
    """One photo of a test; two that are `like` the same thing are near copies."""

    label: str
    name: str
    like: str = ""
    observation: str = ""
    width: int = 640


def items(label: str, count: int) -> list[Item]:
    return [Item(label, f"{label} {number}") for number in range(count)]


def features(item: Item, own: np.random.Generator) -> NDArray[np.float64]:
    """What is the photo's own, and what it has in common with its class (its name's first word)."""
    label = (item.like or item.name).split()[0]
    common = np.random.default_rng(zlib.crc32(label.encode())).normal(size=64)
    found: NDArray[np.float64] = common + own.normal(size=64)
    return found


def picture(own: np.random.Generator) -> NDArray[np.uint8]:
    """The photo's fingerprint."""
    return own.integers(0, 256, 1024, dtype=np.uint8)


def prepare(root: Path, photos: Sequence[Item]) -> tuple[list[Path], Path]:
    """A dataset per class, as `clean` leaves it, and the bottlenecks of all."""
    rows = []
    for label in dict.fromkeys(item.label for item in photos):
        with DatasetWriter(root / "clean" / label) as writer:
            for item in photos:
                if item.label == label:
                    seed = np.random.default_rng(zlib.crc32((item.like or item.name).encode()))
                    photo = Photo(
                        label,
                        source_url=item.name,
                        observation=item.observation,
                        phash="0" * 16,
                        width=item.width,
                        height=480,
                    )
                    stored = writer.add(photo, f"{item.name} {item.width}".encode() * 9)
                    rows.append((stored.sha256, label, features(item, seed), picture(seed)))
    unique = {sha256: (label, vector, pixels) for sha256, label, vector, pixels in rows}
    found = Bottlenecks(
        tuple(unique),
        np.array([vector for _, vector, _ in unique.values()], dtype=np.float32),
        np.zeros((len(unique), 1000), dtype=np.float16),
        np.array([pixels for *_, pixels in unique.values()]),
        KEY,
    )
    bottlenecks.save(found, root / "bottlenecks", [label for label, *_ in unique.values()])
    return sorted((root / "clean").iterdir()), root / "bottlenecks"


def surplus(outputs: Outputs) -> list[Photo]:
    """What is known of the photos that there was no need for: they are copied nowhere."""
    rows = pq.read_table(outputs.facts / facts.ROWS).to_pylist()
    names = ("label", "source_url", "split", "reason", "group")
    return [
        Photo(**{name: row[name] for name in names}) for row in rows if row["reason"] == SURPLUS
    ]


def places(out: Path) -> Outputs:
    names = ("training", "demo", "rejects", "ledger", "facts", "curation.html")
    return Outputs(*(out / name for name in names))
