"""predictions.parquet: the model's answers to the demo photos, as `label_image` writes them."""

from pathlib import Path

import pyarrow as pa

from components.common.untrusted import tables

MAX_BYTES = 2 * 1024**3
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("unknown", pa.bool_()),
        ("probability", pa.float64()),
        ("familiarity", pa.float64()),
        ("right", pa.bool_()),
        ("probabilities", pa.list_(pa.float64())),
    ]
)
NULLABLE = ("familiarity",)  # where the model has no rule for unknown photos


def read_about(path: Path) -> dict[str, str]:
    """What the file says of itself: its model, its photos and the classes.

    Raises:
        InputError: the file is missing or damaged.
    """
    with tables.explained(path, MAX_BYTES):
        metadata = tables.metadata(path)
    return {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in metadata.items()
    }


def read(path: Path, *, most_rows: int) -> pa.Table:
    """The answers.

    Args:
        path: of the file.
        most_rows: that it may have.

    Raises:
        InputError: the file is missing, damaged, has other columns or more rows.
    """
    with tables.explained(path, MAX_BYTES):
        return tables.read(path, SCHEMA, most_rows=most_rows, nullable=NULLABLE)
