"""The points of a learning curve: heads trained on growing parts of the photos."""

import dataclasses
import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.step import Progress, warn
from components.common.base.wording import counted
from components.common.dataset import class_folders
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import RENDERED, TEST, TRAINING, VALIDATION
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.retrain import from_folder
from components.retrain.head import Examples, score, train
from components.retrain.material import labelled
from components.retrain.options import PIPELINE, Recipe

SIZES = "5,10,20,50,100,200"
DRAWS = 10
TESTING_PERCENTAGE = 30
FEW_TEST_PHOTOS = 30


@dataclass(frozen=True)
class CurvePhotos:
    """Photos that may be learned from, and photos that are only measured on.

    Attributes:
        classes: their names.
        pool: to learn from.
        groups: the group of each photo of the pool: copies, and photos of one observation.
        held_out: to measure on.
        rendered: these are drawings.
        facts: what is known of the classes.
    """

    classes: list[str]
    pool: Examples
    groups: list[str]
    held_out: Examples
    rendered: bool
    facts: ClassFacts = ClassFacts()

    @property
    def counts(self) -> NDArray[np.int64]:
        """Photos of each class in the pool, int64 (classes,)."""
        return np.bincount(self.pool.labels, minlength=len(self.classes))


@dataclass(frozen=True)
class Point:
    """One number of photos a class, tried several times.

    Attributes:
        name: the number of photos a class, or "all".
        photos: learned from, of all classes together; the mean of the draws.
        per_class: the same divided by the classes.
        right: test photos that the head of each draw got right.
        measured: test photos.
        low: lower end of the 95 % Wilson interval of the median.
        high: its upper end.
    """

    name: str
    photos: float
    per_class: float
    right: tuple[int, ...]
    measured: int
    low: float
    high: float

    @property
    def accuracies(self) -> list[float]:
        """Share of the test photos that each draw got right."""
        return [count / self.measured for count in self.right]

    @property
    def median(self) -> float:
        """Of the draws' accuracies."""
        return statistics.median(self.accuracies)


def read(
    image_dir: Path,
    *,
    architecture: str = DEFAULT_ARCHITECTURE,
    views: int = 1,
    weights: str = "",
    cache: Path,
    testing_percentage: int = TESTING_PERCENTAGE,
) -> CurvePhotos:
    """The photos as `make run` divided them, or those of a folder, cleaned and divided here.

    Args:
        image_dir: a dataset with its parts, such as runs/latest/training, or a folder of class
            folders.
        architecture: of the backbone.
        views: of a photo.
        weights: a pretrained weights file; found by default.
        cache: the cache folder.
        testing_percentage: of a folder's photos; a dataset is measured on its validation and test
            parts, since nothing here looks at the validation part before.

    Raises:
        InputError: no photos there, too few of them, or senseless options.
    """
    if not 0 < testing_percentage < 100:
        raise InputError(f"--testing_percentage is {testing_percentage}: expected 1 to 99")
    image_dir = image_dir.expanduser()
    is_dataset = (image_dir / MANIFEST).is_file()
    if not is_dataset:
        class_folders.list_classes(image_dir)  # says what is wrong before anything is computed
    network = backbone.load_backbone(architecture, cache, weights, views)
    kept_in = cache / bottlenecks.CACHE_FOLDER
    with tempfile.TemporaryDirectory() as scratch:
        if not is_dataset:
            from_folder.write_dataset(
                image_dir,
                Path(scratch) / "dataset",
                network,
                kept_in,
                validation_percentage=0,
                testing_percentage=testing_percentage,
            )
        dataset = Dataset(image_dir if is_dataset else Path(scratch) / "dataset")
        vectors = bottlenecks.compute(network, dataset.stream(), kept_in)
    parts = {
        part: [photo for photo in dataset.photos if photo.split in part]
        for part in ((TRAINING,), (VALIDATION, TEST))
    }
    pool, held_out = parts.values()
    _check_parts(image_dir, dataset.labels, pool, held_out)
    return CurvePhotos(
        dataset.labels,
        labelled(pool, dataset.labels, vectors),
        [photo.own_group for photo in pool],
        labelled(held_out, dataset.labels, vectors),
        any(RENDERED in photo.flags for photo in dataset.photos),
        dataset.facts,
    )


def measure(
    material: CurvePhotos, sizes: Sequence[int], draws: int = DRAWS, recipe: Recipe = PIPELINE
) -> list[Point]:
    """Train on growing parts of the pool, and measure each head on the held-out photos.

    Each draw puts the photos of a class into an order of its own, and takes the first ones: a
    larger number of photos holds the smaller one. Only sizes that every class has are tried, and
    at last all photos.

    Args:
        material: the photos.
        sizes: photos a class.
        draws: how often each is tried; all photos are as often trained on, with other batches.
        recipe: how the head is trained; its seed is also that of the draws.

    Raises:
        InputError: a size is senseless, or no class has as many.
    """
    if draws < 1 or not sizes or min(sizes) < 1:
        raise InputError(
            f"--sizes {','.join(map(str, sizes))} --draws {draws}: expected numbers above 0"
        )
    counts = material.counts
    tried = [size for size in sorted(set(sizes)) if size <= counts.min() and size < counts.max()]
    if not tried:
        least = material.classes[int(counts.argmin())]
        raise InputError(
            f"class {least!r} has {counted(counts.min(), 'training photo')}, but the curve "
            f"begins with {min(sizes)}: add photos, or ask for fewer, such as --sizes 1,2,3"
        )
    # Looks at the training cost more than the training, and nobody looks here.
    recipe = dataclasses.replace(recipe, eval_step_interval=recipe.how_many_training_steps)
    progress = Progress("learning curve", draws * (len(tried) + 1), unit="head", verb="trained")
    right: dict[str, list[int]] = {name: [] for name in [*map(str, tried), "all"]}
    photos: dict[str, list[int]] = {name: [] for name in right}
    for number in range(draws):
        order = np.random.default_rng([recipe.seed, number])
        ranked = _ranked_groups(material, order)
        seeded = dataclasses.replace(recipe, seed=recipe.seed + number)
        for name in right:
            rows = _first(ranked, int(name)) if name != "all" else np.arange(len(material.pool))
            right[name].append(_right(material, rows, seeded))
            photos[name].append(len(rows))
            progress.advance()
    progress.finish()
    return [
        _point(name, photos[name], right[name], len(material.held_out), len(material.classes))
        for name in right
    ]


def parse_sizes(text: str) -> list[int]:
    """Numbers separated by commas.

    Raises:
        InputError: they are none.
    """
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise InputError(
            f"--sizes is {text!r}: expected numbers of photos a class, such as {SIZES}"
        ) from None


def _check_parts(
    image_dir: Path, classes: list[str], pool: list[Photo], held_out: list[Photo]
) -> None:
    for part, photos in (("training", pool), ("test", held_out)):
        missing = sorted(set(classes) - {photo.label for photo in photos})
        if missing or len(classes) < 2:
            raise InputError(
                f"{image_dir} has no {part} photos of {', '.join(missing)}: expected a folder of "
                "class folders, or a dataset with training and test parts, such as "
                "runs/latest/training"
                if missing
                else f"{image_dir} holds only the class {classes}: two are needed"
            )
    if len(held_out) < FEW_TEST_PHOTOS:
        warn(f"only {counted(len(held_out), 'test photo')}: the intervals are wide")


def _ranked_groups(
    material: CurvePhotos, generator: np.random.Generator
) -> list[list[NDArray[np.intp]]]:
    """For each class the rows of its groups, in an order drawn anew."""
    members: list[dict[str, list[int]]] = [{} for _ in material.classes]
    for row, (label, group) in enumerate(zip(material.pool.labels, material.groups, strict=True)):
        members[label].setdefault(group, []).append(row)
    ranked = []
    for groups in members:
        listed = [np.array(groups[key], dtype=np.intp) for key in sorted(groups)]
        ranked.append([listed[place] for place in generator.permutation(len(listed))])
    return ranked


def _first(ranked: list[list[NDArray[np.intp]]], size: int) -> NDArray[np.intp]:
    """Rows of the first groups of each class that fit into `size` photos; one group at least."""
    taken: list[NDArray[np.intp]] = []
    for groups in ranked:
        room = size
        fitting = []
        for rows in groups:
            if len(rows) <= room:
                fitting.append(rows)
                room -= len(rows)
        taken += fitting or [min(groups, key=len)]
    return np.sort(np.concatenate(taken))


def _right(material: CurvePhotos, rows: NDArray[np.intp], recipe: Recipe) -> int:
    """Held-out photos that a head trained on these rows of the pool gets right."""
    learned = Examples(material.pool.vectors[rows], material.pool.labels[rows])
    nothing = Examples(material.held_out.vectors[:0], material.held_out.labels[:0])
    head = train(learned, nothing, len(material.classes), recipe, lambda _: None)
    return round(score(head, material.held_out)[0] * len(material.held_out))


def _point(
    name: str, photos: Sequence[int], right: Sequence[int], measured: int, classes: int
) -> Point:
    low, high = _wilson(statistics.median(right) / measured, measured)
    mean = statistics.mean(photos)
    return Point(name, mean, mean / classes, tuple(right), measured, low, high)


def _wilson(share: float, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of a share, which may lie between two counts."""
    square = statistics.NormalDist().inv_cdf(0.975) ** 2
    middle = share + square / (2 * total)
    width = math.sqrt(square * share * (1 - share) / total + (square / (2 * total)) ** 2)
    return (middle - width) / (1 + square / total), (middle + width) / (1 + square / total)
