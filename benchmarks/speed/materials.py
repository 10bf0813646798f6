"""What the rows work on: real photos, and as many more of them as are needed."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.frame import Turns
from components.common.base.files import default_cache_dir
from components.common.dataset.class_folders import class_files, list_classes
from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.photo import Photo
from components.common.network import backbone
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.common.network.backbone import Backbone
from components.common.photos import images
from components.common.photos.images import BadPhoto

PEERS = Path("build/peers")
SCRIPTS = Path(__file__).with_name("peers")
MEDIUM = (500, 375)  # pixels: what iNaturalist calls medium
LARGE = (1600, 1200)
QUALITY = 92


@dataclass
class Bench(AbstractContextManager["Bench"]):
    """One run of the benchmark.

    Attributes:
        folder: real photos, a folder per class.
        rounds: how often each way of a row is run.
        share: of the amounts of work, for trying the benchmark itself; 1 for all.
        model: a trained model, for labelling; trained on the folder's photos where none is given.
        cache: where the pretrained weights and their conversions are.
        work: a scratch folder.
    """

    folder: Path
    rounds: int = 3
    share: float = 1.0
    model: Path | None = None
    cache: Path = field(default_factory=default_cache_dir)
    architecture: str = DEFAULT_ARCHITECTURE

    def __enter__(self) -> "Bench":
        self._scratch = tempfile.TemporaryDirectory(prefix="mushroom-bench-")
        self.work = Path(self._scratch.name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scratch.cleanup()

    def turns(self) -> Turns:
        """Begin a row."""
        return Turns(self.rounds)

    def place(self, name: str) -> Path:
        """A new folder for a row."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.work))

    def count(self, number: int, least: int = 1) -> int:
        """So many, or a share of them."""
        return max(least, round(number * self.share))

    @property
    def network(self) -> Backbone:
        """The pretrained network; converted first where that was not done yet."""
        return backbone.load_backbone(self.architecture, self.cache)

    @property
    def files(self) -> list[tuple[str, Path]]:
        """Label and file of every photo of the folder."""
        labels = list_classes(self.folder)
        return [(label, file) for label in labels for file in class_files(self.folder, label)]

    def pixels(self, per_class: int | None = None) -> dict[str, list[NDArray[np.uint8]]]:
        """The decoded photos of each class."""
        found: dict[str, list[NDArray[np.uint8]]] = {}
        for label, file in self.files:
            mine = found.setdefault(label, [])
            if per_class is None or len(mine) < per_class:
                try:
                    mine.append(images.decode(file.read_bytes()))
                except BadPhoto:
                    continue
        return found


def cuts(
    given: list[NDArray[np.uint8]], count: int, size: tuple[int, int] = MEDIUM
) -> Iterator[bytes]:
    """Different JPEGs of one size: parts of the given photos, enlarged."""
    draw = np.random.default_rng(0)
    for number in range(count):
        pixels = given[number % len(given)]
        height, width = pixels.shape[:2]
        top, left = int(draw.integers(0, height // 4)), int(draw.integers(0, width // 4))
        part = pixels[top : top + height * 3 // 4, left : left + width * 3 // 4]
        yield images.encode(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), QUALITY)  # type: ignore[arg-type]


def joined(
    given: list[NDArray[np.uint8]], count: int, size: tuple[int, int] = MEDIUM
) -> Iterator[bytes]:
    """Different JPEGs of one size: two of the given photos beside or above one another.

    Unlike parts of one photo these are no near copies, of which `curate` keeps one.
    """
    draw = np.random.default_rng(0)
    pairs = list(itertools.combinations(range(len(given)), 2))
    width, height = size
    for turn in range(count):
        # When all pairs were had, they come again, cut at another place.
        if turn % len(pairs) == 0:
            draw.shuffle(pairs)
        first, second = (
            cv2.resize(given[row][:, :: draw.choice((-1, 1))], size, interpolation=cv2.INTER_AREA)
            for row in pairs[turn % len(pairs)]
        )
        share = draw.uniform(0.35, 0.65)
        if draw.random() < 0.5:
            edge = int(share * width)
            picture = np.concatenate([first[:, :edge], second[:, edge:]], axis=1)
        else:
            edge = int(share * height)
            picture = np.concatenate([first[:edge], second[edge:]], axis=0)
        yield images.encode(picture.astype(np.uint8), QUALITY)


def class_folder(bench: Bench, place: Path, per_class: int) -> Path:
    """A folder of class folders of `per_class` photos: the real ones, then joined ones."""
    real: dict[str, list[Path]] = {}
    for label, file in bench.files:
        real.setdefault(label, []).append(file)
    for label, pixels in bench.pixels().items():
        (place / label).mkdir(parents=True)
        contents = [file.read_bytes() for file in real[label][:per_class]]
        contents += joined(pixels, per_class - len(contents))
        for number, data in enumerate(contents):
            (place / label / f"{number:05d}.jpg").write_bytes(data)
    return place


def dataset(place: Path, contents: Iterator[bytes], label: str = "fly agaric") -> Path:
    """A dataset of JPEGs as `download` leaves it."""
    with DatasetWriter(place) as writer:
        for data in contents:
            writer.add(Photo(label), data)
    return place
