"""What is said of dangerous classes: they are named, and no words are leave to eat."""

import itertools

import pytest
from danger_items import DANGEROUS_CLASSES, FACTS, sure_of

from components.common.dataset.class_facts import EDIBILITIES, ClassFacts
from components.common.dataset.dangers import Danger, possible
from components.common.pages import danger_words
from components.common.pages.danger_words import caution, could_also_be, with_danger


@pytest.mark.parametrize(
    ("edibility", "expected"),
    [
        ("deadly", "cap (deadly)"),
        ("poisonous", "cap (poisonous)"),
        ("inedible", "cap"),
        ("edible", "cap"),
        ("unknown", "cap"),
    ],
)
def test_edibility_stands_beside_a_class_only_where_it_is_a_danger(
    edibility: str, expected: str
) -> None:
    assert with_danger("cap", ClassFacts(edibility={"cap": edibility})) == expected
    assert with_danger("cap", ClassFacts()) == "cap"


@pytest.mark.parametrize(
    ("answer", "others", "unknown", "expected"),
    [
        ("champignon", (), False, ""),
        ("champignon", (("earthstar", 0.4), ("bracket", 0.2)), False, ""),
        ("champignon", (("death cap", 0.04),), False, "could also be death cap (deadly), 4 %"),
        ("champignon", (("death cap", 0.004),), False, ""),
        # What is shown with 1 % is named.
        ("champignon", (("death cap", 0.006),), False, "could also be death cap (deadly), 1 %"),
        (
            *("champignon", (("death cap", 0.02), ("fly agaric", 0.2)), False),
            "could also be death cap (deadly), 2 %, or fly agaric (poisonous), 20 %",
        ),
        ("fly agaric", (), False, "fly agaric is poisonous"),
        (
            *("fly agaric", (("death cap", 0.03),), False),
            "fly agaric is poisonous; could also be death cap (deadly), 3 %",
        ),
        ("fly agaric", (), True, "could also be fly agaric (poisonous), 100 %"),
        ("earthstar", (("fly agaric", 0.011),), True, "could also be fly agaric (poisonous), 1 %"),
        ("earthstar", (), True, ""),
    ],
)
def test_dangers_are_named_beside_every_answer_also_none_of_these(
    answer: str, others: tuple[tuple[str, float], ...], unknown: bool, expected: str
) -> None:
    found = possible(sure_of(answer, *others), DANGEROUS_CLASSES, FACTS)
    assert caution(found, None if unknown else answer) == expected


@pytest.mark.parametrize(("answer", "other"), list(itertools.product(EDIBILITIES, EDIBILITIES)))
def test_no_words_call_a_class_edible(answer: str, other: str) -> None:
    facts = ClassFacts(edibility={"a": answer, "b": other})
    for unknown in (False, True):
        said = caution(possible((0.6, 0.4), ("a", "b"), facts), None if unknown else "a")
        assert "edible" not in said
        assert "safe" not in said


def test_of_many_dangerous_classes_the_first_are_named_and_the_others_counted() -> None:
    many = [Danger(f"cap {place}", "deadly", 0.1) for place in range(8)]
    said = could_also_be(many, None)
    assert said.count("(deadly), 10 %") == danger_words.MAX_NAMED
    assert said.endswith(", or 3 more")


def test_strange_class_name_stays_on_its_line() -> None:
    said = could_also_be([Danger("a\x1b[2J\n" + "b" * 200, "deadly", 0.5)], None)
    assert said.isprintable()
    assert len(said) < 120
