"""One photo of a dataset, as the manifest describes it."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from components.common.base.errors import InputError


@dataclass(frozen=True, slots=True)
class Photo:
    """One row of the manifest. Text fields are empty, and sizes 0, where nothing is known yet."""

    label: str
    path: str = ""  # member name in the shard: <label>/<sha256 prefix>.jpg
    shard: str = ""
    offset: int = 0  # of the first byte of the photo in its shard
    size: int = 0  # bytes
    sha256: str = ""  # of the bytes as stored
    source_sha256: str = ""  # of the bytes as fetched
    width: int = 0  # pixels
    height: int = 0  # pixels
    phash: str = ""  # 64-bit perceptual hash, 16 hexadecimal digits
    source: str = ""  # "inaturalist", "folder", …
    source_url: str = ""  # of the bytes
    source_page: str = ""  # where people look at it
    title: str = ""
    author: str = ""
    licence: str = ""  # SPDX identifier where it is one
    observation: str = ""  # photos of one observation show the same specimen
    group: str = ""  # photos of one group stay in one part
    split: str = ""
    flags: tuple[str, ...] = ()
    reason: str = ""  # why a reject was rejected

    @property
    def own_group(self) -> str:
        """The group; a photo without one is its own, known by its content."""
        return self.group or self.sha256


def check_label(label: str) -> str:
    """Return `label` if it can name a class, which is also a folder and a line of a text file.

    Raises:
        InputError: it is empty, longer than 100 characters, starts with a dot, or holds a slash,
            a backslash or a control character.
    """
    if (
        not label
        or label != label.strip()
        or len(label) > 100
        or len(label.encode(errors="replace")) > 255  # the most that a file name may have
        or label.startswith(".")
        or any(character in "/\\" or not character.isprintable() for character in label)
    ):
        raise InputError(
            f"{label!r:.120} cannot be a class name: use 1 to 100 printable characters (at most "
            "255 bytes), no slash or backslash, no leading dot, no space at either end"
        )
    return label


def label_key(label: str) -> str:
    """What two names of one class have in common: all but case, blanks, underscores, Unicode form.

    Blanks count between digits: "1 1" and "11" are two numbers.

    Example:
        >>> label_key("Fly_agaric") == label_key("fly agaric") == label_key("FlyAgaric")
        True
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", label).casefold())
    return re.sub(r"(?<!\d) | (?!\d)", "", re.sub(r"[\s_]+", " ", folded))


def check_labels(labels: Iterable[str], where: str) -> list[str]:
    """Return the labels if each can name a class, and no two of them are names of one class.

    Args:
        labels: of a run, a folder or a list.
        where: they stand, for messages.

    Raises:
        InputError: as of `check_label`; or two differ by no more than case, blanks, underscores or
            the Unicode form of their characters.
    """
    known: dict[str, str] = {}
    for label in labels:
        twin = known.setdefault(label_key(check_label(label)), label)
        if twin != label:
            form = unicodedata.normalize("NFC", twin) == unicodedata.normalize("NFC", label)
            shown = [ascii(name) if form else repr(name) for name in (twin, label)]
            raise InputError(
                f"{where} names the classes {shown[0]} and {shown[1]}, which differ only by "
                f"{'Unicode form (NFC, NFD)' if form else 'case, blanks or underscores'}: give "
                "both the same name if they are one class, else names that differ by more"
            )
    return list(known.values())


def other_spelling(label: str, names: Iterable[str]) -> str:
    """The name among these that differs from `label` by its spelling alone; empty without one."""
    return next((name for name in names if label_key(name) == label_key(label)), "")
