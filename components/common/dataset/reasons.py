"""Why a photo was left out, in words; and REASONS.csv, which says so of each photo of a dataset.

What a reason or a flag of the manifest means is said here and nowhere else.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from components.common.dataset.photo import Photo

FILE_NAME = "REASONS.csv"
COLUMNS = ("file", "class", "found_as", "source", "reason", "meaning", "measured")
MAX_ROWS = 10_000  # what is more is counted in a last row
MAX_TEXT = 300  # characters of a cell
# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ERROR = re.compile(r"^[A-Za-z]+(Error|Exception): ")  # the type, which says nothing to people
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")  # of an object, another one in each process


@dataclass(frozen=True)
class Wording:
    """A reason or flag in words.

    Attributes:
        short: a few words, for headings and beside pictures.
        meaning: what it says of the photo.
    """

    short: str
    meaning: str


WORDING = {
    # Reasons of `clean`.
    "placeholder": Wording(
        "placeholder", "a notice in place of a photo that is gone, or a blank picture"
    ),
    "suspicious_size": Wording("suspicious size", "too small a file to be a photo at all"),
    "too_few_bytes": Wording(
        "too few bytes", "a smaller file than was asked for (--min_bytes): it shows too little"
    ),
    "exact_duplicate": Wording("exact duplicate", "the very same photo is there already"),
    "html": Wording("a web page", "a web page, saved under the name of a photo"),
    "unknown_type": Wording("unknown type", "no picture of a known type"),
    "damaged_header": Wording("damaged header", "damaged: its beginning describes no picture"),
    "damaged": Wording("damaged", "damaged: cut off, or with data that is no picture"),
    "too_many_pixels": Wording("too many pixels", "more than 100 megapixels"),
    "too_many_scans": Wording("too many scans", "more scans than any camera writes"),
    "too_few_pixels": Wording("too few pixels", "a side below 32 pixels"),
    "quarantined": Wording(
        "quarantined", "it can be shown, but its data has holes: a part may be grey or shifted"
    ),
    # Reasons of `curate`.
    "in_two_classes": Wording(
        "in two classes",
        "the same or nearly the same picture, or one of the same observation, is in another class "
        "too",
    ),
    "near_duplicate": Wording("near duplicate", "a copy of another photo, which is used instead"),
    "no_mushroom": Wording("no mushroom", "the pretrained network sees no mushroom in it"),
    "other_class": Wording("other class", "it looks more like another of the classes"),
    "dropped": Wording("dropped by hand", "a person decided to drop it"),
    "surplus": Wording("surplus", "good, but there were enough photos of its class"),
    # Flags, which `clean --strict` makes reasons of.
    "small": Wording("small", "a side below 128 pixels"),
    "odd_aspect_ratio": Wording(
        "odd aspect ratio", "more than three times as long as wide: squeezing distorts it"
    ),
    "blank": Wording("blank", "nearly the same tone everywhere"),
    "dark": Wording("dark", "even its brightest parts are dark"),
    "bright": Wording("bright", "even its darkest parts are bright"),
    "blurred": Wording("blurred", "blurred all over"),
    "grey": Wording("grey", "without colours"),
    # A flag of `curate`, beside `other_class`.
    "doubtful_subject": Wording(
        "perhaps no mushroom", "the pretrained network doubts that a mushroom is in it"
    ),
}


def short(name: str) -> str:
    """A reason, flag or other name of the manifest in a few words."""
    known = WORDING.get(name)
    return known.short if known else name.replace("_", " ")


def meaning(name: str) -> str:
    """What a reason or flag says of a photo."""
    known = WORDING.get(name)
    return known.meaning if known else short(name)


def listed(counts: Mapping[str, int]) -> str:
    """How many photos have which reason or flag, in the order of `counts`: "2 dark, 1 damaged"."""
    return ", ".join(f"{count} {short(name)}" for name, count in counts.items())


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
