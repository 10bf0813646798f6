"""predictions.parquet: the model's answers to the demo photos, as `label_image` writes them."""

from pathlib import Path

import pyarrow as pa

from components.common.untrusted import sealed, tables

MAX_BYTES = 2 * 1024**3
# In the schema's metadata; the first had none.
KIND = sealed.Kind(
    *("the answers to the demo photos", "", (0, 2)),
    sealed_since=0,
    again="run again with this version",
)
FIRST_SCHEMA = pa.schema(
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
# What is said of deadly and poisonous classes beside the answer; empty where nothing is.
SCHEMA = FIRST_SCHEMA.append(pa.field("caution", pa.string()))
NULLABLE = ("familiarity",)  # where the model has no rule for unknown photos


def read_about(path: Path) -> dict[str, str]:
    """What the file says of itself: its model, its photos and the classes.

    Raises:
        InputError: the file is missing or damaged.
    """
    with tables.explained(path, MAX_BYTES):
        return tables.told_of(path)


def read(path: Path, *, most_rows: int) -> pa.Table:
    """The answers; of the first version of the file, without the column `caution`.

    Args:
        path: of the file.
        most_rows: that it may have.

    Raises:
        InputError: the file is missing, damaged, of a version that is not read, has other columns
            or more rows.
    """
    schema = SCHEMA if KIND.check_texts(read_about(path), str(path)) else FIRST_SCHEMA
    with tables.explained(path, MAX_BYTES):
        return tables.read(path, schema, most_rows=most_rows, nullable=NULLABLE)
