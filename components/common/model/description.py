"""model.json: what it says of a model, and whether what it says can be.

It may come from a stranger, and much is made of it: names of classes become lines on a terminal and
folders, the input's size becomes memory, and the figures become text on pages.
"""

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.photo import check_label
from components.common.model.layout import DESCRIPTION, DISTANCES, HEAD, INT8, LITERT
from components.common.model.unknown import UnknownRule
from components.common.network.architecture import parse_architecture
from components.common.network.views import VIEWS, input_size, network_name
from components.common.photos import images
from components.common.untrusted import sealed

# Version 2 has neither seal nor `files`, and is read as it is.
KIND = sealed.Kind("the model", "wild-mushrooms-model", (2, 3), sealed_since=3)
DESCRIPTION_MAX_BYTES = 1024 * 1024
MESSAGE_MAX = 500  # characters of what is wrong with it
MAX_CLASSES = 100_000
MAX_TEXT = 200  # characters
_TEXTS = (
    *("architecture", "weights_sha256", "head_sha256", "manifest_sha256", "distances_sha256"),
    *("version", "decoder", "preprocessing"),
)
_FACTS = (
    *("recipe", "photos", "calibration", "int8", "fine_tuning", "weights"),
    *("learned", "measured", "cross_validation"),
)
# Fields that came later than the identity: at their defaults they are no part of it.
_LATER = ("facts", "weights", "learned", "measured", "cross_validation", "views")
MAX_FACTS = 20  # about the pretrained weights


@dataclass(frozen=True)
class ModelDescription:
    """What `model.json` says.

    Attributes:
        classes: class names in the order of the scores.
        architecture: of the backbone.
        input_size: pixels of the square input.
        views: of a photo, which the network cuts out of that square and whose features are
            averaged; 1 for the square as it is.
        weights_sha256: of the pretrained weights.
        head_sha256: of the trained head's weights and biases.
        distances_sha256: of `distances.npz`; empty without a rule for unknown photos.
        manifest_sha256: of the training dataset's manifest.
        temperature: divides the logits; None where there were too few photos to fit it.
        unknown: when the answer is "none of these"; None where there were too few photos.
        calibration: on how many photos temperature and rule were fitted, and how they do there.
        int8: how the int8 form does beside the float32 form; None where it was not made.
        fine_tuning: its options; None where the backbone is as it was pretrained.
        learned: number of photos by class that the head learned from; empty in models of earlier
            programs, which learned from the training part.
        measured: of the head that was tested, where the model's own has learned from the test
            photos as well: its hashes, temperature and rule for unknown photos; else None.
        cross_validation: of the recipe: rounds, folds, photos and accuracy; None where it was not
            made.
        recipe: the options that the head was trained with.
        photos: number of photos by part and class.
        weights: where the pretrained weights come from, as components/common/network/origin.py says
            it; None in models from before that was written down.
        rendered: True where it was trained on rendered pictures instead of photographs.
        facts: what is known of the classes; of a model of before there were such, nothing.
        version: of this program.
        files: SHA-256 of every other file of the model, by its path; empty in version 2.
        sha256: of all the above, the document's seal; empty in version 2.
    """

    classes: tuple[str, ...]
    architecture: str
    input_size: int
    weights_sha256: str
    head_sha256: str
    manifest_sha256: str
    version: str
    distances_sha256: str = ""
    decoder: str = images.DECODER
    preprocessing: str = images.PREPROCESSING
    temperature: float | None = None
    unknown: UnknownRule | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    photos: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    int8: Mapping[str, Any] | None = None
    fine_tuning: Mapping[str, Any] | None = None
    learned: Mapping[str, int] = field(default_factory=dict)
    measured: Mapping[str, Any] | None = None
    cross_validation: Mapping[str, Any] | None = None
    weights: Mapping[str, str] | None = None
    views: int = 1
    rendered: bool = False
    facts: ClassFacts = ClassFacts()
    files: Mapping[str, str] = field(default_factory=dict)
    format: str = KIND.format
    format_version: int = KIND.newest
    sha256: str = ""

    @property
    def network(self) -> str:
        """The backbone as pages name it."""
        return network_name(self.architecture, self.views)

    @property
    def is_sealed(self) -> bool:
        """False for a model of version 2, whose other files nothing can be held against."""
        return self.format_version >= KIND.sealed_since

    @property
    def identity(self) -> str:
        """SHA-256 of what the model is: all of `model.json`, and the files that predicting reads.

        The same for two trainings alike, although TensorFlow writes `model.keras` and the
        SavedModel differently each time. Empty in version 2.
        """
        if not self.is_sealed:
            return ""
        content = dataclasses.asdict(self)
        # A model of before there was such a field stays what it was.
        for late in dataclasses.fields(self):
            made = late.default_factory
            default = late.default if made is dataclasses.MISSING else made()
            if late.name in _LATER and getattr(self, late.name) == default:
                del content[late.name]
        content["files"] = {name: self.files.get(name) for name in (LITERT, INT8, HEAD, DISTANCES)}
        return sealed.digest(content)

    def of_measured_head(self) -> "ModelDescription":
        """The same with temperature, rule and hashes of the head that was tested.

        Raises:
            InputError: there is no such head, or what is said of it makes no sense.
        """
        said = self.measured or {}
        try:
            unknown = UnknownRule.parse(said["unknown"]) if said.get("unknown") else None
            described = dataclasses.replace(
                self,
                head_sha256=said["head_sha256"],
                distances_sha256=said["distances_sha256"],
                temperature=said["temperature"],
                unknown=unknown,
            )
            _check(described)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{DESCRIPTION} describes no measured head: {error}") from error
        return described

    def check_file(self, directory: Path, name: str) -> Path:
        """The path of a file of the model, which is the one that was written with it.

        Raises:
            InputError: it is missing, damaged, or of another model.
        """
        if not self.is_sealed:
            return directory / name
        return sealed.check_file(directory, name, self.files, DESCRIPTION)

    def check_files(self, directory: Path, *, but: Collection[str] = ()) -> None:
        """Raise `InputError` unless the folder holds all files of the model, and no others.

        Args:
            directory: the model.
            but: names of files that may be there beside them.
        """
        if self.is_sealed:
            sealed.check_files(directory, self.files, DESCRIPTION, but=but)


def read_description(directory: Path) -> ModelDescription:
    """Read and check `model.json`.

    Raises:
        InputError: the directory is no model of this program, of another format version, or
            `model.json` is damaged.
    """
    path = directory / DESCRIPTION
    if not path.is_file():
        problem = f"there is no {DESCRIPTION} in it" if directory.is_dir() else "no such directory"
        raise InputError(f"{directory} is not a model directory: {problem}")
    content = sealed.read(path, KIND, max_bytes=DESCRIPTION_MAX_BYTES)
    try:
        unknown = UnknownRule.parse(content["unknown"]) if content.get("unknown") else None
        classes = _listed(content["classes"])
        facts = ClassFacts.parse(content.get("facts"), classes)
        description = ModelDescription(
            **{**content, "classes": classes, "unknown": unknown, "facts": facts}
        )
        _check(description)
    except (
        *(ValueError, TypeError, KeyError, AttributeError),
        *(RecursionError, OverflowError),
    ) as error:
        raise InputError(f"{path} cannot be read: {str(error)[:MESSAGE_MAX]}") from error
    return description


def _listed(classes: object) -> tuple[str, ...]:
    if not isinstance(classes, list):
        raise ValueError("its classes are not a list")
    return tuple(classes)


def write_description(directory: Path, description: ModelDescription) -> ModelDescription:
    """Write `model.json` with the hashes of all other files, which must be complete.

    Returns:
        The description, with those hashes and its seal.
    """
    files = sealed.hash_files(directory, but=(DESCRIPTION,))
    content = dataclasses.asdict(dataclasses.replace(description, files=files))
    sealed.dump(directory / DESCRIPTION, content, what="the model")
    return read_description(directory)


def _check(description: ModelDescription) -> None:
    """Judge a description that was read from a file.

    Raises:
        ValueError: a field is of the wrong type, or has a value that it cannot have.
    """
    _check_classes(description.classes)
    for name in _TEXTS:
        value = getattr(description, name)
        if not _is_short_text(value):
            raise ValueError(f"its {name} is {value!r:.80}: expected a short text")
    if type(description.views) is not int or description.views not in VIEWS:
        raise ValueError(f"its views are {description.views!r:.80}: expected one of {VIEWS}")
    try:
        own = parse_architecture(description.architecture).size
    except InputError as error:
        raise ValueError(str(error)) from error
    size = input_size(own, description.views)
    if type(description.input_size) is not int or description.input_size != size:
        raise ValueError(
            f"its input_size is {description.input_size!r:.80}: {description.network} has "
            f"{size} pixels"
        )
    warmth = description.temperature
    if warmth is not None and not (_is_number(warmth) and warmth > 0):
        raise ValueError(f"its temperature is {warmth!r:.80}: expected a number above 0")
    if not isinstance(description.rendered, bool):
        raise ValueError(f"its field rendered is {description.rendered!r:.80}: expected a truth")
    for name in _FACTS:
        value = getattr(description, name)
        needed = name in ("recipe", "photos", "learned")
        if not isinstance(value, Mapping) and (needed or value is not None):
            raise ValueError(f"its {name} is {value!r:.80}: expected an object")
    facts = description.weights or {}
    if len(facts) > MAX_FACTS or not all(map(_is_short_text, (*facts, *facts.values()))):
        raise ValueError("its weights are not short texts by name")
    if not all(isinstance(value, str) for value in description.files.values()):
        raise ValueError("its field files holds no hashes")
    if not _are_counts(description.learned.values()):
        raise ValueError("its field learned does not hold counts by class")
    for part, counts in description.photos.items():
        if not isinstance(counts, Mapping) or not _are_counts(counts.values()):
            raise ValueError(f"its photos of the part {part!r:.80} are not counts by class")


def _check_classes(classes: tuple[object, ...]) -> None:
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise ValueError(
            f"it names {counted(len(classes), 'class', 'classes')}: expected 1 to {MAX_CLASSES}"
        )
    for label in classes:
        if not isinstance(label, str):
            raise ValueError(f"its class {label!r:.80} is not a text")
        try:
            check_label(label)
        except InputError as error:
            raise ValueError(str(error)) from error
    if len(set(classes)) < len(classes):
        raise ValueError("it names a class twice")


def _is_short_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_counts(values: Iterable[object]) -> bool:
    return all(type(value) is int and 0 <= value < 2**53 for value in values)
