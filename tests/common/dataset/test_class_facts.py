"""What is known of the classes: what may be stated, and its way through files."""

import json
from pathlib import Path

import pytest
from dataset_files import write
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.class_facts import (
    EDIBILITIES,
    ClassFacts,
    check_subject,
    combine,
)
from components.common.dataset.dataset import DESCRIPTION, Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.untrusted import sealed
from components.curate.options import CurateOptions

FACTS = ClassFacts("berries", {"belladonna": "deadly", "bilberry": "edible"}, ("something else",))

DAMAGED = {
    "no mapping": ["berries"],
    "an unknown field": {"subject": "berries", "toxicity": {}},
    "an edibility that is none": {"edibility": {"daisy": "tasty"}},
    "an edibility in capitals": {"edibility": {"daisy": "Deadly"}},
    "a number for an edibility": {"edibility": {"daisy": 1}},
    "edibility as a list": {"edibility": ["daisy"]},
    "a label that is a path": {"edibility": {"../daisy": "edible"}},
    "others as a text": {"others": "daisy"},
    "a number among others": {"others": [7]},
    "an empty subject": {"subject": ""},
    "a subject with markup": {"subject": "<b>flowers</b>"},
    "a subject of two lines": {"subject": "flow\x1bers"},
    "a long subject": {"subject": "f" * 41},
    "a number for a subject": {"subject": 3},
}


@pytest.mark.parametrize("edibility", EDIBILITIES)
def test_deadly_and_poisonous_classes_are_dangerous(edibility: str) -> None:
    facts = ClassFacts(edibility={"daisy": edibility})
    assert facts.edibility_of("daisy") == edibility
    assert facts.is_dangerous("daisy") == (edibility in ("deadly", "poisonous"))
    assert facts.states_edibility == (edibility != "unknown")


def test_class_that_is_not_named_is_unknown_and_so_not_called_dangerous() -> None:
    assert FACTS.edibility_of("sloe") == "unknown"
    assert not FACTS.is_dangerous("sloe")


def test_facts_survive_json_and_keep_only_the_classes_asked_for() -> None:
    assert ClassFacts.parse(json.loads(json.dumps(FACTS.to_json()))) == FACTS
    few = FACTS.of_classes(["belladonna"])
    assert few == ClassFacts("berries", {"belladonna": "deadly"})


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_facts_are_refused(damage: str) -> None:
    with pytest.raises(ValueError, match="facts"):
        ClassFacts.parse(DAMAGED[damage])


def test_facts_of_classes_that_a_model_has_not_are_refused() -> None:
    with pytest.raises(ValueError, match="'bilberry' is none of the classes"):
        ClassFacts.parse(FACTS.to_json(), ["belladonna", "something else"])


@pytest.mark.parametrize(
    ("stated", "subject"),
    [
        ("fungi", "fungi"),
        ("Mushrooms", "fungi"),
        ("wild mushrooms of Europe", "fungi"),
        ("Any", "any"),
        ("anything", "anything"),
        ("flowers", "flowers"),
        ("  wood   grain ", "wood grain"),
        ("Blüten", "Blüten"),
        ("फूल", "फूल"),
    ],
)
def test_whoever_speaks_of_mushrooms_means_fungi(stated: str, subject: str) -> None:
    assert check_subject(stated) == subject


@pytest.mark.parametrize("asked", ["", "any", "flowers", "wood grain"])
def test_subject_is_taken_as_an_option(asked: str) -> None:
    CurateOptions(subject=asked).check()


@pytest.mark.parametrize("asked", ["<b>", "7", "x" * 41, "a\nb"])
def test_subject_that_makes_no_sense_is_refused_as_an_option(asked: str) -> None:
    with pytest.raises(InputError, match="--subject"):
        CurateOptions(subject=asked).check()


def test_dataset_keeps_the_facts(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", facts=FACTS) as writer:
        writer.add(Photo(label="belladonna"), b"photo")
    assert Dataset(tmp_path / "d").facts == FACTS


def test_dataset_of_before_there_were_facts_has_none(tmp_path: Path) -> None:
    write(tmp_path / "d")
    path = tmp_path / "d" / DESCRIPTION
    content = json.loads(path.read_text())
    assert content.pop("facts") == ClassFacts().to_json()
    path.write_text(sealed.text(content))
    assert Dataset(tmp_path / "d").facts == ClassFacts()


@pytest.mark.parametrize("damage", DAMAGED)
def test_dataset_with_damaged_facts_is_refused(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "d")
    reseal(tmp_path / "d" / DESCRIPTION, facts=DAMAGED[damage])
    with pytest.raises(InputError, match=r"dataset\.json cannot be read"):
        Dataset(tmp_path / "d")


def test_facts_of_several_datasets_come_together() -> None:
    parts = [FACTS.of_classes(["belladonna"]), FACTS.of_classes(["bilberry", "something else"])]
    assert combine(parts) == FACTS
    assert combine([FACTS, FACTS]) == FACTS
    assert combine([]) == ClassFacts()
    assert combine([FACTS], "any").subject == "any"


def test_facts_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="differ in the edibility of 'belladonna'"):
        combine([FACTS, ClassFacts("berries", {"belladonna": "edible"})])
    with pytest.raises(InputError, match=r"subject \(berries, fungi\).*--subject"):
        combine([FACTS, ClassFacts()])
    assert combine([FACTS, ClassFacts()], "berries") == FACTS
