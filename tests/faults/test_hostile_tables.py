"""Parquet files of strangers, small on disk and huge in memory; and honest ones."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.untrusted import tables


def test_ledger_of_a_million_equal_rows_is_refused(tmp_path: Path) -> None:
    rows = 1_000_000
    same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["training"]))
    columns = [same] * len(ledger.SCHEMA)
    table = pa.table(columns, names=ledger.SCHEMA.names)
    pq.write_table(table, tmp_path / ledger.FILE_NAME, store_schema=False)
    with pytest.raises(InputError, match="it claims 1000000 rows, at most"):
        ledger.read(str(tmp_path))


def test_ledger_names_a_wrong_part_in_a_short_message(tmp_path: Path) -> None:
    ledger.write([("daisy", "a" * 40, "x" * 60_000)], tmp_path / ledger.FILE_NAME)
    with pytest.raises(InputError, match="names the part 'xxx") as caught:
        ledger.read(str(tmp_path))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("use_dictionary", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_honest_tables_come_back_as_they_are(
    tmp_path: Path, rows: int, use_dictionary: bool
) -> None:
    schema = pa.schema(
        [("a", pa.string()), ("b", pa.list_(pa.string())), ("c", pa.binary()), ("d", pa.int64())]
    )
    table = pa.table(
        [
            pa.array([f"ü {row % 7}" for row in range(rows)]),
            pa.array([["x"] * (row % 3) for row in range(rows)], pa.list_(pa.string())),
            pa.array([bytes([row % 251]) * (row % 11) for row in range(rows)], pa.binary()),
            pa.array(range(rows), pa.int64()),
        ],
        schema=schema,
    )
    pq.write_table(table, tmp_path / "t", use_dictionary=use_dictionary, row_group_size=1000)
    for source in (tmp_path / "t", (tmp_path / "t").read_bytes()):
        assert tables.read(source, schema, most_rows=rows).equals(table)


def test_name_of_a_column_that_is_no_text_is_refused(tmp_path: Path) -> None:
    # Found by the test of damaged manifests: pyarrow raises a UnicodeDecodeError for it.
    ledger.write([("daisy", "a" * 40, "test")], tmp_path / ledger.FILE_NAME)
    data = (tmp_path / ledger.FILE_NAME).read_bytes()
    (tmp_path / ledger.FILE_NAME).write_bytes(data.replace(b"label", b"\xffabel"))
    with pytest.raises(InputError, match="a name in it is no text"):
        ledger.read(str(tmp_path))
