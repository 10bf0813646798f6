"""What cross-validation answered: written by training, read by evaluation."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common.base.errors import InputError
from components.common.dataset.photo import Photo
from components.common.model import out_of_fold
from components.common.model.model import softmax

CLASSES = ("daisy", "rose", "tulip")
PHOTOS = [
    Photo(label, group=f"g{row // 2}", sha256=f"{row:064x}")
    for row, label in enumerate(("daisy", "rose", "tulip", "daisy"))
]
LOGITS = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32) * 3
TEMPERATURE = np.array([[1, 1, 2, 2], [0.5, 0.5, 1, 1]], np.float32)
UNKNOWN = np.array([[True, False, False, False], [False, False, False, True]])


def calibrated(temperature: np.ndarray) -> np.ndarray:
    flat = (LOGITS / temperature[..., None]).reshape(-1, 3)
    return softmax(flat).reshape(LOGITS.shape)


def write(path: Path) -> Path:
    out_of_fold.write(path, PHOTOS, calibrated(TEMPERATURE), TEMPERATURE, UNKNOWN)
    return path


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = out_of_fold.read(write(tmp_path / "answers"), CLASSES)
    assert list(found.photos) == PHOTOS
    assert np.array_equal(found.unknown, UNKNOWN)
    np.testing.assert_allclose(found.probabilities, calibrated(TEMPERATURE), rtol=1e-6)
    # Those of the network are had from the calibrated ones and the temperature.
    ones = np.ones_like(TEMPERATURE)
    np.testing.assert_allclose(found.uncalibrated, calibrated(ones), rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"probabilities": [[0.5, 0.5]] * 8}, "the same photos and classes"),
        ({"probabilities": [[0.5, 0.6, 1.5]] * 8}, "not within 0 to 1"),
        ({"probabilities": [[float("nan")] * 3] * 8}, "not within 0 to 1"),
        ({"round": [0] * 3 + [1] * 5}, "the same photos and classes"),
        ({"round": [1] * 8}, "the same photos and classes"),
        ({"round": [0, 1] * 4}, "not in order"),
        ({"temperature": [0.0] * 8}, "not above 0"),
        ({"label": ["moss"] * 8}, "none of the classes"),
    ],
)
def test_answers_that_no_training_wrote_are_refused(
    tmp_path: Path, changes: dict[str, list[object]], expected: str
) -> None:
    path = write(tmp_path / "answers")
    table = pq.read_table(path)
    for name, values in changes.items():
        place = table.schema.get_field_index(name)
        field = out_of_fold.SCHEMA.field(name)
        table = table.set_column(place, field, pa.array(values, field.type))
    pq.write_table(table, path)
    with pytest.raises(InputError, match=expected):
        out_of_fold.read(path, CLASSES)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no table" * 100])
def test_damaged_answers_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "answers").write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        out_of_fold.read(tmp_path / "answers", CLASSES)
