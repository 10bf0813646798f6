"""out_of_fold.parquet of a model: what cross-validation answered.

Each photo is answered by a head that saw neither it nor another photo of its group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.dataset.photo import Photo
from components.common.untrusted import tables

MAX_BYTES = 512 * 1024**2
MAX_PROBABILITIES = 50_000_000  # in one file
MOST_ROWS = 1_000_000
SCHEMA = pa.schema(
    [
        ("label", pa.string()),
        ("group", pa.string()),
        ("sha256", pa.string()),
        ("round", pa.int32()),
        ("temperature", pa.float32()),
        ("unknown", pa.bool_()),
        ("probabilities", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class OutOfFoldAnswers:
    """R rounds of answers to N photos.

    Attributes:
        photos: label, group and SHA-256 of each photo.
        probabilities: float64, shape (R, N, classes), calibrated.
        uncalibrated: the same at a temperature of 1.
        unknown: bool, shape (R, N), called none of the classes.
    """

    photos: tuple[Photo, ...]
    probabilities: NDArray[np.float64]
    uncalibrated: NDArray[np.float64]
    unknown: NDArray[np.bool_]


def write(
    path: Path,
    photos: Sequence[Photo],
    probabilities: NDArray[np.float32],
    temperature: NDArray[np.float32],
    unknown: NDArray[np.bool_],
) -> None:
    """Write the answers.

    Args:
        path: of the file.
        photos: N of them.
        probabilities: float32, shape (R, N, classes), calibrated.
        temperature: float32, shape (R, N), that each answer was calibrated with.
        unknown: bool, shape (R, N).
    """
    rounds = len(probabilities)
    columns: dict[str, object] = {
        name: [getattr(photo, name) for photo in photos] * rounds
        for name in ("label", "group", "sha256")
    }
    columns["round"] = np.repeat(np.arange(rounds, dtype=np.int32), len(photos))
    columns["temperature"] = temperature.ravel()
    columns["unknown"] = unknown.ravel()
    columns["probabilities"] = list(probabilities.reshape(-1, probabilities.shape[-1]))
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    pq.write_table(pa.table(arrays, schema=SCHEMA), path, compression="zstd")


def read(path: Path, classes: Sequence[str]) -> OutOfFoldAnswers:
    """Read the answers.

    Args:
        path: of the file.
        classes: of the model.

    Raises:
        InputError: the file is missing or damaged, or its answers are not of these classes.
    """
    with tables.explained(path, MAX_BYTES):
        table = tables.read(path, SCHEMA, most_rows=MOST_ROWS, most_listed=MAX_PROBABILITIES)
    number = table.column("round").to_numpy()
    count = int((number == 0).sum())
    rounds = len(number) // max(1, count)
    lists = table.column("probabilities").combine_chunks()
    lengths = lists.value_lengths().to_numpy()
    if not count or rounds * count != len(number) or (lengths != len(classes)).any():
        raise InputError(f"{path} cannot be read: its rounds have not the same photos and classes")
    if (number != np.repeat(np.arange(rounds), count)).any():
        raise InputError(f"{path} cannot be read: its rounds are not in order")
    probabilities = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    if not np.isfinite(probabilities).all() or probabilities.min() < 0 or probabilities.max() > 1:
        raise InputError(f"{path} cannot be read: its probabilities are not within 0 to 1")
    temperature = table.column("temperature").to_numpy().astype(np.float64)
    if not np.isfinite(temperature).all() or temperature.min() <= 0:
        raise InputError(f"{path} cannot be read: its temperatures are not above 0")
    probabilities = probabilities.reshape(len(number), -1)
    rows = table.slice(0, count).select(["label", "group", "sha256"]).to_pylist()
    photos = tuple(Photo(**row) for row in rows)
    if strange := {photo.label for photo in photos} - set(classes):
        raise InputError(f"{path} cannot be read: {min(strange)!r:.80} is none of the classes")
    return OutOfFoldAnswers(
        photos,
        probabilities.reshape(rounds, count, -1),
        _at_temperature_1(probabilities, temperature).reshape(rounds, count, -1),
        table.column("unknown").to_numpy().astype(bool).reshape(rounds, count),
    )


def _at_temperature_1(
    probabilities: NDArray[np.float64], temperature: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Softmax of the logits, (N, classes), from that of the logits over temperatures (N,)."""
    largest = probabilities.max(axis=1, keepdims=True)
    powers = np.power(probabilities / np.where(largest > 0, largest, 1), temperature[:, None])
    plain: NDArray[np.float64] = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300)
    return plain
