"""Parquet files of strangers, small on disk and huge in memory; and honest ones."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.dataset.dataset import SCHEMA as MANIFEST_SCHEMA
from components.common.model import references
from components.common.untrusted import tables
from components.common.web.fetch import Fetcher
from components.download.sources import urls


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
    with pytest.raises(InputError, match="a name in it is not a text"):
        ledger.read(str(tmp_path))


ADDRESS = "http://127.0.0.1:9/x.jpg"
LONG = "q" * 60_000


def again(value: object, kind: pa.DataType, count: int) -> pa.Array:
    """A value as often as is wanted; on disk it is there once."""
    return pa.array([value], kind).take(pa.array([0] * count))


def offsets(count: int, each: int) -> pa.Array:
    return pa.array(range(0, count * each + 1, each), pa.int32())


# A column `url` of a type that is none of text's: each takes gigabytes, or trips over a conversion.
# Made when its test runs: all of them together are 1.6 GB, which would stay with each worker.
TYPES: dict[str, Callable[[], pa.Array]] = {
    "fixed size": lambda: again(b"h" * 30_000, pa.binary(30_000), 3000),
    "struct": lambda: pa.StructArray.from_arrays([again(LONG, pa.string(), 1500)], ["a"]),
    "list": lambda: pa.ListArray.from_arrays(offsets(100, 50), again(LONG, pa.string(), 5000)),
    "large list": lambda: pa.LargeListArray.from_arrays(
        offsets(100, 50).cast(pa.int64()), again(LONG, pa.string(), 5000)
    ),
    "fixed list": lambda: pa.FixedSizeListArray.from_arrays(again(LONG, pa.string(), 5000), 50),
    "map": lambda: pa.MapArray.from_arrays(
        offsets(100, 50), pa.array(map(str, range(5000))), again(LONG, pa.string(), 5000)
    ),
    "lists of lists": lambda: pa.ListArray.from_arrays(
        offsets(100, 1),
        pa.ListArray.from_arrays(offsets(100, 50), again(LONG, pa.string(), 5000)),
    ),
    "nothing": lambda: pa.nulls(100_000),
    "time": lambda: pa.array([2**62] * 100, pa.timestamp("us")),
    "time zone": lambda: pa.array([1] * 100, pa.timestamp("us", tz="No/Where")),
    "decimal": lambda: pa.array([1] * 100).cast(pa.decimal128(38, 0)),
    "duration": lambda: pa.array([2**62] * 100, pa.duration("us")),
    "date": lambda: pa.array([2**30] * 100, pa.date32()),
    "time of day": lambda: pa.array([2**60] * 100, pa.time64("us")),
    "number": lambda: pa.array([1.5] * 100, pa.float32()),
    "yes or no": lambda: pa.array([True] * 100),
}


def listed(path: Path) -> list[str]:
    with Fetcher(path.parent / "cache") as fetcher:
        return list(urls.labels(str(path), fetcher))


@pytest.mark.parametrize("kind", TYPES)
def test_list_of_addresses_has_texts_and_nothing_else(tmp_path: Path, kind: str) -> None:
    column = TYPES[kind]()
    path = tmp_path / "list.parquet"
    table = pa.table({"url": column, "label": ["daisy"] * len(column)})
    pq.write_table(table, path, compression="zstd")
    with pytest.raises(InputError, match=r"the column 'url' is of the type .*, not of text"):
        listed(path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["url", "url"], "has a column twice"),
        (["url", " URL", "label"], "has a column twice"),
        (["label", "License", "licence", "url"], "has a column twice"),
        (["label"], "has no column `url`"),
    ],
)
def test_columns_are_there_once(tmp_path: Path, columns: list[str], said: str) -> None:
    table = pa.table([pa.array([ADDRESS])] * len(columns), names=columns)
    pq.write_table(table, tmp_path / "list.parquet")
    with pytest.raises(InputError, match=said):
        listed(tmp_path / "list.parquet")


def test_texts_of_other_programs_are_taken(tmp_path: Path) -> None:
    rows = [f"{ADDRESS}?{number}" for number in range(4)]
    labels = pa.array(["a", "b"] * 2).dictionary_encode()
    for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        table = pa.table({"url": pa.array(rows, kind), "label": labels, "title": range(4)})
        pq.write_table(table, tmp_path / "list.parquet")
        assert listed(tmp_path / "list.parquet") == ["a", "b"]


def manifest(rows: int, each: int) -> pa.Table:
    """A dataset's rows, each with so many flags."""
    flags = pa.array(["ab", "cd"]).take(pa.array(np.arange(rows * each) % 2))
    columns = {
        field.name: pa.ListArray.from_arrays(offsets(rows, each), flags)
        if field.name == "flags"
        else pa.array(np.zeros(rows), field.type)
        if pa.types.is_integer(field.type)
        else pa.array(["x"] * rows, field.type)
        for field in MANIFEST_SCHEMA
    }
    return pa.table(columns, schema=MANIFEST_SCHEMA)


def test_rows_have_no_more_flags_than_there_are(tmp_path: Path) -> None:
    pq.write_table(manifest(2000, 4096), tmp_path / "many", compression="zstd")
    with pytest.raises(pa.ArrowInvalid, match="a column of it claims 8192000 values"):
        tables.read(tmp_path / "many", MANIFEST_SCHEMA, most_rows=2000)
    pq.write_table(manifest(200, 30), tmp_path / "few", compression="zstd")
    assert tables.read(tmp_path / "few", MANIFEST_SCHEMA, most_rows=200).num_rows == 200


def test_references_have_vectors_for_those_that_are_shown(tmp_path: Path) -> None:
    rows = 3000
    vectors = pa.ListArray.from_arrays(
        offsets(rows, 4096), pa.array(np.zeros(rows * 4096, np.float16))
    )
    columns = {
        field.name: vectors if field.name == "vector" else pa.array(["x"] * rows, field.type)
        for field in references.SCHEMA
        if field.name != "thumbnail"
    }
    columns["thumbnail"] = pa.array([np.random.default_rng(0).bytes(60_000)] + [b""] * (rows - 1))
    table = pa.table(columns).select(references.SCHEMA.names)
    pq.write_table(table, tmp_path / "references.parquet", compression="zstd")
    with pytest.raises(InputError, match=r"claims 12288000 values"):
        references.References(tmp_path / "references.parquet")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["zstd", "none", "snappy"])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_pages_are_counted_as_the_footer_counts_them(
    tmp_path: Path, version: str, compression: str, use_dictionary: bool
) -> None:
    path = tmp_path / "t"
    pq.write_table(
        manifest(5000, 3),
        path,
        compression=compression,
        use_dictionary=use_dictionary,
        data_page_version=version,
        row_group_size=2000,
        data_page_size=10_000,
        write_page_checksum=True,
    )
    about = pq.ParquetFile(path).metadata
    places = range(about.num_columns)
    whole = sum(
        about.row_group(group).column(place).total_uncompressed_size
        for group in range(about.num_row_groups)
        for place in places
    )
    tables.check_pages(path, about, places, whole)  # the footer counts the headers as well
    with pytest.raises(pa.ArrowInvalid, match="its pages unpack to"):
        tables.check_pages(path.read_bytes(), about, places, whole // 4)


def test_page_that_says_more_than_the_footer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ledger.FILE_NAME
    ledger.write([("daisy", "a" * 40, "test")], path)
    about = pq.ParquetFile(path).metadata
    column = about.row_group(0).column(0)
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    # Field 2 of the page's header, the size that it unpacks to: another 128 MB.
    assert data[start : start + 3 : 2] == b"\x15\x15"
    data[start + 3 : start + 4] = bytes([data[start + 3] | 0x80, 0x80, 0x80, 0x80, 0x01])
    with pytest.raises(pa.ArrowInvalid, match=r"unpack to \d{8,} bytes|past its column"):
        tables.check_pages(bytes(data), about, range(3), 10**6)


def test_reading_begins_no_thread_that_could_abort_a_process_that_ends(tmp_path: Path) -> None:
    """Arrow's own, begun a moment before the end, ended one in fifty commands by signal 6."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads are counted on Linux only")
    ledger.write({("daisy", "1" * 40, "training")}, tmp_path / ledger.FILE_NAME)
    code = (
        "import os, sys\n"
        "from components.common.dataset import ledger\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "assert len(ledger.read(sys.argv[1])) == 1\n"
        "print(before, len(os.listdir('/proc/self/task')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = map(int, done.stdout.split())
    assert after == before
