"""Reading a stranger's parquet file within limits: what is small on disk may be huge in memory.

Parquet repeats a value as often as it likes for a few bytes: kilobytes can hold a billion rows, or
a megabyte of text in each of a million rows. So types are exactly those that are expected, rows and
values are counted in the footer first, then what the pages unpack to, and texts are read as
dictionaries, each value once, and measured before they are spread over their rows.
"""

import contextlib
import io
import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.common.base.errors import InputError
from components.common.untrusted.parquet_pages import unpacked_bytes

# What a table may take in memory, whatever its rows, and beside that for each of them.
ALLOWANCE_BYTES = 64 * 1024**2
ROW_BYTES = 8 * 1024
MAX_TEXT_BYTES = 64 * 1024  # of one value
MAX_LISTED = 64  # values of a row's list, on the average
VALUE_BYTES = 16  # of each value of a list, beside what it says
FOOTER_MAX_BYTES = 16 * 1024**2  # a dataset of a million photos has 10 KB
# All that pyarrow writes by default. Others repeat a text by its length in common with the one
# before, so that it is large before it can be measured.
ENCODINGS = frozenset({"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"})
_MAGIC = b"PAR1"

Source = Path | bytes


def metadata(source: Source) -> dict[bytes, bytes]:
    """The key-value pairs of a file's schema.

    Raises:
        pa.ArrowException, OSError: it is no parquet file, or its footer is too large.
    """
    with opened(source) as file:
        return dict(file.schema_arrow.metadata or {})


def told_of(source: Source) -> dict[str, str]:
    """What a file says of itself: `metadata` as texts.

    Raises:
        pa.ArrowException, OSError: as of `metadata`.
    """
    return {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in metadata(source).items()
    }


def read(
    source: Source,
    schema: pa.Schema,
    *,
    most_rows: int,
    nullable: Collection[str] = (),
    most_listed: int = 0,
) -> pa.Table:
    """The table of a file that has exactly these columns, and a value in each place.

    Args:
        source: the file, or its content.
        schema: of the table; metadata is not compared.
        most_rows: that it may have.
        nullable: columns in which a value may be missing.
        most_listed: values that a column of lists may have in all, where they may be more than
            `MAX_LISTED` for each row.

    Raises:
        pa.ArrowException, OSError: it is damaged, has other columns, or is larger than this.
    """
    with opened(source) as file:
        if not file.schema_arrow.equals(schema):
            raise pa.ArrowInvalid(
                f"it has other columns than expected: {shown(file.schema_arrow.names)}"
            )
        most_bytes = check_footer(file.metadata, most_rows, most_listed)
    check_pages(source, file.metadata, range(file.metadata.num_columns), most_bytes)
    with opened(source, dictionaries=texts(file.metadata)) as file:
        # One after another: Arrow cannot put together lists of texts from several dictionaries.
        groups = [
            file.read_row_group(number, use_threads=False) for number in range(file.num_row_groups)
        ]
        table = pa.concat_tables(groups or [file.schema_arrow.empty_table()])
    check_texts(table, most_bytes)
    table = table.cast(schema)
    table.validate(full=True)  # strings that are no UTF-8
    for name in schema.names:
        if name not in nullable and _lacks_values(table.column(name)):
            raise pa.ArrowInvalid("a value is missing in it")
    return table


@contextlib.contextmanager
def explained(path: Path, max_bytes: int) -> Iterator[None]:
    """Name the file in errors.

    Raises:
        InputError: it is missing, too large or, by what the block raises, damaged.
    """
    if not path.is_file() or path.stat().st_size > max_bytes:
        raise InputError(f"{path} is missing or larger than {max_bytes} bytes")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _lacks_values(column: pa.ChunkedArray) -> bool:
    inner = pa.types.is_list(column.type) and any(
        chunk.flatten().null_count for chunk in column.chunks
    )
    return bool(column.null_count or inner)


def check_footer(about: pq.FileMetaData, most_rows: int, most_listed: int = 0) -> int:
    """How many bytes the table may take in memory, by its rows.

    Args:
        about: the footer.
        most_rows: as in `read`.
        most_listed: as in `read`.

    Raises:
        pa.ArrowInvalid: the footer names more than may be read, or odd encodings.
    """
    most_bytes: int = ALLOWANCE_BYTES + ROW_BYTES * about.num_rows
    if about.num_rows > most_rows:
        raise pa.ArrowInvalid(f"it claims {about.num_rows} rows, at most {most_rows} are expected")
    largest = 0
    listed = [0] * about.num_columns
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        for place in range(about.num_columns):
            column = group.column(place)
            unknown = set(column.encodings) - ENCODINGS
            if unknown:
                raise pa.ArrowInvalid(f"it has the encoding {shown(unknown)}, which is not read")
            listed[place] += column.num_values
            largest += column.total_uncompressed_size
    most_values = max(MAX_LISTED * about.num_rows, most_listed)
    if max(listed, default=0) > most_values:
        raise pa.ArrowInvalid(
            f"a column of it claims {max(listed)} values, at most {most_values} are expected"
        )
    if largest > most_bytes:
        raise pa.ArrowInvalid(f"it unpacks to {largest} bytes, at most {most_bytes} are expected")
    return most_bytes


def check_pages(
    source: Source, about: pq.FileMetaData, places: Iterable[int], most_bytes: int
) -> None:
    """Count what the pages of columns unpack to, before any is unpacked.

    Args:
        source: the file, or its content.
        about: its footer.
        places: of the columns that are to be read.
        most_bytes: that they may unpack to.

    Raises:
        pa.ArrowInvalid: it is more, or the pages are not where the footer says.
        OSError: the file cannot be read.
    """
    unpacked = 0
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        for number, place in itertools.product(range(about.num_row_groups), places):
            column = about.row_group(number).column(place)
            # 0 where there is no such page.
            offsets = filter(None, (column.dictionary_page_offset, column.data_page_offset))
            start = min(offsets, default=0)
            try:
                unpacked += unpacked_bytes(file, start, column.total_compressed_size)
            except ValueError as error:
                raise pa.ArrowInvalid(str(error)) from error
            if unpacked > most_bytes:
                raise pa.ArrowInvalid(
                    f"its pages unpack to {unpacked} bytes, at most {most_bytes} are expected"
                )


def is_text(kind: pa.DataType) -> bool:
    """True for texts, and for bytes, as which some programs write them."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(
        check(kind)
        for check in (
            *(pa.types.is_string, pa.types.is_large_string),
            *(pa.types.is_binary, pa.types.is_large_binary),
        )
    )


def shown(names: Iterator[str] | list[str] | set[str]) -> str:
    """A stranger's names for a message, not all of them."""
    text = ", ".join(repr(name) for name in sorted(names))
    return text if len(text) <= 200 else f"{text[:200]}…"


@contextlib.contextmanager
def opened(source: Source, dictionaries: list[str] | None = None) -> Iterator[pq.ParquetFile]:
    """A parquet file, once its footer is known to be of a size that may be read.

    Args:
        source: the file, or its content.
        dictionaries: paths of columns whose values are to be read once each, as `texts` gives them.

    Raises:
        pa.ArrowException, OSError: it is no parquet file, or its footer is too large.
    """
    _check_ends(source)
    # Not by its name: Arrow takes none that is no UTF-8.
    place = pa.BufferReader(source) if isinstance(source, bytes) else source.open("rb")
    # Pages that carry a checksum are held against it; others are read as they are.
    # Without `pre_buffer` Arrow begins no thread to read with: a process that ends right after that
    # may be aborted ("terminate called without an active exception").
    options = {
        "read_dictionary": dictionaries,
        "page_checksum_verification": True,
        "pre_buffer": False,
    }
    try:
        with place, pq.ParquetFile(place, **options) as file:
            yield file
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid(f"a name in it is not a text: {error}") from error


def _check_ends(source: Source) -> None:
    """Judge the size of the footer, which is read as a whole, by the file's last bytes."""
    if isinstance(source, bytes):
        end = source[-8:]
    else:
        with open(source, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - 8))
            end = file.read()
    if end[4:] != _MAGIC:
        raise pa.ArrowInvalid("it is not a parquet file")
    size = int.from_bytes(end[:4], "little")
    if size > FOOTER_MAX_BYTES:
        raise pa.ArrowInvalid(f"its footer has {size} bytes, at most {FOOTER_MAX_BYTES} are read")


def texts(about: pq.FileMetaData) -> list[str]:
    """Paths of the columns of texts or bytes."""
    columns = [about.schema.column(place) for place in range(about.num_columns)]
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def check_texts(table: pa.Table | pa.RecordBatch, most_bytes: int) -> None:
    """Measure what texts will take once each row has its own.

    Raises:
        pa.ArrowInvalid: one of them is too long, or all together are.
    """
    total = 0
    for name, column in zip(table.schema.names, table.columns, strict=True):
        for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            is_list = pa.types.is_list(chunk.type)
            values = chunk.flatten() if is_list else chunk
            if not pa.types.is_dictionary(values.type):
                continue
            total += VALUE_BYTES * len(values) if is_list else 0
            lengths = pc.binary_length(values.dictionary)
            if (pc.max(lengths).as_py() or 0) > MAX_TEXT_BYTES:
                raise pa.ArrowInvalid(
                    f"a value of {name!r:.40} has more than {MAX_TEXT_BYTES} bytes"
                )
            total += pc.sum(pc.take(lengths.cast(pa.int64()), values.indices)).as_py() or 0
    if total > most_bytes:
        raise pa.ArrowInvalid(f"its texts take {total} bytes, at most {most_bytes} are expected")


def rows_with_hashes(size_bytes: int) -> int:
    """How many rows a file of this size can have where each holds a hash of its own.

    A hash cannot be compressed; of each, 16 bytes are counted.
    """
    return size_bytes // 16 + 1000
