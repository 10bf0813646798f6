"""The model artifact: reading it, and predicting with it without TensorFlow."""

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common import backbone, images
from components.common.architecture import parse_architecture
from components.common.batches import batched
from components.common.errors import InputError

FORMAT = "wild-mushrooms-model"
FORMAT_VERSION = 1
DESCRIPTION = "model.json"
DESCRIPTION_MAX_BYTES = 1024 * 1024
LITERT = "model.tflite"
KERAS = "model.keras"
SAVED_MODEL = "saved_model"
FROZEN = "retrained_graph.pb"
INT8 = "model-int8.tflite"
LABELS = "retrained_labels.txt"
REFERENCES = "references.npz"
REFERENCES_MAX_BYTES = 1024**3
LEAST = np.float32(1e-30)  # probability whose logarithm is taken instead of that of 0

BLOCK_ROWS = 1024  # rows compared at once: bounds memory at 4 x BLOCK_ROWS x M bytes

# Names of the LiteRT signature's outputs.
SCORES = "final_result"
BOTTLENECK = "bottleneck"
FEATURES = "features"


@dataclass(frozen=True)
class UnknownRule:
    """When to answer "none of these".

    Attributes:
        min_probability: a calibrated probability of the likeliest class below this is undecided.
        min_similarity: photos less similar than this to the training photos show something else.
        neighbours: over how many of the nearest training photos the similarity is the mean.
        false_rejection_rate: at most this share of the photos that the rule was fitted on (scored
            by heads that had not seen them) is rejected.
    """

    min_probability: float
    min_similarity: float
    neighbours: int
    false_rejection_rate: float

    def rejects(
        self, probability: NDArray[np.float32], alike: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether each of N photos is none of the classes.

        Args:
            probability: float32, shape (N,), calibrated, of the likeliest class.
            alike: float32, shape (N,), from `similarity`.
        """
        return (probability < self.min_probability) | (alike < self.min_similarity)


@dataclass(frozen=True)
class ModelDescription:
    """What `model.json` says.

    Attributes:
        classes: class names in the order of the scores.
        architecture: of the backbone.
        input_size: pixels of the square input.
        weights_sha256: of the pretrained weights.
        head_sha256: of the trained head's weights and biases.
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
    """

    classes: tuple[str, ...]
    architecture: str
    input_size: int
    weights_sha256: str
    head_sha256: str
    manifest_sha256: str
    version: str
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
    format: str = FORMAT
    format_version: int = FORMAT_VERSION


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


def read_description(directory: Path) -> ModelDescription:
    """Read and check `model.json`.

    Raises:
        InputError: the directory is no model of this program, or of another format version.
    """
    path = directory / DESCRIPTION
    if not path.is_file():
        problem = f"there is no {DESCRIPTION} in it" if directory.is_dir() else "no such directory"
        raise InputError(f"{directory} is no model directory: {problem}")
    if path.stat().st_size > DESCRIPTION_MAX_BYTES:
        raise InputError(f"{path} is larger than {DESCRIPTION_MAX_BYTES} bytes")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT or content.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"{path} has format {content.get('format')!r} version "
                f"{content.get('format_version')!r}; this program reads {FORMAT} {FORMAT_VERSION}"
            )
        unknown = UnknownRule(**content["unknown"]) if content.get("unknown") else None
        description = ModelDescription(
            **{**content, "classes": tuple(content["classes"]), "unknown": unknown}
        )
        parse_architecture(description.architecture)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return description


class Model:
    """A trained model, run by LiteRT on the CPU.

    Args:
        directory: the model artifact.

    Raises:
        InputError: it is no model directory.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.description = read_description(self.directory)
        self._run = backbone.make_interpreter(self.directory / LITERT)
        self._references: NDArray[np.float32] | None = None

    def __call__(self, batch: NDArray[np.float32]) -> Scores:
        """Scores of a batch, float32 of shape (N, size, size, 3), RGB, -1 to 1."""
        outputs = self._run(input=batch)
        return Scores(outputs[SCORES], outputs[BOTTLENECK], outputs[FEATURES])

    def calibrated(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities after the temperature, float32 of shape (N, classes)."""
        if self.description.temperature is None:
            return probabilities
        logits = np.log(np.maximum(probabilities, LEAST)) / np.float32(self.description.temperature)
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
        return found

    def similarity(self, bottlenecks: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """How alike photos are to the training photos, float32 of shape (N,).

        None where the model has no rule to compare that with.

        Raises:
            InputError: the references are missing or damaged.
        """
        rule = self.description.unknown
        if rule is None:
            return None
        if self._references is None:
            self._references = read_references(self.directory)
        return similarity(unit_length(bottlenecks), self._references, rule.neighbours)

    def predict(self, photos: Iterable[bytes], *, batch: int = 16) -> Iterator[NDArray[np.float32]]:
        """Class probabilities, float32 of shape (classes,), for each encoded photo in order.

        Raises:
            BadPhoto: one of them is no usable photo.
        """
        size = self.description.input_size
        with ThreadPoolExecutor(backbone.THREADS) as pool:
            for chunk in batched(photos, batch):
                inputs = list(pool.map(lambda data: images.model_input(data, size), chunk))
                yield from self(np.stack(inputs)).probabilities


def read_references(directory: Path) -> NDArray[np.float32]:
    """Directions of the training photos' bottlenecks, float32 of shape (M, D).

    Raises:
        InputError: the file is missing, too large or damaged.
    """
    path = directory / REFERENCES
    if not path.is_file() or path.stat().st_size > REFERENCES_MAX_BYTES:
        raise InputError(f"{path} is missing or larger than {REFERENCES_MAX_BYTES} bytes")
    try:
        with np.load(path, allow_pickle=False) as stored:
            vectors: NDArray[np.float32] = stored["vectors"].astype(np.float32)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
        raise InputError(f"{path} holds no finite matrix")
    return vectors


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of float32 (N, D) at length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows: NDArray[np.float32] = np.divide(
        vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0
    )
    return rows


def similarity(
    photos: NDArray[np.float32],
    references: NDArray[np.float32],
    neighbours: int,
    *,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Mean cosine of each photo's bottleneck with those of its nearest references.

    Args:
        photos: float32, shape (N, D), rows of length 1.
        references: float32, shape (M, D), rows of length 1.
        neighbours: how many of the nearest count; all where there are fewer.
        groups: int64, shape (N,), where photos and references are the same rows: those of a
            photo's own group are left out.

    Returns:
        float32, shape (N,).
    """
    found = np.empty(len(photos), np.float32)
    for start in range(0, len(photos), BLOCK_ROWS):
        cosines = photos[start : start + BLOCK_ROWS] @ references.T
        if groups is not None:
            cosines[groups[start : start + BLOCK_ROWS, None] == groups[None, :]] = -1
        count = min(neighbours, cosines.shape[1])
        found[start : start + BLOCK_ROWS] = np.partition(cosines, -count, axis=1)[:, -count:].mean(
            axis=1
        )
    return found


def top_k(
    probabilities: NDArray[np.float32], classes: Iterable[str], count: int
) -> list[tuple[str, float]]:
    """The `count` likeliest classes with their probabilities, likeliest first."""
    names = list(classes)
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(names[index], float(probabilities[index])) for index in order]
