"""Predictions of strangers: small on disk and huge in memory, or of other columns than ours."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from faults.test_hostile_manifest import MEGABYTE, constant, refusal_in_little_memory

from components.common.base.errors import InputError
from components.common.model.predictions import FIRST_SCHEMA
from programs.verify import predictions
from programs.verify.verify import Run

RUN = Run(ROOT / "tests" / "fixtures" / "format-1")
READ = f"""
import sys
from pathlib import Path
from programs.verify import predictions
predictions.check(Path(sys.argv[1]), Path({str(RUN.demo)!r}), Path({str(RUN.model)!r}))
"""


def check(path: Path) -> str:
    return predictions.check(path, RUN.demo, RUN.model)


def changed(change: Callable[[pa.Table], pa.Table], path: Path) -> Path:
    """The predictions of a sound run, changed."""
    pq.write_table(change(pq.read_table(RUN.predictions)), path)
    return path


def test_sound_predictions_are_read(tmp_path: Path) -> None:
    assert check(changed(lambda table: table, tmp_path / "p")).startswith("2 answers")


def test_ten_million_equal_rows_are_refused_in_little_memory(tmp_path: Path) -> None:
    rows = 10_000_000
    lists = pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], "double"))
    columns = [
        lists if field.name == "probabilities" else constant(field, rows) for field in FIRST_SCHEMA
    ]
    table = pa.table(columns, names=FIRST_SCHEMA.names)
    pq.write_table(table, tmp_path / "p", compression="zstd", store_schema=False)
    assert (tmp_path / "p").stat().st_size < MEGABYTE
    said = refusal_in_little_memory(tmp_path / "p", READ)
    assert "/p cannot be read: it claims 10000000 rows, at most 2 are expected" in said


def test_metadata_of_many_megabytes_is_refused_unread(tmp_path: Path) -> None:
    note = {b"note": b"x" * 17 * MEGABYTE}
    path = changed(lambda table: table.replace_schema_metadata(note), tmp_path / "p")
    with pytest.raises(InputError, match=r"/p cannot be read: its footer has \d+ bytes"):
        check(path)


def with_column(name: str, values: pa.Array) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_column("right", pa.array(["yes", "no"])), "other columns than expected"),
        (with_column("probability", pa.array(["0.5", "0.5"])), "other columns than expected"),
        (with_column("probabilities", pa.array([0.5, 0.5])), "other columns than expected"),
        (with_column("path", pa.array([{"a": 1}, {"a": 2}])), "other columns than expected"),
        (lambda table: table.drop_columns("predicted"), "other columns than expected"),
        (lambda table: table.append_column("x", table["path"]), "other columns than expected"),
        (with_column("label", pa.array([None, "x"])), "a value is missing"),
        (
            with_column("probabilities", pa.array([[0.5, None], [0.5, 0.5]])),
            "a value is missing",
        ),
        (with_column("predicted", pa.array(["x" * 70_000, "x"])), "a value of 'predicted' has"),
        (
            with_column("probabilities", pa.array([[0.5] * 20_000, [0.5]])),
            "a column of it claims 20001 values",
        ),
    ],
)
def test_other_columns_and_sizes_are_refused_in_a_short_message(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(InputError, match=f"/p cannot be read: .*{message}") as caught:
        check(changed(change, tmp_path / "p"))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_probabilities_that_are_none_are_no_answer(tmp_path: Path, value: float) -> None:
    values = pa.array([[value, 0.5], [0.5, 0.5]])
    with pytest.raises(InputError, match="does not follow from its probabilities"):
        check(changed(with_column("probabilities", values), tmp_path / "p"))
