"""Which files of a folder are photos: one rule, for every command.

A file is taken for a photo if its name ends like a photo's, or if its first bytes are a photo's.
Files whose name begins with a dot are what systems leave behind, and are not taken. What a file
that was taken really is, its content says (photos/images.py).
"""

from collections.abc import Iterator
from pathlib import Path

from components.common.base.wording import as_text
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import (
    HIDDEN,
    NO_FILE,
    TOO_LARGE,
    TRUNCATED,
    UNKNOWN_TYPE,
    UNREADABLE,
)
from components.common.photos import file_types

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".heic", ".heif", ".hif", ".png"),
    *(".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"),
)
MAX_FILE_BYTES = 64 * 1024 * 1024
HEAD_BYTES = 256  # of a file whose name tells nothing


def objection(path: Path) -> str:
    """Why a file is not taken for a photo, as a reason of the manifest; empty where it is."""
    if path.name.startswith("."):
        return HIDDEN
    try:
        if not path.is_file():  # a link to nowhere, a pipe
            return NO_FILE
        if not is_named_like_photo(path.name):
            with open(path, "rb") as file:
                if not is_photo(file.read(HEAD_BYTES)):
                    return UNKNOWN_TYPE
        return TOO_LARGE if path.stat().st_size > MAX_FILE_BYTES else ""
    except OSError:
        return UNREADABLE


def is_named_like_photo(name: str) -> bool:
    """True for a name that ends like a photo's, in capitals or not."""
    return name.lower().endswith(SUFFIXES)


def is_photo(head: bytes) -> bool:
    """True where a file that begins so is a photo of a kind that is read."""
    return file_types.sniff(head) not in file_types.NO_PHOTO


def photo_files(folder: Path) -> list[Path]:
    """The files of a folder that are taken for photos, sorted, too large ones among them."""
    return [path for path in sorted(folder.iterdir()) if objection(path) in ("", TOO_LARGE)]


def left_out(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder that are not taken, sorted, each with its reason."""
    for path in sorted(folder.iterdir()):
        if not path.is_dir() and (reason := objection(path)):
            yield path, reason


def rows_left_out(folder: Path, label: str) -> Iterator[Photo]:
    """Rows of a dataset for the files of a class folder that are not taken, without their bytes.

    `clean` puts them among its rejects, and so into REASONS.csv.
    """
    for path, reason in left_out(folder):
        name = f"{label}/{as_text(path.name)}"
        yield Photo(label, source="folder", source_url=name, reason=reason, flags=(TRUNCATED,))
