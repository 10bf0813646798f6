"""Photos of the training part as batches for a network, drawn and decoded ahead of it."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.common.base.batches import batched
from components.common.base.worker_threads import map_in_threads, worker_threads
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING, VALIDATION
from components.common.photos import images
from components.retrain.distort import distorted_input
from components.retrain.options import Distortions

if TYPE_CHECKING:
    import keras

DECODE_THREADS = 4
PREDICT_BATCH = 32


def inputs(
    dataset: Dataset, photos: Iterable[Photo], size: int, batch_size: int
) -> Iterator[NDArray[np.float32]]:
    """Photos as a network takes them, float32 (n, size, size, 3), so many at a time."""

    def decoded(photo: Photo) -> NDArray[np.float32]:
        return images.model_input(dataset.read(photo), size)

    pixels = map_in_threads(decoded, photos, threads=DECODE_THREADS, ahead=batch_size)
    return (np.stack(batch) for batch in batched(pixels, batch_size))


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
        self._dataset = dataset
        self._size = size
        self._batch_size = batch_size
        self._distortions = distortions
        self._seed = seed
        self._number = {label: index for index, label in enumerate(dataset.labels)}
        self.validation = [photo for photo in dataset.photos if photo.split == VALIDATION]
        training = [photo for photo in dataset.photos if photo.split == TRAINING]
        self._by_class = [
            [photo for photo in training if photo.label == label] for label in dataset.labels
        ]

    def batches(
        self, start: int, end: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Photos (N, size, size, 3) and classes (N,) of each step from `start` to `end`."""
        with worker_threads(1) as ahead, worker_threads(DECODE_THREADS) as pool:
            waiting = ahead.submit(self._batch, start, pool) if start < end else None
            for step in range(start, end):
                assert waiting is not None
                batch, labels = waiting.result()
                waiting = ahead.submit(self._batch, step + 1, pool) if step + 1 < end else None
                yield batch, labels

    @property
    def batch_shapes(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """Shape and type of what `batches` gives."""
        count, size = self._batch_size, self._size
        return ((count, size, size, 3), "float32"), ((count,), "int64")

    def validate(self, classifier: "keras.Model") -> tuple[float, float] | None:
        """Cross entropy and accuracy of the validation part; None where there is none."""
        if not self.validation:
            return None
        answers = [
            classifier.predict(batch, batch_size=PREDICT_BATCH, verbose=0)
            for batch in inputs(self._dataset, self.validation, self._size, PREDICT_BATCH)
        ]
        probabilities = np.concatenate(answers).astype(np.float64)
        labels = [self._number[photo.label] for photo in self.validation]
        losses = -np.log(probabilities[np.arange(len(labels)), labels] + 1e-12)
        return float(losses.mean()), float((probabilities.argmax(axis=1) == labels).mean())

    def _batch(
        self, step: int, pool: ThreadPoolExecutor
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Every class equally often, and a random photo of it, as for the head."""
        generator = np.random.default_rng([self._seed, step])
        labels = generator.integers(len(self._by_class), size=self._batch_size)
        shares = generator.random(self._batch_size)
        chosen = [
            self._by_class[label][int(share * len(self._by_class[label]))]
            for label, share in zip(labels.tolist(), shares.tolist(), strict=True)
        ]
        seeds = generator.integers(2**63, size=self._batch_size).tolist()
        return np.stack(list(pool.map(self._input, chosen, seeds))), labels.astype(np.int64)

    def _input(self, photo: Photo, seed: int) -> NDArray[np.float32]:
        data = self._dataset.read(photo)
        if not self._distortions:
            return images.model_input(data, self._size)
        return distorted_input(data, self._size, self._distortions, np.random.default_rng(seed))
