"""species.yaml: the classes of a run and the names to look them up by."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from components.common.base.errors import InputError
from components.common.dataset.photo import check_label, check_labels, other_spelling

MAX_BYTES = 1024 * 1024
MAX_TAXA = 50
MAX_NAME = 200  # characters
MAX_MESSAGE = 300  # characters of a stranger's text in a message
_WORDNET_ID = re.compile(r"n\d{8}")


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
    """

    label: str
    latin: str = ""
    wordnet_id: str = ""
    taxa: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The scientific names to search for: the taxa, else the Latin name, else the label."""
        return self.taxa or (self.latin or self.label,)


def read_species(path: Path) -> list[Species]:
    """The species of a file, in its order.

    Raises:
        InputError: the file is missing, no YAML, or lists fewer than two different labels.
    """
    if not path.is_file():
        raise InputError(f"there is no species file at {path}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES} bytes")
        content = _loaded(path.read_text(encoding="utf-8-sig"))
        listed = [parse_species(entry) for entry in content["species"]]
    except (TypeError, KeyError) as error:
        raise InputError(
            f"{path} is no species file: expected `species:` and a list of entries with a label"
        ) from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path} is no species file: {str(error)[:MAX_MESSAGE]}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    labels = [species.label for species in listed]
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise InputError(
            f"{path} must list at least two species, each once; it lists "
            f"{', '.join(labels)[:MAX_MESSAGE] or 'none'}"
        )
    check_labels(labels, str(path))
    return listed


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
        raise InputError(f"the species {label!r} has the unknown field {named}")
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
    return Species(label, latin.strip(), wordnet_id, names)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} must be text, not {type(value).__name__}: put it in quotes")
    return value


def as_parameter(species: list[Species]) -> dict[str, Any]:
    """The species as a pipeline parameter: mappings by label."""
    return {entry.label: {**asdict(entry), "taxa": list(entry.taxa)} for entry in species}


def find_species(parameter: Mapping[str, Any], label: str) -> Species:
    """The species of a label, however it is spelt; one not listed is searched for by its label.

    Raises:
        InputError: its entry makes no sense.
    """
    named = label if label in parameter else other_spelling(label, parameter)
    return replace(
        parse_species(parameter.get(named) or {"label": label}), label=check_label(label)
    )
