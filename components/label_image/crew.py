"""Many photos on all cores: every thread has the model for itself, and takes one photo at a time.

On two cores this takes a fifth less of the processor's time than batches that all cores share: what
the layers of the network hand on stays in a core's own cache, and no core waits for another.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from components.common.base.worker_threads import OnePerThread, map_in_threads
from components.common.model.description import read_description
from components.common.model.learned import Learned
from components.common.model.model import Model
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.label_image.answers import Guess

MAX_THREADS = 32  # each keeps the network's weights, 20 to 90 MB
AHEAD = 2  # photos a thread: one that it works at, and one that waits


class Crew:
    """A model that answers many photos at once.

    Args:
        directory: of the model.
        threads: that work, each with one photo.
        int8: as of `Model`.

    Raises:
        InputError: as `Model`.
    """

    def __init__(self, directory: Path, threads: int, *, int8: bool = False) -> None:
        self._threads = min(threads, MAX_THREADS)
        self._model = OnePerThread(lambda: Model(directory, threads=1, int8=int8))
        self._learned = Learned(directory, read_description(directory))

    def predict_each(self, photos: Iterable[bytes]) -> Iterator[Guess | BadPhoto]:
        """The answer to each encoded photo in order, or why it is no usable photo."""
        ahead = AHEAD * self._threads
        return map_in_threads(self._answer, photos, threads=self._threads, ahead=ahead)

    def _answer(self, data: bytes) -> Guess | BadPhoto:
        model = self._model()
        try:
            pixels = images.model_input(data, model.description.input_size)
        except BadPhoto as bad:
            return bad
        prediction = model.judge(model(pixels[np.newaxis]))[0]
        return Guess.of(prediction, learned_from=self._learned.has(data))
