"""The model artifact: reading it, and predicting with it without TensorFlow."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.batches import batched
from components.common.base.errors import InputError
from components.common.base.worker_threads import worker_threads
from components.common.model.description import MESSAGE_MAX, ModelDescription, read_description
from components.common.model.layout import (
    BOTTLENECK,
    DESCRIPTION,
    DISTANCES,
    FEATURES,
    HEAD,
    INT8,
    LITERT,
    MEASURED_DISTANCES,
    MEASURED_HEAD,
    SCORES,
)
from components.common.model.unknown import FILE_MAX_BYTES, ClassDistances, read_arrays
from components.common.network import backbone, views
from components.common.network.architecture import parse_architecture
from components.common.photos import images
from components.common.photos.images import BadPhoto

BATCH = 16
# Of how many likeliest classes reports, cards and galleries speak.
TOP_K, TOP_K_IN_WORDS = 3, "three"


@dataclass(frozen=True)
class Scores:
    """What the model says of a batch of N photos.

    Attributes:
        probabilities: float32, shape (N, classes).
        bottlenecks: float32, shape (N, D).
        features: float32, shape (N, V * h, w, D), the last feature map before pooling of each of
            V views, below one another.
    """

    probabilities: NDArray[np.float32]
    bottlenecks: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The model's answer to one photo.

    Attributes:
        probabilities: float32, shape (classes,), calibrated by the temperature.
        uncalibrated: float32, shape (classes,), as the network gives them.
        familiarity: which share of photos of the classes looks stranger than this one, 0 to 1; None
            where the model has no rule for unknown photos.
        unknown: True where the photo is probably none of the classes.
        bottleneck: float32, shape (D,).
        features: float32, shape (V * h, w, D), the last feature map of each view.
    """

    probabilities: NDArray[np.float32]
    uncalibrated: NDArray[np.float32]
    familiarity: float | None
    unknown: bool
    bottleneck: NDArray[np.float32]
    features: NDArray[np.float32]


class Model:
    """A trained model, run by LiteRT on the CPU. One thread at a time may use it.

    Args:
        directory: the model artifact.
        threads: that the network may use.
        int8: run the int8 form, three times as fast, whose answers differ a little.
        measured: answer with the head that was tested, where the model has another one now.

    Raises:
        InputError: it is no model directory, a file of it is missing, damaged or of another model,
            or the int8 form was left out of it.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        threads: int = backbone.THREADS,
        int8: bool = False,
        measured: bool = False,
    ) -> None:
        self.directory = Path(directory)
        self.description = read_description(self.directory)
        self.int8 = int8
        if int8 and not (self.directory / INT8).is_file():
            raise InputError(
                f"{self.directory} has no {INT8}: it is left out where it loses more than a point "
                f"of accuracy ({DESCRIPTION} says how much); label without it"
            )
        self._threads = threads
        network = self.description.check_file(self.directory, INT8 if int8 else LITERT)
        self._run = backbone.make_interpreter(network, threads)
        if measured:
            self.description = self.description.of_measured_head()
        self._measured = measured
        head, self._distances_file = (
            (MEASURED_HEAD, MEASURED_DISTANCES) if measured else (HEAD, DISTANCES)
        )
        self._weights, self._biases = read_head(self.directory, self.description, head)
        self._distances: ClassDistances | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the probabilities."""
        return self.description.classes

    def __call__(self, batch: NDArray[np.float32]) -> Scores:
        """Scores of a batch, float32 of shape (N, size, size, 3), RGB, -1 to 1.

        Raises:
            InputError: the network is not that of this model.
        """
        network = self.directory / (INT8 if self.int8 else LITERT)
        try:
            outputs = self._run(input=batch)
            scores = Scores(outputs[SCORES], outputs[BOTTLENECK], outputs[FEATURES])
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            raise InputError(
                f"{network} is not the network of this model: {str(error)[:MESSAGE_MAX]}"
            ) from error
        length = len(self._weights)
        if (
            scores.probabilities.shape != (len(batch), len(self.classes))
            or scores.bottlenecks.shape != (len(batch), length)
            or scores.features.shape[::3] != (len(batch), length)
            or scores.features.shape[1] % self.description.views
        ):
            raise InputError(f"{network} is not the network of this model: other shapes")
        return scores

    def judge(self, scores: Scores) -> list[Prediction]:
        """Calibrated probabilities of a batch, and whether each photo is none of the classes."""
        logits = scores.bottlenecks @ self._weights + self._biases
        calibrated = softmax(logits / np.float32(self.description.temperature or 1))
        uncalibrated = softmax(logits) if self._measured else scores.probabilities
        rule = self.description.unknown
        familiarity: NDArray[np.float64] | None = None
        unknown = np.zeros(len(logits), bool)
        if rule is not None:
            if self._distances is None:
                self._distances = read_distances(
                    self.directory, self.description, self._distances_file
                )
            distances = self._distances(scores.bottlenecks)
            familiarity = rule.familiarity(rule.score(distances, logits.max(axis=1)))
            unknown = rule.rejects(familiarity)
        return [
            Prediction(
                calibrated[row],
                uncalibrated[row],
                None if familiarity is None else float(familiarity[row]),
                bool(unknown[row]),
                scores.bottlenecks[row],
                scores.features[row],
            )
            for row in range(len(logits))
        ]

    def predict_each(self, photos: Iterable[bytes]) -> Iterator[Prediction | BadPhoto]:
        """The answer to each encoded photo in order, or why it is no usable photo.

        Photos are decoded and shown to the network in batches, so that all cores work.
        """
        size = self.description.input_size

        def decoded(data: bytes) -> NDArray[np.float32] | BadPhoto:
            try:
                return images.model_input(data, size)
            except BadPhoto as bad:
                return bad

        with worker_threads(self._threads) as pool:
            for chunk in batched(photos, BATCH):
                inputs = list(pool.map(decoded, chunk))
                good = [pixels for pixels in inputs if not isinstance(pixels, BadPhoto)]
                predictions = iter(self.judge(self(np.stack(good))) if good else ())
                for pixels in inputs:
                    yield pixels if isinstance(pixels, BadPhoto) else next(predictions)

    def activation_map(self, prediction: Prediction, label: str) -> NDArray[np.float32]:
        """Where the photo speaks for a class: the class activation map (Zhou et al. 2016).

        The network averages its last feature map and takes a linear combination of it, so the map
        is exact: its mean plus the class's bias is the class's logit (arXiv:1512.04150). The map of
        each view lies in the view's place.

        Returns:
            float32, shape (h, w), over the whole photo.
        """
        activation: NDArray[np.float32] = (
            prediction.features @ self._weights[:, self.classes.index(label)]
        )
        size = parse_architecture(self.description.architecture).size
        return views.on_photo(activation, size, self.description.views)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 (N, classes), of logits (N, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def head_sha256(weights: NDArray[np.generic], biases: NDArray[np.generic]) -> str:
    """SHA-256 over weights, then biases: what `model.json` knows the head by."""
    return hashlib.sha256(weights.tobytes() + biases.tobytes()).hexdigest()


def read_head(
    directory: Path, description: ModelDescription, name: str = HEAD
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights, float32 (D, classes), and biases, float32 (classes,), of the head.

    Raises:
        InputError: the file is missing, damaged, or of another model.
    """
    path = description.check_file(directory, name)
    arrays = read_arrays(_read(path), str(path), ("weights", "biases"))
    weights, biases = arrays["weights"], arrays["biases"]
    if head_sha256(weights, biases) != description.head_sha256:
        raise InputError(f"{path} is damaged or of another model: {DESCRIPTION} names another head")
    if weights.shape[1:] != (len(description.classes),) or biases.shape != weights.shape[1:]:
        raise InputError(f"{path} has not as many classes as {DESCRIPTION}")
    return weights.astype(np.float32), biases.astype(np.float32)


def read_distances(
    directory: Path, description: ModelDescription, name: str = DISTANCES
) -> ClassDistances:
    """What the rule for unknown photos asks.

    Raises:
        InputError: the file is missing, damaged, or of another model.
    """
    path = description.check_file(directory, name)
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != description.distances_sha256:
        raise InputError(f"{path} is damaged or of another model: {DESCRIPTION} names another")
    return ClassDistances.load(data, str(path))


def _read(path: Path) -> bytes:
    if not path.is_file() or path.stat().st_size > FILE_MAX_BYTES:
        raise InputError(f"{path} is missing or larger than {FILE_MAX_BYTES} bytes")
    return path.read_bytes()


def top_k(
    probabilities: NDArray[np.float32], classes: Iterable[str], count: int
) -> list[tuple[str, float]]:
    """The `count` likeliest classes with their probabilities, likeliest first."""
    names = list(classes)
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(names[index], float(probabilities[index])) for index in order]
