"""left_out.parquet of a dataset: photos that belong beside it, and are not copied into it.

`curate` leaves photos out of the training part that look like another class. Whoever measures by
cross-validation how good models of this recipe are has to ask about them too: without them, the
photos would be easier than those that people will bring. The pictures are among the rejects.
Beside the rejects stands the surplus: good photos that there were enough of. Their pictures are in
what `clean` took.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.dataset.photo import Photo, check_label
from components.common.untrusted import tables

FILE_NAME = "left_out.parquet"
MAX_BYTES = 256 * 1024**2
SCHEMA = pa.schema([(name, pa.string()) for name in ("label", "group", "sha256")])


def write(photos: Sequence[Photo], path: Path) -> None:
    """Write label, group and SHA-256 of photos, in their order."""
    columns = {name: [getattr(photo, name) for photo in photos] for name in SCHEMA.names}
    pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd")


def read(path: Path) -> list[Photo]:
    """The photos, with label, group and SHA-256 only.

    Raises:
        InputError: the file is damaged, or names a class that no class can have.
    """
    with tables.explained(path, MAX_BYTES):
        most_rows = tables.rows_with_hashes(path.stat().st_size)
        rows = tables.read(path, SCHEMA, most_rows=most_rows).to_pylist()
    for row in rows:
        check_label(row["label"])
    return [Photo(**row) for row in rows]
