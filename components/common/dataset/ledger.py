"""The ledger of a run, split.parquet: which part it gave each group, for later runs to keep to."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.base.errors import InputError
from components.common.dataset.vocabulary import PARTS, SURPLUS
from components.common.store import storage
from components.common.untrusted import sealed, tables

FILE_NAME = "split.parquet"
MAX_BYTES = 256 * 1024**2  # about 5,000,000 groups
# The first had no metadata.
KIND = sealed.Kind(
    *("the ledger", "wild-mushrooms-ledger", (0, 1)),
    sealed_since=0,
    again="give no ledger, and photos may change their parts",
)
SCHEMA = pa.schema(
    [("label", pa.string()), ("group", pa.string()), ("split", pa.string())],
    metadata={name: str(value) for name, value in KIND.head.items()},
)


def write(rows: Iterable[tuple[str, str, str]], path: Path) -> None:
    """Write (label, group, split) rows: what a later run needs to leave every photo in its part."""
    columns = list(zip(*sorted(rows), strict=True)) or [(), (), ()]
    arrays = [pa.array(column, pa.string()) for column in columns]
    table = pa.table(arrays, schema=SCHEMA)
    pq.write_table(table, path, write_page_checksum=True)


def read(place: str) -> dict[tuple[str, str], str]:
    """The part of each (label, group) that an earlier run placed; its surplus is free again.

    Args:
        place: as of `read_rows`, which raises the same errors.
    """
    rows = read_rows(place)
    return {(label, group): part for label, group, part in rows if part != SURPLUS}


def read_rows(place: str) -> list[tuple[str, str, str]]:
    """The rows of a ledger: label, group, part.

    Args:
        place: the file `split.parquet`, or a folder that holds it; a path, gs://… or s3://….

    Raises:
        InputError: the file is missing, no ledger, of a version that is not read, or names a part
            that there is not.
    """
    is_file = place.endswith(".parquet") if storage.is_uri(place) else Path(place).is_file()
    path = place if is_file else f"{place.rstrip('/')}/{FILE_NAME}"
    data = storage.read_place(path, max_bytes=MAX_BYTES)
    try:
        KIND.check_texts(tables.told_of(data), path)
        most_rows = tables.rows_with_hashes(len(data))
        table = tables.read(data, SCHEMA, most_rows=most_rows)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is no ledger of an earlier run: {error}") from error
    rows = list(zip(*table.to_pydict().values(), strict=True))
    for _, _, part in rows:
        if part not in (*PARTS, SURPLUS):
            raise InputError(f"{path} names the part {part!r:.40}: expected one of {PARTS}")
    return rows
