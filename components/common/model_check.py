"""Whether what `model.json` says can be: it may come from a stranger, and much is made of it.

Names of classes become lines on a terminal and folders, the input's size becomes memory, and the
figures become text on pages.
"""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from components.common.architecture import parse_architecture
from components.common.errors import InputError
from components.common.photo import check_label
from components.common.wording import counted

if TYPE_CHECKING:
    from components.common.model import ModelDescription

MAX_CLASSES = 100_000
MAX_TEXT = 200  # characters
_TEXTS = (
    *("architecture", "weights_sha256", "head_sha256", "manifest_sha256", "distances_sha256"),
    *("version", "decoder", "preprocessing"),
)
_FACTS = ("recipe", "photos", "calibration", "int8", "fine_tuning")


def check(description: "ModelDescription") -> None:
    """Judge a description that was read from a file.

    Raises:
        ValueError: a field is of the wrong type, or has a value that it cannot have.
    """
    _check_classes(description.classes)
    for name in _TEXTS:
        value = getattr(description, name)
        if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
            raise ValueError(f"its {name} is {value!r:.80}: expected a short text")
    try:
        size = parse_architecture(description.architecture).size
    except InputError as error:
        raise ValueError(str(error)) from error
    if type(description.input_size) is not int or description.input_size != size:
        raise ValueError(
            f"its input_size is {description.input_size!r:.80}: {description.architecture} has "
            f"{size} pixels"
        )
    warmth = description.temperature
    if warmth is not None and not (_is_number(warmth) and warmth > 0):
        raise ValueError(f"its temperature is {warmth!r:.80}: expected a number above 0")
    if not isinstance(description.rendered, bool):
        raise ValueError(f"its field rendered is {description.rendered!r:.80}: expected a truth")
    for name in _FACTS:
        value = getattr(description, name)
        needed = name in ("recipe", "photos")
        if not isinstance(value, Mapping) and (needed or value is not None):
            raise ValueError(f"its {name} is {value!r:.80}: expected an object")
    if not all(isinstance(value, str) for value in description.files.values()):
        raise ValueError("its field files holds no hashes")
    for part, counts in description.photos.items():
        if not isinstance(counts, Mapping) or not _are_counts(counts.values()):
            raise ValueError(f"its photos of the part {part!r:.80} are no counts by class")


def _check_classes(classes: tuple[object, ...]) -> None:
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise ValueError(
            f"it names {counted(len(classes), 'class', 'classes')}: expected 1 to {MAX_CLASSES}"
        )
    for label in classes:
        if not isinstance(label, str):
            raise ValueError(f"its class {label!r:.80} is no text")
        try:
            check_label(label)
        except InputError as error:
            raise ValueError(str(error)) from error
    if len(set(classes)) < len(classes):
        raise ValueError("it names a class twice")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_counts(values: Iterable[object]) -> bool:
    return all(type(value) is int and 0 <= value < 2**53 for value in values)
