"""What is stated of the classes: by the species.yaml beside class folders, and by the run's own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from components.common.dataset import class_folders
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.species import (
    FILE_NAME,
    MAX_BYTES,
    SpeciesFile,
    as_parameter,
    facts_of,
    find_species,
    parse_beside,
)
from components.common.store import storage
from components.download import sources
from components.download.options import DownloadOptions


def beside_photos(options: DownloadOptions) -> SpeciesFile:
    """The species.yaml of the folder or prefix that photos come from; empty where there is none.

    Raises:
        InputError: it makes no sense, or lists a class that has no folder.
    """
    place = options.image_dir
    if not place or not {"folder", "storage"} & set(sources.named(options.source)):
        return SpeciesFile("", ())
    if not storage.is_uri(place):
        return class_folders.read_species_file(Path(place).expanduser())
    name = f"{place.rstrip('/')}/{FILE_NAME}"
    data = storage.find_place(name, max_bytes=MAX_BYTES)
    return parse_beside(data, name, storage.list_folders(place)) if data else SpeciesFile("", ())


def joined_by(
    classes: Sequence[str], species: Mapping[str, Any], beside: SpeciesFile
) -> dict[str, Any]:
    """The species by label, where what stands beside the photos counts more.

    Args:
        classes: the classes of the run.
        species: names to search for, by label, as of the run.
        beside: what the folder of photos says.
    """
    merged = []
    for entry in beside.species:
        if entry.label in classes:
            stated = {name: value for name, value in asdict(entry).items() if value}
            merged.append(replace(find_species(species, entry.label), **stated))
    return {**species, **as_parameter(merged)}


def facts(
    classes: Sequence[str], species: Mapping[str, Any], options: DownloadOptions
) -> ClassFacts:
    """What is known of the classes.

    Args:
        classes: their labels.
        species: names to search for, by label; what a file beside the photos says counts more.
        options: where photos come from.

    Raises:
        InputError: something that is stated makes no sense.
    """
    beside = beside_photos(options)
    subject = options.subject or beside.subject
    return facts_of(classes, joined_by(classes, species, beside), subject)
