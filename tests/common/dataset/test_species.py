"""species.yaml: the classes and the names to look them up by."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.common.base.errors import InputError
from components.common.dataset.species import (
    Species,
    as_document,
    as_parameter,
    find_species,
    parse_document,
    read_species,
)
from components.download.sources import sample

ROOT = Path(__file__).parents[3]


def test_species_file_lists_the_five_species_that_the_sample_renders() -> None:
    species = read_species(ROOT / "species.yaml")
    assert sorted(entry.label for entry in species) == sorted(sample.LABELS)
    assert all(entry.wordnet_id and entry.taxa for entry in species)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "species: []",
        "species: [{label: one}]",
        "species: [{label: one}, {label: one}]",
        "species: [{name: one}, {name: two}]",
        "species: [{label: ../up}, {label: two}]",
        "species: !!python/object/apply:os.system ['true']",
        "species: [{label: one, taxa: Amanita}, {label: two}]",
        "species: [{label: one, wordnet_id: n1}, {label: two}]",
        "species: [{label: one, latin: ' '}, {label: two, colour: red}]",
        "species: [one, two]",
        "species: &a [*a, *a]",
        "[unclosed",
        'species: [{label: !!int ""}, {label: b}]',
        "species: [{label: !!timestamp abc}, {label: b}]",
        "species: [{label: !!float x}, {label: b}]",
        "species: [{label: !!binary '*'}, {label: b}]",
        "species: [{label: !!bool maybe}, {label: b}]",
        "species: !!set [a]",
        "species: !!omap [{a: 1}]",
        "species: [{? {a: b} : c}]",
    ],
)
def test_file_that_is_no_species_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "species.yaml"
    path.write_text(content)
    with pytest.raises(InputError):
        read_species(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("species:\n  - label: a\n  - label: [b\n", "line 4, column 1: "),
        ("species:\n  - label: a\n\t- label: b\n", "line 3, column 1: "),
        ("species: {a: b: c}\n", "line 1, column 15: "),
        ("species: *name\n", "it has references"),
    ],
)
def test_fault_in_the_yaml_is_one_line_that_says_where(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "species.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as refused:
        read_species(path)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{path} is no ")
    assert message in line
    assert "label: b" not in line


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no species file at .*none\.yaml"):
        read_species(tmp_path / "none.yaml")


def test_species_survive_as_a_pipeline_parameter() -> None:
    species = read_species(ROOT / "species.yaml")
    parameter = as_parameter(species)
    assert [find_species(parameter, entry.label) for entry in species] == species


def test_class_that_is_not_listed_is_searched_by_its_label() -> None:
    assert find_species({}, "Boletus edulis").names == ("Boletus edulis",)
    assert Species("penny bun", latin="Boletus edulis").names == ("Boletus edulis",)
    assert Species("elf cup", latin="Sarcoscypha", taxa=("S. a", "S. b")).names == ("S. a", "S. b")


def test_classes_survive_as_a_parameter_whose_keys_are_sorted() -> None:
    species = read_species(ROOT / "species.yaml")
    assert [entry.label for entry in species] != sorted(entry.label for entry in species)
    sent = json.dumps(as_document(species, "fungi"), sort_keys=True)  # as KFP hands it on
    found = parse_document(json.loads(sent), "classes")
    assert list(found.species) == species
    assert found.subject == "fungi"


def test_class_may_be_its_label_alone_in_a_parameter() -> None:
    found = parse_document({"species": ["rose", {"label": "daisy", "edibility": "edible"}]}, "x")
    assert found.subject == ""
    assert list(found.species) == [Species("rose"), Species("daisy", edibility="edible")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "classes lists no class: expected"),
        ({"species": []}, "classes lists no class: expected"),
        ({"species": "rose"}, "classes lists no class: expected"),
        ({"species": {"rose": {}}}, "classes lists no class: expected"),
        ({"species": ["rose"], "colour": "red"}, "unknown field colour"),
        ({"species": ["rose"], "subject": 5}, "classes"),
        ({"species": ["rose"], "subject": ["flowers"]}, "classes"),
        ({"species": ["rose", "../up"]}, "up"),
        ({"species": ["rose", "Rose"]}, "differ only by"),
        ({"species": ["rose", "rose"]}, "must list each species once"),
        ({"species": ["rose", 5]}, "a species needs a label"),
        ({"species": [{"label": "rose", "lattin": "Rosa"}]}, "unknown field lattin"),
        ({"species": [{"label": "rose", "edibility": "tasty"}]}, "tasty"),
    ],
)
def test_parameter_that_lists_no_classes_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="classes") as refused:
        parse_document(content, "classes")
    assert said in str(refused.value)
