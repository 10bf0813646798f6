"""JSON documents that carry the SHA-256 of their own content: damage and edits do not go unnoticed.

A seal is no signature. It tells what a disk, a copy or a hand has changed since the document was
written; whoever means to deceive can seal it anew.

Documents from before there were seals stay readable. Each kind has a field `format_version`, and
one that is sealed since version 3 may lack its seal up to version 2 only. `Kind` says which
versions are read and which of them have a seal, and `parse` holds these rules for all documents.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.files import hash_file, write_file

SEAL = "sha256"
FORMAT, VERSION = "format", "format_version"
FILES = "files"
MAX_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Kind:
    """Documents of one kind, and which versions of them this program reads.

    Attributes:
        what: they describe, for messages, such as "the model".
        format: their field `format`; empty where they have none.
        versions: that are read, ascending, the last of them written; 0 stands for those from before
            there were versions, which have no `format` either.
        sealed_since: the first version with a seal.
        again: what to do about one that is not read; empty for "make it again".
    """

    what: str
    format: str
    versions: tuple[int, ...]
    sealed_since: int
    again: str = ""

    @property
    def newest(self) -> int:
        """The version that is written."""
        return self.versions[-1]

    @property
    def head(self) -> dict[str, str | int]:
        """The fields that say what a document is, for one that is written."""
        return {**({FORMAT: self.format} if self.format else {}), VERSION: self.newest}

    def check(self, content: Mapping[str, Any], name: str) -> int:
        """The version of a document or file.

        Args:
            content: its fields, or those of its metadata.
            name: of the file, for messages.

        Raises:
            InputError: it is of another kind, or of a version that is not read.
        """
        version, kind = content.get(VERSION, 0), content.get(FORMAT, "")
        is_known = type(version) is int and version in self.versions
        if is_known and kind == (self.format if version else ""):
            return int(version)
        is_ours = kind == self.format and type(version) is int
        way_out = self.again or f"make {self.what} again with this version"
        if is_ours and version > self.newest:
            way_out = f"a newer version of this program wrote it: use that version, or {way_out}"
        described = f"format {kind!r:.60} version" if self.format else "version"
        read = " and ".join(str(known) for known in self.versions if known)
        raise InputError(
            f"{name} has {described} {version or 'none'!r:.40}; this program reads "
            f"{f'{self.format} {read}' if self.format else f'version {read}'}: {way_out}"
        )

    def check_texts(self, content: Mapping[str, str], name: str) -> int:
        """As `check`, of fields that are texts, such as a parquet file's metadata."""
        told: dict[str, str | int] = {}
        for field in {FORMAT, VERSION} & set(content):
            text = content[field]
            told[field] = int(text) if re.fullmatch("[0-9]{1,9}", text) else text
        return self.check(told, name)


# Read by several steps, which may not know one another.
DECISION = Kind("the decision", "wild-mushrooms-decision", (1, 2), sealed_since=2)
METRICS = Kind("the metrics", "wild-mushrooms-metrics", (0, 1), sealed_since=1)
CURVES = Kind("the training", "wild-mushrooms-curves", (1,), sealed_since=1)
CURVES_FILE = "curves.json"  # beside TensorBoard's logs
CURVE_COLUMNS = (
    "step",
    *(
        f"{part}_{figure}"
        for part in ("train", "validation")
        for figure in ("accuracy", "cross_entropy")
    ),
)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of all fields but the seal, in the one form that counts.

    That form is JSON in ASCII with sorted keys, no blanks, and numbers as Python writes them.

    Raises:
        ValueError: a number is not finite.
    """
    fields = {name: value for name, value in content.items() if name != SEAL}
    text = json.dumps(_plain(fields), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def text(content: Mapping[str, Any]) -> str:
    """The document, laid out for people, with its seal as the last field.

    Raises:
        ValueError: a number is not finite.
    """
    fields = {name: value for name, value in content.items() if name != SEAL}
    sealed = {**_plain(fields), SEAL: digest(content)}
    return json.dumps(sealed, indent=2, ensure_ascii=False) + "\n"


def dump(path: Path, content: Mapping[str, Any], *, what: str) -> None:
    """Write the document to a file, whole or not at all; `what` names it in messages.

    Raises:
        WorkError: the disk is full.
        ValueError: a number is not finite.
    """
    write_file(path, text(content), what=what)


def read(path: Path, kind: Kind, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read what `dump` wrote; see `parse`.

    Raises:
        InputError: the file is missing, too large, damaged, was edited, or is of another kind or
            version.
    """
    if not path.is_file() or path.stat().st_size > max_bytes:
        raise InputError(f"{path} is missing or larger than {max_bytes} bytes")
    return parse(path.read_bytes(), str(path), kind)


def parse(data: bytes, name: str, kind: Kind) -> dict[str, Any]:
    """The fields of a document, its seal among them, checked against the seal.

    Args:
        data: the document.
        name: of the file, for messages.
        kind: of document. One of a version without a seal is taken as it is where it has none.

    Raises:
        InputError: it is no JSON object, has no seal, its content is not what was sealed, or it is
            of another kind or of a version that is not read.
    """
    try:
        content = json.loads(
            data.decode(), object_pairs_hook=_fields, parse_constant=_refuse_constant
        )
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        computed = digest(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} cannot be read: {error or 'nested too deep'}") from error
    if SEAL in content:
        if content[SEAL] != computed:
            raise InputError(
                f"{name} is damaged or was edited: the SHA-256 of its content is {computed}, and "
                f"its field {SEAL} says {content[SEAL]}"
            )
    elif not _is_before(content.get(VERSION, 0), kind.sealed_since):
        raise InputError(
            f"{name} is damaged or was edited: it lacks its seal, the field {SEAL}, which every "
            f"such file of {VERSION} {kind.sealed_since} or later has"
        )
    kind.check(content, name)
    return content


def hash_files(folder: Path, *, but: Collection[str] = ()) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there, sorted; those in `but` left out."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: hash_file(path)
        for name, path in sorted(paths.items())
        if path.is_file() and name not in but
    }


def check_file(folder: Path, name: str, files: Mapping[str, str], document: str) -> Path:
    """The path of a file that is what a document says of it.

    Args:
        folder: where document and file are.
        name: of the file, below the folder.
        files: SHA-256 of each file by name, as the document lists them.
        document: its name, for messages.

    Raises:
        InputError: the file is missing, not listed, or has another SHA-256.
    """
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path} is missing")
    if name not in files:
        raise InputError(f"{path} is none of the files that {document} lists")
    if hash_file(path) != files[name]:
        raise InputError(_damaged(path, document))
    return path


def check_files(
    folder: Path, files: Mapping[str, str], document: str, *, but: Collection[str] = ()
) -> None:
    """Raise `InputError` unless a folder holds exactly the files that a document lists.

    Args:
        folder: where the files and the document are.
        files: SHA-256 of each file by its path below the folder.
        document: its name, for messages.
        but: names of files that may be there beside them.
    """
    there = hash_files(folder, but=(document,))
    for name in sorted(files.keys() | there.keys() - set(but)):
        if name not in there:
            raise InputError(f"{folder / name} is missing, and {document} lists it")
        if name not in files:
            raise InputError(f"{folder / name} is none of the files that {document} lists")
        if there[name] != files[name]:
            raise InputError(_damaged(folder / name, document))


def _damaged(path: Path, document: str) -> str:
    """What to say of a file that is not the one that a document names."""
    return f"{path} is damaged or of another origin: its SHA-256 is not the one in {document}"


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it comes back from a file: lists for tuples, texts for keys."""
    plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    return plain


def _is_before(version: object, since: int) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version < since


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("it has a field twice")
    return fields


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")
