"""The model artifact: reading it, and predicting with it without TensorFlow."""

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common import backbone, images, model_check, sealed
from components.common.batches import batched
from components.common.errors import InputError
from components.common.images import BadPhoto
from components.common.unknown import FILE_MAX_BYTES, ClassDistances, UnknownRule, read_arrays
from components.common.worker_threads import worker_threads

# Version 2 has neither seal nor `files`, and is read as it is.
KIND = sealed.Kind("the model", "wild-mushrooms-model", (2, 3), sealed_since=3)
DESCRIPTION = "model.json"
DESCRIPTION_MAX_BYTES = 1024 * 1024
MESSAGE_MAX = 500  # characters of what is wrong with it
LITERT = "model.tflite"
KERAS = "model.keras"
SAVED_MODEL = "saved_model"
FROZEN = "retrained_graph.pb"
INT8 = "model-int8.tflite"
LABELS = "retrained_labels.txt"
HEAD = "head.npz"
DISTANCES = "distances.npz"
REFERENCES = "references.parquet"
BATCH = 16

# Names of the LiteRT signature's outputs.
SCORES = "final_result"
BOTTLENECK = "bottleneck"
FEATURES = "features"


@dataclass(frozen=True)
class ModelDescription:
    """What `model.json` says.

    Attributes:
        classes: class names in the order of the scores.
        architecture: of the backbone.
        input_size: pixels of the square input.
        weights_sha256: of the pretrained weights.
        head_sha256: of the trained head's weights and biases.
        distances_sha256: of `distances.npz`; empty without a rule for unknown photos.
        manifest_sha256: of the training dataset's manifest.
        temperature: divides the logits; None where there were too few photos to fit it.
        unknown: when the answer is "none of these"; None where there were too few photos.
        calibration: on how many photos temperature and rule were fitted, and how they do there.
        int8: how the int8 form does beside the float32 form; None where it was not made.
        fine_tuning: its options; None where the backbone is as it was pretrained.
        recipe: the options that the head was trained with.
        photos: number of photos by part and class.
        rendered: True where it was trained on rendered pictures instead of photographs.
        version: of this program.
        files: SHA-256 of every other file of the model, by its path; empty in version 2.
        sha256: of all the above, the document's seal; empty in version 2.
    """

    classes: tuple[str, ...]
    architecture: str
    input_size: int
    weights_sha256: str
    head_sha256: str
    manifest_sha256: str
    version: str
    distances_sha256: str = ""
    decoder: str = images.DECODER
    preprocessing: str = images.PREPROCESSING
    temperature: float | None = None
    unknown: UnknownRule | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    photos: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    int8: Mapping[str, Any] | None = None
    fine_tuning: Mapping[str, Any] | None = None
    rendered: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    format: str = KIND.format
    format_version: int = KIND.newest
    sha256: str = ""

    @property
    def is_sealed(self) -> bool:
        """False for a model of version 2, whose other files nothing can be held against."""
        return self.format_version >= KIND.sealed_since

    @property
    def identity(self) -> str:
        """SHA-256 of what the model is: all of `model.json`, and the files that predicting reads.

        The same for two trainings alike, although TensorFlow writes `model.keras` and the
        SavedModel differently each time. Empty in version 2.
        """
        if not self.is_sealed:
            return ""
        content = dataclasses.asdict(self)
        content["files"] = {name: self.files.get(name) for name in (LITERT, INT8, HEAD, DISTANCES)}
        return sealed.digest(content)

    def check_file(self, directory: Path, name: str) -> Path:
        """The path of a file of the model, which is the one that was written with it.

        Raises:
            InputError: it is missing, damaged, or of another model.
        """
        if not self.is_sealed:
            return directory / name
        return sealed.check_file(directory, name, self.files, DESCRIPTION)

    def check_files(self, directory: Path, *, but: Collection[str] = ()) -> None:
        """Raise `InputError` unless the folder holds all files of the model, and no others.

        Args:
            directory: the model.
            but: names of files that may be there beside them.
        """
        if self.is_sealed:
            sealed.check_files(directory, self.files, DESCRIPTION, but=but)


@dataclass(frozen=True)
class Scores:
    """What the model says of a batch of N photos.

    Attributes:
        probabilities: float32, shape (N, classes).
        bottlenecks: float32, shape (N, D).
        features: float32, shape (N, h, w, D), the last feature map before pooling.
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
        features: float32, shape (h, w, D), the last feature map.
    """

    probabilities: NDArray[np.float32]
    uncalibrated: NDArray[np.float32]
    familiarity: float | None
    unknown: bool
    bottleneck: NDArray[np.float32]
    features: NDArray[np.float32]


def read_description(directory: Path) -> ModelDescription:
    """Read and check `model.json`.

    Raises:
        InputError: the directory is no model of this program, of another format version, or
            `model.json` is damaged.
    """
    path = directory / DESCRIPTION
    if not path.is_file():
        problem = f"there is no {DESCRIPTION} in it" if directory.is_dir() else "no such directory"
        raise InputError(f"{directory} is no model directory: {problem}")
    content = sealed.read(path, KIND, max_bytes=DESCRIPTION_MAX_BYTES)
    try:
        unknown = UnknownRule.parse(content["unknown"]) if content.get("unknown") else None
        description = ModelDescription(
            **{**content, "classes": _listed(content["classes"]), "unknown": unknown}
        )
        model_check.check(description)
    except (
        *(ValueError, TypeError, KeyError, AttributeError),
        *(RecursionError, OverflowError),
    ) as error:
        raise InputError(f"{path} cannot be read: {str(error)[:MESSAGE_MAX]}") from error
    return description


def _listed(classes: object) -> tuple[str, ...]:
    if not isinstance(classes, list):
        raise ValueError("its classes are no list")
    return tuple(classes)


def write_description(directory: Path, description: ModelDescription) -> ModelDescription:
    """Write `model.json` with the hashes of all other files, which must be complete.

    Returns:
        The description, with those hashes and its seal.
    """
    files = sealed.hash_files(directory, but=(DESCRIPTION,))
    content = dataclasses.asdict(dataclasses.replace(description, files=files))
    sealed.dump(directory / DESCRIPTION, content, what="the model")
    return read_description(directory)


class Model:
    """A trained model, run by LiteRT on the CPU. One thread at a time may use it.

    Args:
        directory: the model artifact.
        threads: that the network may use.
        int8: run the int8 form, three times as fast, whose answers differ a little.

    Raises:
        InputError: it is no model directory, a file of it is missing, damaged or of another model,
            or the int8 form was left out of it.
    """

    def __init__(
        self, directory: Path | str, *, threads: int = backbone.THREADS, int8: bool = False
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
        self._weights, self._biases = read_head(self.directory, self.description)
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
            found = Scores(outputs[SCORES], outputs[BOTTLENECK], outputs[FEATURES])
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            raise InputError(
                f"{network} is not the network of this model: {str(error)[:MESSAGE_MAX]}"
            ) from error
        length = len(self._weights)
        if (
            found.probabilities.shape != (len(batch), len(self.classes))
            or found.bottlenecks.shape != (len(batch), length)
            or found.features.shape[::3] != (len(batch), length)
        ):
            raise InputError(f"{network} is not the network of this model: other shapes")
        return found

    def judge(self, scores: Scores) -> list[Prediction]:
        """Calibrated probabilities of a batch, and whether each photo is none of the classes."""
        logits = scores.bottlenecks @ self._weights + self._biases
        calibrated = softmax(logits / np.float32(self.description.temperature or 1))
        rule = self.description.unknown
        familiarity: NDArray[np.float64] | None = None
        unknown = np.zeros(len(logits), bool)
        if rule is not None:
            if self._distances is None:
                self._distances = read_distances(self.directory, self.description)
            distances = self._distances(scores.bottlenecks)
            familiarity = rule.familiarity(rule.score(distances, logits.max(axis=1)))
            unknown = rule.rejects(familiarity)
        return [
            Prediction(
                calibrated[row],
                scores.probabilities[row],
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
                good = [one for one in inputs if not isinstance(one, BadPhoto)]
                found = iter(self.judge(self(np.stack(good))) if good else ())
                for one in inputs:
                    yield one if isinstance(one, BadPhoto) else next(found)

    def predict(self, photos: Iterable[bytes]) -> Iterator[Prediction]:
        """The answer to each encoded photo in order.

        Raises:
            BadPhoto: one of them is no usable photo.
        """
        for found in self.predict_each(photos):
            if isinstance(found, BadPhoto):
                raise found
            yield found

    def activation_map(self, prediction: Prediction, label: str) -> NDArray[np.float32]:
        """Where the photo speaks for a class: the class activation map (Zhou et al. 2016).

        The network averages its last feature map and takes a linear combination of it, so the map
        is exact: its mean plus the class's bias is the class's logit (arXiv:1512.04150).

        Returns:
            float32, shape (h, w), over the whole photo.
        """
        found: NDArray[np.float32] = (
            prediction.features @ self._weights[:, self.classes.index(label)]
        )
        return found


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 (N, classes), of logits (N, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return found


def write_head(directory: Path, weights: NDArray[np.float32], biases: NDArray[np.float32]) -> None:
    """Write `head.npz`.

    Args:
        directory: of the model.
        weights: float32, shape (D, classes).
        biases: float32, shape (classes,).
    """
    np.savez(directory / HEAD, weights=weights, biases=biases)


def head_sha256(weights: NDArray[np.generic], biases: NDArray[np.generic]) -> str:
    """SHA-256 over weights, then biases: what `model.json` knows the head by."""
    return hashlib.sha256(weights.tobytes() + biases.tobytes()).hexdigest()


def read_head(
    directory: Path, description: ModelDescription
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights, float32 (D, classes), and biases, float32 (classes,), of the head.

    Raises:
        InputError: the file is missing, damaged, or of another model.
    """
    path = description.check_file(directory, HEAD)
    arrays = read_arrays(_read(path), str(path), ("weights", "biases"))
    weights, biases = arrays["weights"], arrays["biases"]
    if head_sha256(weights, biases) != description.head_sha256:
        raise InputError(f"{path} is damaged or of another model: {DESCRIPTION} names another head")
    if weights.shape[1:] != (len(description.classes),) or biases.shape != weights.shape[1:]:
        raise InputError(f"{path} has not as many classes as {DESCRIPTION}")
    return weights.astype(np.float32), biases.astype(np.float32)


def read_distances(directory: Path, description: ModelDescription) -> ClassDistances:
    """What the rule for unknown photos asks.

    Raises:
        InputError: the file is missing, damaged, or of another model.
    """
    path = description.check_file(directory, DISTANCES)
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
