"""species.yaml: the classes of a run, the names to look them up by, and what is known of them."""

import collections
import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from components.common.base.errors import InputError
from components.common.base.wording import joined
from components.common.dataset.class_facts import (
    FUNGI,
    UNKNOWN,
    ClassFacts,
    check_edibility,
    check_subject,
)
from components.common.dataset.photo import check_label, check_labels, other_spelling

FILE_NAME = "species.yaml"  # in a folder of class folders
MAX_BYTES = 1024 * 1024
MAX_TAXA = 50
MAX_NAME = 200  # characters
MAX_MESSAGE = 300  # characters of a stranger's text in a message
_WORDNET_ID = re.compile(r"n\d{8}")
_YES, _NO = ("true", "yes"), ("false", "no", "")


class _Loader(yaml.SafeLoader):
    """YAML in which text stays text: no `no` becomes False, no long number takes minutes to read.

    References are refused: with them, a file of a kilobyte makes lists of billions of entries.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way of configuring a loader
        start: [resolver for resolver in resolvers if resolver[0] == "tag:yaml.org,2002:null"]
        for start, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has references (*name), which are not read: write it out")
        return super().compose_node(parent, index)


@dataclass(frozen=True)
class Species:
    """One class.

    Attributes:
        label: name of the class.
        latin: scientific name.
        wordnet_id: ImageNet's id of the synset, such as "n13003061".
        taxa: names to look it up by, in sources that search by name.
        edibility: one of `class_facts.EDIBILITIES`; empty where it is not stated.
        other: it stands for "something else".
    """

    label: str
    latin: str = ""
    wordnet_id: str = ""
    taxa: tuple[str, ...] = ()
    edibility: str = ""
    other: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The scientific names to search for: the taxa, else the Latin name, else the label."""
        return self.taxa or (self.latin or self.label,)


@dataclass(frozen=True)
class SpeciesFile:
    """The content of a species.yaml.

    Attributes:
        subject: what its classes are kinds of; empty where it is not stated.
        species: the classes, in the order of the file.
    """

    subject: str
    species: tuple[Species, ...]


def read_species(path: Path) -> list[Species]:
    """The species of a file, in its order; see `read_file`."""
    return list(read_file(path).species)


def read_file(path: Path) -> SpeciesFile:
    """The classes of a run.

    Raises:
        InputError: the file is missing, no YAML, or lists fewer than two different labels.
    """
    if not path.is_file():
        raise InputError(f"there is no species file at {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES} bytes")
    found = parse_file(path.read_bytes(), str(path))
    labels = [species.label for species in found.species]
    if len(labels) < 2:
        raise InputError(
            f"{path} must list at least two species, each once; it lists "
            f"{', '.join(labels)[:MAX_MESSAGE] or 'none'}"
        )
    return found


def parse_file(data: bytes, name: str) -> SpeciesFile:
    """The content of a species file, which may list any number of classes.

    Args:
        data: the bytes of the file.
        name: of the file, for messages.

    Raises:
        InputError: it is no YAML, a field is unknown or of the wrong kind, or a label is listed
            twice.
    """
    try:
        content = _loaded(data.decode("utf-8-sig"))
    except yaml.MarkedYAMLError as error:
        raise InputError(f"{name} is no YAML: {_where(error)}") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{name} is no species file: {_one_line(str(error))}") from error
    return _parse_content(content, name)


def _parse_content(content: object, name: str) -> SpeciesFile:
    try:
        if not isinstance(content, Mapping) or not content:
            raise TypeError("no mapping")
        unknown = sorted(str(field) for field in content if field not in ("subject", "species"))
        if unknown:
            raise InputError(
                f"it has the unknown field {', '.join(unknown)[:MAX_MESSAGE]}: expected species "
                "and subject"
            )
        subject = check_subject(content["subject"]) if content.get("subject") else ""
        entries = content["species"] if "species" in content or not subject else []
        if not isinstance(entries, list):
            raise TypeError("no list")
        listed = tuple(parse_species(entry) for entry in entries)
    except (TypeError, KeyError) as error:
        raise InputError(
            f"{name} is no species file: expected `species:` and a list of entries with a label"
        ) from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    labels = [species.label for species in listed]
    if len(set(labels)) < len(labels):
        [(label, count)] = collections.Counter(labels).most_common(1)
        raise InputError(f"{name} must list each species once; it lists {label!r} {count} times")
    check_labels(labels, name)
    return SpeciesFile(subject, listed)


def _where(error: yaml.MarkedYAMLError) -> str:
    """The place and the problem in one line; what PyYAML says in five shows the line as well."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    context = f" ({error.context})" if error.context else ""
    return f"{place}{_one_line(f'{error.problem}{context}')}: mend that line"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_MESSAGE]


def parse_beside(data: bytes, name: str, folders: Sequence[str]) -> SpeciesFile:
    """What the species.yaml of a folder says of its classes, of which it may list some only.

    Args:
        data: the bytes of the file.
        name: of the file, for messages.
        folders: the names of the class folders beside it.

    Returns:
        The content, with the labels spelt as the folders are.

    Raises:
        InputError: as of `parse_file`; or it lists a class that has no folder.
    """
    found = parse_file(data, name)
    spelt = []
    for entry in found.species:
        label = entry.label if entry.label in folders else other_spelling(entry.label, folders)
        if not label:
            near = difflib.get_close_matches(entry.label, folders, n=1, cutoff=0.0)
            nearest = f"; the nearest is {near[0]!r}" if near else ""
            raise InputError(
                f"{name} lists the class {entry.label!r}, and there is no such folder{nearest}: "
                "correct it, or leave it out there"
            )
        spelt.append(replace(entry, label=label))
    return SpeciesFile(found.subject, tuple(spelt))


def facts_of(
    classes: Collection[str], parameter: Mapping[str, Any], subject: str = ""
) -> ClassFacts:
    """What is stated of these classes.

    Args:
        classes: their labels.
        parameter: species by label, however they are spelt there.
        subject: what they are kinds of; empty for fungi.

    Raises:
        InputError: an entry makes no sense.
    """
    species = [find_species(parameter, label) for label in classes]
    stated = {entry.label: entry.edibility for entry in species if entry.edibility}
    return ClassFacts(
        check_subject(subject or FUNGI),
        {label: value for label, value in sorted(stated.items()) if value != UNKNOWN},
        tuple(sorted(entry.label for entry in species if entry.other)),
    )


def _loaded(text: str) -> Any:
    """The content of a YAML document.

    Raises:
        ValueError: it is none; a tag may say that a value is of a type that it is not, for which
            the parser raises many types of errors.
        RecursionError: it is nested too deeply.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader: tags make no objects
    except (yaml.YAMLError, RecursionError):
        raise
    except Exception as error:
        raise ValueError(f"a value is not of the type that its tag names ({error})") from error


def parse_species(entry: Mapping[str, Any]) -> Species:
    """One species from its mapping.

    Raises:
        InputError: a field is missing, unknown or of the wrong kind.
    """
    if not isinstance(entry, Mapping) or "label" not in entry:
        raise InputError(f"a species needs a label: {{label: …, latin: …}}, not {entry!r:.80}")
    label = check_label(_text(entry["label"], "a label"))
    unknown = sorted(str(name) for name in entry if name not in Species.__dataclass_fields__)
    if unknown:
        named = ", ".join(unknown)[:MAX_MESSAGE]
        raise InputError(
            f"the species {label!r} has the unknown field {named}: expected some of "
            f"{joined(Species.__dataclass_fields__)}"
        )
    latin, wordnet_id = (
        _text(entry.get(name) or "", f"the {name} of {label!r}") for name in ("latin", "wordnet_id")
    )
    taxa = entry.get("taxa") or ()
    if not isinstance(taxa, list | tuple) or len(taxa) > MAX_TAXA:
        raise InputError(f"the species {label!r}: taxa must be a list of at most {MAX_TAXA} names")
    names = tuple(_text(name, f"a taxon of {label!r}").strip() for name in taxa)
    for name in (latin, *names):
        if len(name) > MAX_NAME or not name.isprintable() or (name in names and not name):
            raise InputError(f"the species {label!r}: {name!r:.80} is no scientific name")
    if wordnet_id and not _WORDNET_ID.fullmatch(wordnet_id):
        raise InputError(
            f"the species {label!r}: {wordnet_id!r:.80} is no WordNet id; expected n and 8 digits"
        )
    return Species(
        label, latin.strip(), wordnet_id, names, _edibility(entry, label), _other(entry, label)
    )


def _edibility(entry: Mapping[str, Any], label: str) -> str:
    try:
        return check_edibility(entry["edibility"]) if entry.get("edibility") else ""
    except InputError as error:
        raise InputError(f"the species {label!r}: {error}") from error


def _other(entry: Mapping[str, Any], label: str) -> bool:
    value = entry.get("other") or ""
    if isinstance(value, bool):  # of a parameter, which is JSON
        return value
    if isinstance(value, str) and value.casefold() in (*_YES, *_NO):
        return value.casefold() in _YES
    raise InputError(f"the species {label!r}: other is {value!r:.80}, expected true or false")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} must be text, not {type(value).__name__}: put it in quotes")
    return value


def as_parameter(species: Sequence[Species]) -> dict[str, Any]:
    """The species as mappings by label."""
    return {entry.label: {**asdict(entry), "taxa": list(entry.taxa)} for entry in species}


def as_document(species: Sequence[Species], subject: str = "") -> dict[str, Any]:
    """The classes as a parameter of the pipeline: what a species file has, in the same order.

    They are a list, because KFP keeps the order of lists and not that of keys.
    """
    entries = [
        {name: value for name, value in fields.items() if value}
        for fields in as_parameter(species).values()
    ]
    return {"subject": subject, "species": entries}


def parse_document(content: Mapping[str, Any], name: str) -> SpeciesFile:
    """What `as_document` made, or a person wrote: a class may be its label alone there.

    Args:
        content: of the parameter.
        name: of the parameter, for messages.

    Raises:
        InputError: as of `parse_file`; or it lists no class.
    """
    listed = content.get("species")
    if not isinstance(listed, list) or not listed:
        raise InputError(
            f'{name} lists no class: expected {{"species": ["one class", "another class"]}}'
        )
    spelt = [{"label": entry} if isinstance(entry, str) else entry for entry in listed]
    return _parse_content({**content, "species": spelt}, name)


def find_species(parameter: Mapping[str, Any], label: str) -> Species:
    """The species of a label, however it is spelt; one not listed is searched for by its label.

    Raises:
        InputError: its entry makes no sense.
    """
    named = label if label in parameter else other_spelling(label, parameter)
    return replace(
        parse_species(parameter.get(named) or {"label": label}), label=check_label(label)
    )
