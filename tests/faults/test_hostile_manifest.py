"""Manifests of strangers: small on disk and huge in memory, or of other columns than ours."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import little_memory
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.dataset import (
    DESCRIPTION,
    MANIFEST,
    SCHEMA,
    Dataset,
    DatasetWriter,
    write_manifest,
)
from components.common.dataset.photo import Photo

MEGABYTE = 1024**2


def dataset(path: Path) -> list[Photo]:
    with DatasetWriter(path) as writer:
        return [writer.add(Photo("daisy"), bytes([number]) * 700) for number in range(3)]


def constant(field: pa.Field, rows: int, text: str = "x") -> pa.Array:
    """A column of one value, that takes next to nothing in the file."""
    if pa.types.is_list(field.type):
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], "str"))
    if pa.types.is_string(field.type):
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array([text]))
    return pa.array(np.zeros(rows, np.int64)).cast(field.type)


def bomb(path: Path, rows: int, **texts: str) -> None:
    """A manifest of so many equal rows."""
    columns = [constant(field, rows, texts.get(field.name, "x")) for field in SCHEMA]
    table = pa.table(columns, names=SCHEMA.names)
    with pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table, row_group_size=rows)
        writer.add_key_value_metadata(SCHEMA.metadata)
    reseal(path.with_name(DESCRIPTION))


def refusal_in_little_memory(path: Path, code: str, megabytes: int = 900) -> str:
    """What a process that may take so much memory says of a file; it must be an `InputError`.

    A limit that is passed kills nobody: memory is refused, and Arrow aborts the process.
    """
    done = little_memory.run(code, str(path), megabytes=megabytes, timeout_s=60)
    assert "InputError" in done.stderr.splitlines()[-1], done.stderr[-2000:]
    return done.stderr.splitlines()[-1]


READ = "import sys; from components.common.dataset.dataset import Dataset; Dataset(sys.argv[1])"


def test_manifest_of_millions_of_equal_rows_is_refused_in_little_memory(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    bomb(tmp_path / "d" / MANIFEST, 4_000_000)
    assert (tmp_path / "d" / MANIFEST).stat().st_size < MEGABYTE
    said = refusal_in_little_memory(tmp_path / "d", READ)
    assert "manifest.parquet cannot be read: it claims 4000000 rows, at most 20 are" in said


def test_long_text_in_every_row_is_refused_in_little_memory(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    # A shard that could hold so many photos: sparse, as a stranger may send it.
    with open(tmp_path / "d" / "images-00000.tar", "r+b") as shard:
        shard.truncate(100_000 * 512)
    bomb(tmp_path / "d" / MANIFEST, 100_000, title="x" * 60_000)
    assert (tmp_path / "d" / MANIFEST).stat().st_size < MEGABYTE
    assert "its texts take 6" in refusal_in_little_memory(tmp_path / "d", READ)


def test_text_of_megabytes_is_refused(tmp_path: Path) -> None:
    photos = dataset(tmp_path / "d")
    wordy = dataclasses.replace(photos[1], author="x" * 70_000)
    write_manifest([photos[0], wordy], _manifest(tmp_path))
    with pytest.raises(InputError, match="a value of 'author' has more than 65536 bytes"):
        Dataset(tmp_path / "d")


def _manifest(folder: Path) -> Path:
    return folder / "d" / MANIFEST


def test_list_of_a_million_flags_is_refused(tmp_path: Path) -> None:
    photos = dataset(tmp_path / "d")
    many = dataclasses.replace(photos[0], flags=("blurred",) * 1_000_000)
    write_manifest([many], _manifest(tmp_path))
    with pytest.raises(InputError, match="a column of it claims 1000000 values"):
        Dataset(tmp_path / "d")


def test_footer_of_many_megabytes_is_refused_unread(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    table = pq.read_table(_manifest(tmp_path))
    more = {**SCHEMA.metadata, b"note": b"x" * 17 * MEGABYTE}
    pq.write_table(table.replace_schema_metadata(more), _manifest(tmp_path))
    with pytest.raises(InputError, match=r"its footer has \d+ bytes, at most 16777216 are read"):
        Dataset(tmp_path / "d")
    (tmp_path / "d" / MANIFEST).write_bytes(b"PAR1" + (2**32 - 1).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(InputError, match="its footer has 4294967295 bytes"):
        Dataset(tmp_path / "d")


def test_encoding_that_repeats_texts_unseen_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    table = pq.read_table(_manifest(tmp_path))
    encoding = {"title": "DELTA_BYTE_ARRAY"}
    pq.write_table(table, _manifest(tmp_path), use_dictionary=False, column_encoding=encoding)
    reseal(tmp_path / "d" / DESCRIPTION)
    with pytest.raises(InputError, match="it has the encoding 'DELTA_BYTE_ARRAY'"):
        Dataset(tmp_path / "d")


def nan_offset(table: pa.Table) -> pa.Table:
    values = pa.array([float("nan")] * len(table))
    return table.set_column(table.schema.get_field_index("offset"), "offset", values)


def nested(table: pa.Table) -> pa.Table:
    values = pa.array([{"a": {"b": [1, 2]}}] * len(table))
    return table.set_column(table.schema.get_field_index("author"), "author", values)


def a_thousand_columns(table: pa.Table) -> pa.Table:
    for number in range(1000):
        table = table.append_column(f"<script>{number}", table.column("label"))
    return table


@pytest.mark.parametrize("change", [nan_offset, nested, a_thousand_columns])
def test_other_types_are_refused_in_a_short_message(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    dataset(tmp_path / "d")
    changed = change(pq.read_table(_manifest(tmp_path)))
    pq.write_table(changed.replace_schema_metadata(SCHEMA.metadata), _manifest(tmp_path))
    reseal(tmp_path / "d" / DESCRIPTION)
    with pytest.raises(InputError, match="other columns than expected") as caught:
        Dataset(tmp_path / "d")
    assert len(str(caught.value)) < 600
