"""The answers of one part as a file: CSV, JSON lines, or parquet."""

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.label_image.answers import PhotoAnswer, writer

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET_VERSION = "1"


def encode(
    rows: Sequence[PhotoAnswer], form: str, classes: Sequence[str], count: int, model: str
) -> bytes:
    """The file's content.

    Args:
        rows: the answers.
        form: one of `options.PART_FORMATS`.
        classes: of the model.
        count: how many of them each answer names.
        model: the version of it, a column of its own.
    """
    if form == "parquet":
        return _parquet(rows, classes, model)
    stream = io.StringIO()
    write = writer(form, classes, count, stream, model=model)
    for row in rows:
        write(row)
    return stream.getvalue().encode()


def schema() -> "pa.Schema":
    """The columns of a parquet file; those of an answer are null where there is an error."""
    import pyarrow as pa

    return pa.schema(
        [
            ("file", pa.string()),
            ("predicted", pa.string()),  # null also where the photo is none of the classes
            ("unknown", pa.bool_()),
            ("familiarity", pa.float64()),
            ("error", pa.string()),
            ("learned_from", pa.bool_()),
            ("labels", pa.list_(pa.string())),  # likeliest first
            ("probabilities", pa.list_(pa.float64())),
            ("caution", pa.string()),
            ("model", pa.string()),
        ]
    )


def _parquet(rows: Sequence[PhotoAnswer], classes: Sequence[str], model: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from components.common.base.wording import as_text

    columns: dict[str, Sequence[object]] = {
        "file": [as_text(row.file) for row in rows],
        "predicted": [row.predicted for row in rows],
        "unknown": [None if row.error else row.unknown for row in rows],
        "familiarity": [row.familiarity for row in rows],
        "error": [as_text(row.error) or None for row in rows],
        "learned_from": [None if row.error else row.learned_from for row in rows],
        "labels": [[label for label, _ in row.top] for row in rows],
        "probabilities": [[share for _, share in row.top] for row in rows],
        "caution": [row.caution for row in rows],
        "model": [model] * len(rows),
    }
    about = {"format_version": PARQUET_VERSION, "classes": json.dumps(list(classes))}
    table = pa.table(columns, schema=schema().with_metadata(about))
    stream = io.BytesIO()
    pq.write_table(table, stream, write_page_checksum=True)
    return stream.getvalue()
