"""Photos that are made up, as `curate` sees them: bottlenecks, rows of the manifest, and copies.

Each feature has the values of real photos, and features go together as they do there (a Gaussian
copula), so that cosines of two photos are spread as real ones: nine tenths of 340 real photos have
0.32 to 0.61, of made-up ones 0.34 to 0.57. Photos of a class, and more so those of an observation,
are nearer to one another. A copy differs from its original by what a copy of a real photo differs
by, a little enlarged. Its fingerprint is turned, cut or tilted. Real photos and their real copies
are among them too.
"""

import dataclasses
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import faults
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import Backbone
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images
from components.common.photos.fingerprint import SIDE
from components.curate.suspects import FUNGI

KINDS = {
    "resized": "resized",
    "turned": "turned by 90",
    "cut": "cut by 15 %",
    "tilted": "tilted and cut",
}
REAL = tuple(f"real, {name}" for name in KINDS.values())
ORIGINAL = "original"
COPIES = 0.1  # share of the photos
ELSEWHERE = 0.02  # share of the copies that are in another class than their original
PER_CLASS, LEAST_CLASSES = 1_000, 5
OBSERVED, TOGETHER = 10, 3  # of so many photos in a row so many are of one observation
CLASS_SHARE, OBSERVATION_SHARE = 0.3, 0.3  # of the variance that is that of the class, and so on
# What is below 0 is cut off, and makes copies more alike than real ones are; so much undoes that.
ENLARGED = 1.3
WRONG = 0.01  # share of the photos that look like another class
NO_FUNGUS, OF_FIRST_CLASS = 0.02, 0.4  # shares of photos without a fungus; the first class has more
GRID, REACH = 64, 4  # steps of a standard deviation, and how many deviations
LAYERS = ((2, 40), (4, 40), (8, 30), (16, 25))  # cells of a side, and contrast in grey levels
PLAN = "plan.npz"
PART = 50_000  # photos of a part of the bottlenecks
BLOCK = 4_096  # photos drawn at once


@dataclass(frozen=True)
class Plan:
    """What each of N photos is.

    Attributes:
        kinds: of copy, or `ORIGINAL`.
        roots: int (N,), the row of its original; its own for an original.
        labels: its class.
        observations: its observation, "" for none.
        real: how many are real photos and their copies, the first ones; then come made-up photos,
            and at the end their copies.
    """

    kinds: NDArray[np.str_]
    roots: NDArray[np.int64]
    labels: NDArray[np.str_]
    observations: NDArray[np.str_]
    real: int

    @classmethod
    def of(cls, count: int, real: "Real") -> "Plan":
        """For so many photos; the real ones are among them where they are a tenth at most."""
        draw = np.random.default_rng(count)
        own = len(real.labels) * (1 + len(KINDS))
        first = own if own <= count / 10 else 0
        copied = round(COPIES * (count - first))
        made = np.arange(first, count - copied)
        roots = np.concatenate(
            [np.arange(first) % len(real.labels), made, draw.choice(made, copied)]
        )
        kinds = np.repeat([ORIGINAL, *REAL], len(real.labels))[:first].tolist()
        kinds += [ORIGINAL] * len(made)
        kinds += [list(KINDS)[number % len(KINDS)] for number in range(copied)]
        # Class by class, as a dataset has its photos.
        classes = max(LEAST_CLASSES, count // PER_CLASS)
        number = np.zeros(count, np.int64)
        number[made] = np.arange(len(made)) * classes // len(made)
        number = number[roots]
        number[count - copied :] += draw.random(copied) < ELSEWHERE
        labels = np.array([f"class {name % classes:04d}" for name in number.tolist()], "U32")
        labels[:first] = np.array(real.labels)[roots[:first]]
        observations = np.full(count, "", "U8")
        together = made[made % OBSERVED < TOGETHER]
        observations[together] = together // OBSERVED
        return cls(np.array(kinds), roots, labels, observations, first)

    def save(self, folder: Path) -> None:
        """For another process."""
        np.savez(folder / PLAN, **dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> "Plan":
        """What was saved."""
        with np.load(folder / PLAN) as found:
            return cls(**{name: found[name] for name in cls.__dataclass_fields__})

    @property
    def is_copy(self) -> NDArray[np.bool_]:
        """Of each photo: bool (N,)."""
        is_copy: NDArray[np.bool_] = self.kinds != ORIGINAL
        return is_copy

    def photos(self) -> list[Photo]:
        """Rows of the manifest, with texts as long as those of real ones."""
        site = "https://inaturalist-open-data.s3.amazonaws.com/photos"
        columns = zip(self.labels.tolist(), self.observations.tolist(), strict=True)
        return [
            Photo(
                label,
                path=f"{label}/{(name := sha256_of(row))[:16]}.jpg",
                shard=f"shard-{row // 1000:06d}.tar",
                offset=row % 1000 * 60_000,
                size=58_000 + row % 997,
                sha256=name,
                source_sha256=sha256_of(row, "as fetched"),
                width=500,
                height=375 + row % 7,
                phash=name[-16:],
                source="inaturalist",
                source_url=f"{site}/{row + 10**8}/medium.jpeg",
                source_page=f"https://www.inaturalist.org/observations/{row + 10**8}",
                author=f"observer {row % 9973}",
                licence="CC-BY-NC-4.0",
                observation=observation,
            )
            for row, (label, observation) in enumerate(columns)
        ]


def sha256_of(row: int, what: str = "") -> str:
    """A made-up SHA-256 of a photo."""
    return hashlib.sha256(f"{row} {what}".encode()).hexdigest()


@dataclass(frozen=True)
class Real:
    """Real photos and copies of them in the ways of `KINDS`, as the network sees them.

    Attributes:
        labels: of M photos.
        found: of the photos, then of the copies of each kind.
    """

    labels: Sequence[str]
    found: Bottlenecks

    @classmethod
    def of(cls, network: Backbone, files: Sequence[tuple[str, Path]]) -> "Real":
        """Those of some files, each given with its label."""
        originals = [images.to_clean_jpeg(file.read_bytes()).data for _, file in files]
        copies = [faults.copy(jpeg, kind) for kind in KINDS.values() for jpeg in originals]
        jpegs = enumerate([*originals, *copies])
        photos = ((Photo("x", sha256=sha256_of(row)), jpeg) for row, jpeg in jpegs)
        return cls([label for label, _ in files], bottlenecks.compute(network, photos))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32, shape (1 + kinds, M, D)."""
        return self.found.vectors.reshape(1 + len(KINDS), len(self.labels), -1)


class Maker:
    """Draws vectors that look like those of real photos.

    Args:
        real: the real ones.
    """

    def __init__(self, real: Real) -> None:
        originals, *copies = real.vectors
        self._differences = dict(zip(KINDS, (copy - originals for copy in copies), strict=True))
        count, width = originals.shape
        normal, draw = NormalDist(), np.random.default_rng(0)
        steps = np.arange(-REACH * GRID, REACH * GRID + 1) / GRID
        shares = [normal.cdf(step) for step in steps.tolist()]
        self._values = np.quantile(originals, shares, axis=0).astype(np.float32)
        # Normal scores of the values; equal ones, most of them 0, in any order.
        ranks = np.lexsort((draw.random((width, count)), originals.T)).argsort(axis=1).T
        scores = np.array([normal.inv_cdf((rank + 0.5) / count) for rank in range(count)])[ranks]
        _, scales, axes = np.linalg.svd(scores - scores.mean(axis=0), full_matrices=False)
        self.dimensions = max(1, count // 2)
        kept = slice(self.dimensions)
        self._axes = (axes[kept] * (scales[kept, None] / np.sqrt(count))).astype(np.float32)
        self._rest = np.sqrt(np.maximum(1 - (self._axes**2).sum(axis=0), 0))

    def originals(
        self, points: NDArray[np.float32], draw: np.random.Generator
    ) -> NDArray[np.float32]:
        """Vectors of different photos: float32 (N, D), for points of the space of photos.

        Args:
            points: float32 (N, `dimensions`), of standard deviation 1.
            draw: for the part of a vector that its point says nothing of.
        """
        rest = draw.standard_normal((len(points), len(self._rest)), np.float32) * self._rest
        places = np.rint((points @ self._axes + rest) * GRID).clip(-REACH * GRID, REACH * GRID)
        return np.take_along_axis(self._values, places.astype(np.intp) + REACH * GRID, axis=0)

    def copies(
        self, vectors: NDArray[np.float32], kinds: Sequence[str], draw: np.random.Generator
    ) -> NDArray[np.float32]:
        """Vectors of a copy of each photo, of these kinds."""
        differences = np.stack([draw.choice(self._differences[kind]) for kind in kinds])
        return np.maximum(vectors + ENLARGED * differences, 0)


def pictures(count: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Fingerprints of different photos: uint8 (N, 32, 32), with less contrast in details."""
    layers = [draw.normal(0, contrast, (count, side, side)) for side, contrast in LAYERS]
    found = np.empty((count, SIDE, SIDE), np.uint8)
    for row in range(count):
        enlarged = (cv2.resize(layer[row], (SIDE, SIDE), interpolation=3) for layer in layers)
        found[row] = np.clip(sum(enlarged) + 128, 0, 255)
    return found


def altered(picture: NDArray[np.uint8], kind: str, draw: np.random.Generator) -> NDArray[np.uint8]:
    """The fingerprint of a copy."""
    if kind == "turned":
        picture = np.rot90(picture[:, :: draw.choice((1, -1))], int(draw.integers(1, 4)))
    elif kind == "cut":
        side = round(SIDE * draw.uniform(0.75, 0.95))
        top, left = draw.integers(0, SIDE - side + 1, 2)
        part = np.ascontiguousarray(picture[top : top + side, left : left + side])
        picture = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    elif kind == "tilted":
        middle, angle = (SIDE - 1) / 2, draw.uniform(3, 6) * draw.choice((1, -1))
        turn = cv2.getRotationMatrix2D((middle, middle), angle, 1.15)
        picture = cv2.warpAffine(picture, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)  # type: ignore[assignment]
    return np.clip(picture + draw.normal(0, 4, (SIDE, SIDE)), 0, 255).astype(np.uint8)


def write(place: Path, plan: Plan, real: Real) -> None:
    """Write the bottlenecks of all photos: in parts, which are joined, as a run with `--parts`."""
    count, draw = len(plan.roots), np.random.default_rng(1)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        shapes = {"vectors": real.vectors.shape[-1:], "fingerprints": (SIDE, SIDE)}
        vectors, fingerprints = (
            np.lib.format.open_memmap(f"{scratch}/{name}.npy", "w+", kind, (count, *shapes[name]))
            for name, kind in (("vectors", np.float32), ("fingerprints", np.uint8))
        )
        _draw(plan, real, vectors, fingerprints, draw)
        fungus = _shows_fungus(plan, draw)
        parts = []
        for start in range(0, count, PART):
            rows = range(start, min(start + PART, count))
            scores = np.zeros((len(rows), 1000), np.float16)
            scores[:, FUNGI[0]] = np.where(fungus[rows], 0.9, 0.01)
            parts.append(Path(scratch) / str(start))
            part = Bottlenecks(
                tuple(map(sha256_of, rows)),
                vectors[rows],
                scores,
                fingerprints[rows].reshape(len(rows), -1),
                real.found.key,
            )
            bottlenecks.save(part, parts[-1], plan.labels[rows].tolist())
        bottlenecks.join(parts, place)


def _draw(
    plan: Plan,
    real: Real,
    vectors: NDArray[np.float32],
    fingerprints: NDArray[np.uint8],
    draw: np.random.Generator,
) -> None:
    """Fill in the vectors, (N, D), and fingerprints, (N, 32, 32): originals, then their copies."""
    maker = Maker(real)
    first = plan.real
    vectors[:first] = real.found.vectors[:first]
    fingerprints[:first] = real.found.fingerprints[:first].reshape(-1, SIDE, SIDE)
    _, classes = np.unique(plan.labels, return_inverse=True)
    wrong = draw.random(len(classes)) < WRONG
    classes = np.where(wrong, draw.integers(0, classes.max() + 1, len(classes)), classes)
    centres = draw.standard_normal((classes.max() + 1, maker.dimensions), np.float32)
    made = first + np.flatnonzero(~plan.is_copy[first:])
    copies = first + np.flatnonzero(plan.is_copy[first:])
    for start in range(0, len(made), BLOCK):
        rows = made[start : start + BLOCK]
        own = draw.standard_normal((len(rows), maker.dimensions), np.float32)
        _, observations = np.unique(rows // OBSERVED, return_inverse=True)
        shared = draw.standard_normal((len(rows), maker.dimensions), np.float32)[observations]
        is_shared = (plan.observations[rows] != "")[:, None]
        together = np.where(is_shared, shared, 0) * np.float32(OBSERVATION_SHARE**0.5)
        alone = np.sqrt(1 - CLASS_SHARE - OBSERVATION_SHARE * is_shared) * own
        points = np.float32(CLASS_SHARE**0.5) * centres[classes[rows]] + together + alone
        vectors[rows] = maker.originals(points.astype(np.float32), draw)
        fingerprints[rows] = pictures(len(rows), draw)
    for start in range(0, len(copies), BLOCK):
        rows = copies[start : start + BLOCK]
        kinds, roots = plan.kinds[rows].tolist(), plan.roots[rows]
        vectors[rows] = maker.copies(vectors[roots], kinds, draw)
        for row, root, kind in zip(rows.tolist(), roots.tolist(), kinds, strict=True):
            fingerprints[row] = altered(fingerprints[root], kind, draw)


def _shows_fungus(plan: Plan, draw: np.random.Generator) -> NDArray[np.bool_]:
    """Whether each photo shows one: nearly all do, but for many of the first class."""
    shares = np.where(plan.labels == "class 0000", OF_FIRST_CLASS, NO_FUNGUS)
    shows: NDArray[np.bool_] = draw.random(len(shares)) >= shares
    return shows
