"""answers.json: what a person said that each chosen photo shows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.common.base.errors import InputError
from components.common.dataset.photo import check_label

FILE_NAME = "answers.json"
FORMAT, FORMAT_VERSION = "wild-mushrooms-answers", "1"
MAX_BYTES = 1024**2  # ten times what 500 photos need
NONE = ""  # a photo of none of the classes, or of no use
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Answers:
    """Answers of a person.

    Attributes:
        labels: the class of each photo that was looked at, by its SHA-256, or `NONE`.
    """

    labels: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        entries = [{"sha256": key, "label": label} for key, label in sorted(self.labels.items())]
        return {"format": FORMAT, "format_version": FORMAT_VERSION, "answers": entries}


def parse(data: bytes, name: str) -> Answers:
    """The answers of such a file.

    Args:
        data: its content.
        name: of the file, for messages.

    Raises:
        InputError: it is no file of answers.
    """
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES} bytes")
        content = json.loads(data)
        if (content["format"], content["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"its format is not {FORMAT} {FORMAT_VERSION}")
        return Answers(_labels(content["answers"]))
    except (ValueError, TypeError, KeyError, RecursionError, InputError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{name} is no file of answers as the page exports it: {why}") from error


def _labels(entries: Any) -> dict[str, str]:
    if not isinstance(entries, list):
        raise ValueError("`answers` is not a list")
    labels: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        sha256, label = entry["sha256"], entry["label"]
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ValueError(f"entry {number} has no sha256 of 64 hexadecimal digits")
        if not isinstance(label, str):
            raise ValueError(f"entry {number} names no label")
        if labels.setdefault(sha256, label and check_label(label)) != label:
            raise ValueError(f"entry {number} says something else of a photo than another one")
    return labels
