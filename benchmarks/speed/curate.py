"""Row `curate`: selecting among 100,000 photos by their fingerprints and vectors.

Groups of near copies, what shows no mushroom, the division, what looks like another class: all that
the step decides, without reading and writing photos. The vectors are made up with the mean, the
spread and the sparsity of real ones; every tenth photo is a copy of the one before it.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.frame import OURS, Check, Row, Way, timed
from benchmarks.speed.materials import Bench
from components.common.dataset import copies
from components.common.dataset.decisions import Decisions
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import BackboneKey
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import perceptual_hash
from components.common.photos.fingerprint import SIDE
from components.curate.options import Division
from components.curate.selection import select
from components.curate.suspects import FUNGI

SIZES = (10_000, 20_000, 50_000, 100_000)
ALL_PAIRS_UP_TO = 20_000
BLOCK_ROWS = 1024
CLASSES = 5
MOST_S = 60.0
MOST_EXPONENT = 1.3  # 1 is linear, 2 all pairs


def planted(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], set[tuple[int, int]]]:
    """Fingerprints of which every tenth has a copy right after it, and the pairs that these make.

    Each is smooth, as photos are; every second copy is turned, mirrored or both.
    """
    draw = np.random.default_rng(seed)
    made = np.empty((count, SIDE, SIDE), np.uint8)
    for row in range(count):
        coarse = draw.integers(0, 256, (8, 8), dtype=np.uint8)
        made[row] = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    pairs = set()
    for row in range(0, count - 1, 10):
        altered = made[row] + draw.normal(0, 8, (SIDE, SIDE))
        if row % 20:
            altered = np.rot90(altered[:, :: draw.choice((1, -1))], int(draw.integers(4)))
        made[row + 1] = np.clip(altered, 0, 255)
        pairs.add((row, row + 1))
    return made, pairs


def real_vectors(bench: Bench) -> NDArray[np.float32]:
    """Bottlenecks of the folder's photos."""
    photos = ((Photo(label, sha256=str(file)), file.read_bytes()) for label, file in bench.files)
    return bottlenecks.compute(bench.network, photos).vectors


class MadeUp:
    """Draws vectors that are spread as real ones are.

    A point of the real photos' principal components, and of the photo nearest to none of them what
    the components leave out.

    Args:
        real: float32 (M, D).
    """

    def __init__(self, real: NDArray[np.float32]) -> None:
        self._mean = real.mean(axis=0)
        centred = real - self._mean
        _, scales, axes = np.linalg.svd(centred, full_matrices=False)
        kept = max(1, len(scales) // 2)
        self._axes = axes[:kept] * (scales[:kept, None] / math.sqrt(len(real)))
        rest = centred - centred @ axes[:kept].T @ axes[:kept]
        self._rest = rest.std(axis=0)

    def draw(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        """`count` vectors, every tenth followed by one of its copy."""
        draw = np.random.default_rng(seed)
        found = np.empty((count, len(self._mean)), np.float32)
        for start in range(0, count, 4096):
            some = len(found[start : start + 4096])
            points = draw.standard_normal((some, len(self._axes)), np.float32)
            noise = draw.standard_normal((some, len(self._mean)), np.float32) * self._rest
            found[start : start + some] = self._mean + points @ self._axes + noise
        np.maximum(found, 0, out=found)
        tenth = np.arange(0, count - 1, 10)
        found[tenth + 1] = found[tenth] * draw.uniform(0.97, 1.03, (len(tenth), 1))
        return found


def collection(made: MadeUp, count: int, key: BackboneKey) -> tuple[list[Photo], Bottlenecks]:
    """Photos, and their bottlenecks; most of them show a mushroom."""
    fingerprints, _ = planted(count)
    draw = np.random.default_rng(1)
    scores = np.zeros((count, 1000), np.float16)
    scores[:, FUNGI[0]] = np.where(draw.random(count) < 0.95, 0.9, 0.01)
    photos = [
        Photo(
            f"class {row % 10 % CLASSES}" if row % 10 != 1 else "class 0",
            path=f"{row}.jpg",
            sha256=f"{row:064x}",
            source_sha256=f"{row:064x}",
            width=500,
            height=375 + row % 7,
            phash="0" * 16,
        )
        for row in range(count)
    ]
    names = tuple(photo.sha256 for photo in photos)
    return photos, Bottlenecks(
        names, made.draw(count), scores, fingerprints.reshape(count, -1), key
    )


def all_pairs(fingerprints: NDArray[np.uint8]) -> int:
    """Copies by comparing the hashes of all pairs in all eight ways to turn one."""
    rows, hashes = perceptual_hash.upright_hashes(fingerprints)
    found = 0
    for start in range(0, len(hashes), BLOCK_ROWS):
        bits = np.bitwise_count(hashes[start : start + BLOCK_ROWS, None] ^ hashes)
        left, right = np.nonzero(bits <= copies.MOST_BITS)
        found += int((rows[start + left] < rows[right]).sum())
    return found


def selection(bench: Bench, made: MadeUp, count: int) -> float:
    """Seconds of the selection among so many photos."""
    photos, vectors = collection(made, count, bench.network.key)
    return timed(lambda: select(photos, vectors, Division(), {}, Decisions()))


def measure(bench: Bench) -> Iterator[Row]:
    """Near copies beside all pairs, then the whole selection for more and more photos."""
    turns = bench.turns()
    made = MadeUp(real_vectors(bench))
    count = bench.count(ALL_PAIRS_UP_TO, 100)
    fingerprints, pairs = planted(count)
    vectors = made.draw(count)
    found: list[tuple[int, int]] = []

    def ours() -> None:
        found[:] = copies.near_copies(fingerprints, vectors)

    ways = [
        Way("ours: by hash, features and pixels", lambda: timed(ours), OURS),
        Way(
            "the hashes of all pairs, alone",
            lambda: timed(lambda: all_pairs(fingerprints)),
            rounds=2,
        ),
    ]
    series = turns.measure(ways)
    recall = len(pairs & set(found)) / len(pairs)
    yield Row(
        f"curate · near copies among {count:,} photos",
        count,
        "photos/s",
        series,
        checks=(Check("planted copies found", recall, 1.0, at_least=True),),
        load=turns.load(),
    )
    turns = bench.turns()
    sizes = [bench.count(size, 100) for size in SIZES]
    points = [(size, selection(bench, made, size)) for size in sizes]
    (least, first), (most, last) = points[0], points[-1]
    exponent = math.log(last / first) / math.log(most / least)
    yield Row(
        f"curate · the whole selection among {most:,} photos",
        checks=(
            Check("seconds", last, MOST_S, "s"),
            Check(f"exponent of growth from {least:,} photos on", exponent, MOST_EXPONENT),
        ),
        notes=(", ".join(f"{number:,} photos {seconds:.1f} s" for number, seconds in points),),
        load=turns.load(),
    )


def main() -> None:
    """`python -m benchmarks.speed.curate FOLDER PHOTOS`: the seconds, for `growth`."""
    with Bench(Path(sys.argv[1])) as bench:
        print("\n" + json.dumps(selection(bench, MadeUp(real_vectors(bench)), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
