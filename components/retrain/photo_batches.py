"""Photos of the training part as batches for a network, drawn and decoded ahead of it."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from components.common.base.batches import batched
from components.common.base.worker_threads import map_in_threads, worker_threads
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING, VALIDATION
from components.common.photos import images
from components.retrain.distort import Distortion, distorted_input, draw
from components.retrain.options import Distortions

if TYPE_CHECKING:
    import keras

DECODE_THREADS = 4
PREDICT_BATCH = 32

Batch = tuple[NDArray[Any], NDArray[np.int64]]  # what the network takes, and class numbers


class NoRoom(Exception):
    """What is done before the first batch does not fit on the disk."""


class Batches(Protocol):
    """What a network is fitted to, step by step."""

    @property
    def batch_shapes(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """Shape and type of what `batches` gives."""

    @property
    def validation(self) -> Sequence[Photo]:
        """The photos that `validate` looks at."""

    def prepare(self) -> None:
        """Do what is done once, before the first batch.

        Raises:
            NoRoom: it does not fit on the disk.
        """

    def batches(self, start: int, end: int) -> Iterator[Batch]:
        """What the network takes and the classes (N,) of each step from `start` to `end`."""

    def validate(self, model: "keras.Model") -> tuple[float, float] | None:
        """Cross entropy and accuracy of the validation part; None where there is none."""


@dataclass(frozen=True)
class Variant:
    """A photo as a network sees it: distorted, or as it is."""

    photo: Photo
    distortion: Distortion | None = None

    @property
    def key(self) -> tuple[str, Distortion | None]:
        """What its pixels depend on."""
        return self.photo.sha256, self.distortion


def inputs(
    dataset: Dataset, photos: Iterable[Photo], size: int, batch_size: int
) -> Iterator[NDArray[np.float32]]:
    """Photos as a network takes them, float32 (n, size, size, 3), so many at a time."""
    return _stacked(dataset, map(Variant, photos), size, batch_size)


def _stacked(
    dataset: Dataset, variants: Iterable[Variant], size: int, batch_size: int
) -> Iterator[NDArray[np.float32]]:
    def decoded(variant: Variant) -> NDArray[np.float32]:
        return _pixels(dataset, variant, size)

    pixels = map_in_threads(decoded, variants, threads=DECODE_THREADS, ahead=batch_size)
    return (np.stack(batch) for batch in batched(pixels, batch_size))


def _pixels(dataset: Dataset, variant: Variant, size: int) -> NDArray[np.float32]:
    data = dataset.read(variant.photo)
    if variant.distortion is None:
        return images.model_input(data, size)
    return distorted_input(data, size, variant.distortion)


class PhotoBatches:
    """Draws and decodes batches of photos, one batch ahead of the network.

    Args:
        dataset: the photos; batches are of the training part.
        size: pixels of the square input.
        batch_size: photos a step.
        distortions: of each photo.
        seed: same seed, same batches: each is drawn from the seed and its step's number alone.
    """

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        batch_size: int,
        distortions: Distortions,
        seed: int,
    ) -> None:
        self.batch_size = batch_size
        self.distortions = distortions
        self.validation: Sequence[Photo] = [
            photo for photo in dataset.photos if photo.split == VALIDATION
        ]
        self._dataset = dataset
        self._size = size
        self._seed = seed
        self._number = {label: index for index, label in enumerate(dataset.labels)}
        training = [photo for photo in dataset.photos if photo.split == TRAINING]
        self._by_class = [
            [photo for photo in training if photo.label == label] for label in dataset.labels
        ]

    @property
    def batch_shapes(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """Shape and type of what `batches` gives."""
        count, size = self.batch_size, self._size
        return ((count, size, size, 3), "float32"), ((count,), "int64")

    def prepare(self) -> None:
        """Nothing is done before the first batch."""

    def batches(self, start: int, end: int) -> Iterator[Batch]:
        """Photos (N, size, size, 3) and classes (N,) of each step from `start` to `end`."""
        with worker_threads(1) as ahead, worker_threads(DECODE_THREADS) as pool:
            waiting = ahead.submit(self._batch, start, pool) if start < end else None
            for step in range(start, end):
                assert waiting is not None
                batch, labels = waiting.result()
                waiting = ahead.submit(self._batch, step + 1, pool) if step + 1 < end else None
                yield batch, labels

    def drawn(self, step: int) -> tuple[list[Variant], NDArray[np.int64]]:
        """What a step learns from, and its classes (N,).

        Every class equally often, and a random photo of it, as for the head.
        """
        generator = np.random.default_rng([self._seed, step])
        labels = generator.integers(len(self._by_class), size=self.batch_size)
        shares = generator.random(self.batch_size)
        chosen = [
            self._by_class[label][int(share * len(self._by_class[label]))]
            for label, share in zip(labels.tolist(), shares.tolist(), strict=True)
        ]
        seeds = generator.integers(2**63, size=self.batch_size).tolist()
        return list(map(self._variant, chosen, seeds)), labels.astype(np.int64)

    def inputs(self, variants: Iterable[Variant]) -> Iterator[NDArray[np.float32]]:
        """Their pixels, float32 (n, size, size, 3), so many at a time as a network predicts."""
        return _stacked(self._dataset, variants, self._size, PREDICT_BATCH)

    def validate(self, model: "keras.Model") -> tuple[float, float] | None:
        """Cross entropy and accuracy of the validation part; None where there is none."""
        return self.score(model, self.inputs(map(Variant, self.validation)))

    def score(
        self, model: "keras.Model", validation: Iterable[NDArray[Any]]
    ) -> tuple[float, float] | None:
        """The same of a model that takes something else of each photo, in such batches."""
        if not self.validation:
            return None
        answers = [
            model.predict(batch, batch_size=PREDICT_BATCH, verbose=0) for batch in validation
        ]
        probabilities = np.concatenate(answers).astype(np.float64)
        labels = [self._number[photo.label] for photo in self.validation]
        losses = -np.log(probabilities[np.arange(len(labels)), labels] + 1e-12)
        return float(losses.mean()), float((probabilities.argmax(axis=1) == labels).mean())

    def _batch(self, step: int, pool: ThreadPoolExecutor) -> Batch:
        variants, labels = self.drawn(step)
        pixels = pool.map(lambda one: _pixels(self._dataset, one, self._size), variants)
        return np.stack(list(pixels)), labels

    def _variant(self, photo: Photo, seed: int) -> Variant:
        if not self.distortions:
            return Variant(photo)
        generator = np.random.default_rng(seed)
        return Variant(photo, draw(self._size, self.distortions, generator))
