"""One photo of a dataset, as the manifest describes it."""

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
