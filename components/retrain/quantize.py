"""The int8 form: made, measured on photos that the scoring head had not seen, and judged."""

import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.batches import in_turn
from components.common.base.shares import Z
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING
from components.common.model import layout
from components.common.network import backbone
from components.common.network.convert import INPUT
from components.common.photos import images
from components.retrain import export
from components.retrain.calibrate import OutOfFold
from components.retrain.photo_batches import inputs

CALIBRATION_PHOTOS = 50
MEASURED_PHOTOS = 1000
MAX_LOSS = 0.01  # of accuracy, by the lower bound: one photo of 98 is more, and says nothing
BATCH = 16


@dataclass(frozen=True)
class Int8:
    """How the int8 form does beside the float32 form, on the same photos.

    Attributes:
        shipped: False where it surely loses more than `MAX_LOSS`.
        photos: how many were measured: of the training and validation parts, each scored by a head
            that had not seen it.
        agreement: share of photos that both forms give the same class.
        accuracy: of the int8 form.
        float_accuracy: of the float32 form.
        loss: of accuracy, float32 less int8, paired.
        interval: 95 % interval of the loss (normal approximation of the paired differences).
    """

    shipped: bool
    photos: int
    agreement: float
    accuracy: float
    float_accuracy: float
    loss: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Tried:
    """The int8 form, and what it sees on photos.

    Attributes:
        form: it.
        rows: which photos it looked at, int64 (N,).
        vectors: their bottlenecks, float32 (N, D).
    """

    form: bytes
    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]


def make(float_model: bytes, dataset: Dataset, size: int) -> bytes:
    """The int8 form, with the ranges that a few training photos of every class show.

    Args:
        float_model: the model as LiteRT, float32.
        dataset: where the photos are.
        size: pixels of the model's input.
    """
    chosen = _from_every_class([photo for photo in dataset.photos if photo.split == TRAINING])
    samples = (images.model_input(dataset.read(photo), size)[None] for photo in chosen)
    return to_int8(float_model, samples)


def to_int8(float_model: bytes, samples: Iterable[NDArray[np.float32]]) -> bytes:
    """LiteRT with int8 weights and activations; inputs and outputs stay float32.

    The two halves of what TensorFlow's converter does after converting: it has no public way to
    begin with what is converted already.

    Args:
        float_model: what `export.write` wrote as `model.tflite`.
        samples: batches of the model's input, float32 (1, size, size, 3), that show the range of
            its activations.
    """
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors

    fed = ((export.INSPECT, {INPUT: sample}) for sample in samples)
    calibrated = Calibrator(add_intermediate_tensors(float_model)).calibrate(lambda: fed)
    with backbone.without_notice(b"fully_quantize"):
        quantized: bytes = mlir_quantize(calibrated)
    return quantized


def tried(float_model: Path, dataset: Dataset, photos: Sequence[Photo], size: int) -> Tried:
    """Make the int8 form, and let it look at photos.

    Args:
        float_model: the float32 form.
        dataset: where the photos are.
        photos: of the training and validation parts; at most `MEASURED_PHOTOS` are looked at.
        size: pixels of the model's input.
    """
    form = make(float_model.read_bytes(), dataset, size)
    rows = np.arange(len(photos))
    if len(rows) > MEASURED_PHOTOS:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:MEASURED_PHOTOS])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, layout.INT8)
        path.write_bytes(form)
        run = backbone.make_interpreter(path)
    batches = inputs(dataset, [photos[row] for row in rows.tolist()], size, BATCH)
    found = np.concatenate([run(input=batch)[layout.BOTTLENECK] for batch in batches])
    return Tried(form, rows, found)


def measure(tried: Tried, scored: OutOfFold) -> Int8:
    """Compare the int8 model's bottlenecks with the float32 ones, under the same heads.

    Args:
        tried: the int8 form and what it sees.
        scored: scores of the same photos from their float32 bottlenecks.
    """
    rows = tried.rows
    vectors = np.zeros_like(scored.examples.vectors)
    vectors[rows] = tried.vectors
    labels = scored.examples.labels[rows]
    exact = scored.logits[rows].argmax(axis=1)
    coarse = scored.logits_of(vectors)[rows].argmax(axis=1)
    lost = (exact == labels).astype(np.float64) - (coarse == labels)
    half = Z * float(lost.std()) / math.sqrt(len(lost))
    loss = float(lost.mean())
    return Int8(
        shipped=loss - half <= MAX_LOSS,
        photos=len(rows),
        agreement=float((exact == coarse).mean()),
        accuracy=float((coarse == labels).mean()),
        float_accuracy=float((exact == labels).mean()),
        loss=loss,
        interval=(loss - half, loss + half),
    )


def _from_every_class(photos: Sequence[Photo]) -> list[Photo]:
    """Photos of every class in turn, by the hash of their bytes."""
    by_class: dict[str, list[Photo]] = {}
    for photo in sorted(photos, key=lambda photo: (photo.label, photo.sha256)):
        by_class.setdefault(photo.label, []).append(photo)
    return list(islice(in_turn(by_class.values()), CALIBRATION_PHOTOS))
