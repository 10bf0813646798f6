"""REASONS.csv: of each photo that a step left out, why."""

import csv
import io
import re
from collections.abc import Iterable, Mapping

from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import meaning

FILE_NAME = "REASONS.csv"
COLUMNS = ("file", "class", "found_as", "source", "reason", "meaning", "measured")
MAX_ROWS = 10_000  # what is more is counted in a last row
MAX_TEXT = 300  # characters of a cell
# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ERROR = re.compile(r"^[A-Za-z]+(Error|Exception): ")  # the type, which says nothing to people
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")  # of an object, another one in each process


def render(photos: Iterable[Photo], measured: Mapping[str, str]) -> str:
    """The content of REASONS.csv: a row for each photo, by class and name.

    Args:
        photos: that were left out.
        measured: what was measured of them, by path, where there is something to say.
    """
    listed = sorted(photos, key=lambda photo: (photo.label, photo.path))
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for photo in listed[:MAX_ROWS]:
        cells = (
            *(photo.path, photo.label, photo.source_url, photo.source),
            *(photo.reason, meaning(photo.reason), measured.get(photo.path, "")),
        )
        rows.writerow([cell(text) for text in cells])
    if len(listed) > MAX_ROWS:
        rows.writerow([more(len(listed) - MAX_ROWS)])
    return written.getvalue()


def more(count: int) -> str:
    """The last row's only cell, where rows were left out."""
    return f"{count} more: see manifest.parquet"


def plain(text: str) -> str:
    """What a cell shows, without the apostrophe that keeps a spreadsheet from running it."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def cell(text: str) -> str:
    """A stranger's text as one cell that shows it and does nothing else."""
    named = _ADDRESS.sub("the file", _ERROR.sub("", text[:MAX_TEXT]))
    plain = "".join(character if character.isprintable() else " " for character in named).strip()
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
