"""Photos of deadly and poisonous classes that are called an edible class: counted, and shown."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from danger_items import DANGEROUS_CLASSES, FACTS, dangerous_model, sure_of
from evaluation_items import RULE, answer, evaluation, jpeg
from html_page import Page

from components.common.base.shares import Share
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.model.model_place import CROSS_VALIDATED
from components.common.pages.danger_words import NOT_STATED
from components.evaluate import report
from components.evaluate.answers import Source, mistakes, outcomes
from components.evaluate.dangers import Dangers, figures, measure
from components.evaluate.evaluate import evaluate
from components.evaluate.evaluation import EvaluatedPhoto, Evaluation, RoundAnswer
from components.evaluate.report_mistakes import FIRST

MAPS = (np.eye(7, dtype=np.float32), np.ones((7, 7), np.float32))


def said(
    true: str, predicted: str, *others: tuple[str, float], unknown: bool = False, number: int = 0
) -> EvaluatedPhoto:
    """The answer `predicted` to a photo of the class `true`."""
    one = answer(
        true,
        sure_of(predicted, *others),
        familiarity=0.01 if unknown else 0.5,
        classes=DANGEROUS_CLASSES,
    )
    return dataclasses.replace(one, photo=Photo(true, path=f"{true}/{number}.jpg"), maps=MAPS)


def measured(*answers: EvaluatedPhoto, facts: ClassFacts = FACTS) -> Dangers | None:
    return measure(outcomes(answers, DANGEROUS_CLASSES, rule=True), DANGEROUS_CLASSES, facts)


@pytest.mark.parametrize(
    ("true", "predicted", "unknown", "counted"),
    [
        # confused, unwarned, turned away, recognised, of all
        ("fly agaric", "champignon", False, (1, 0, 0, 0, 1)),
        ("death cap", "champignon", False, (1, 0, 0, 0, 1)),
        ("death cap", "earthstar", False, (0, 1, 0, 0, 1)),  # inedible: milder
        ("death cap", "bracket", False, (0, 1, 0, 0, 1)),  # not stated
        ("death cap", "fly agaric", False, (0, 0, 0, 1, 1)),  # wrong, but a danger all the same
        ("death cap", "death cap", False, (0, 0, 0, 1, 1)),
        ("death cap", "champignon", True, (0, 0, 1, 0, 1)),  # "none of these" names nothing
        ("champignon", "death cap", False, (0, 0, 0, 0, 0)),  # costs a meal, not a life
        ("bracket", "champignon", False, (0, 0, 0, 0, 0)),  # not stated
        ("earthstar", "champignon", False, (0, 0, 0, 0, 0)),
    ],
)
def test_every_answer_to_a_dangerous_class_is_counted_as_one_thing(
    true: str, predicted: str, unknown: bool, counted: tuple[int, ...]
) -> None:
    found = measured(said(true, predicted, unknown=unknown))
    assert found is not None
    assert counted == (
        *(found.confused.count, found.unwarned, found.turned_away),
        *(found.recognised, found.photos),
    )


def test_shares_are_of_the_dangerous_photos_with_wilson_s_interval_by_pair() -> None:
    found = measured(
        *[said("fly agaric", "champignon")] * 3,
        *[said("fly agaric", "fly agaric")] * 7,
        *[said("death cap", "champignon", ("death cap", 0.2))] * 1,
        *[said("death cap", "death cap")] * 9,
        *[said("champignon", "death cap")] * 50,
    )
    assert found is not None
    assert found.confused == Share.of(4, 20)
    assert found.warned == 1
    assert [(pair.label, pair.predicted, pair.confused) for pair in found.pairs] == [
        ("death cap", "champignon", Share.of(1, 10)),  # the deadly first
        ("fly agaric", "champignon", Share.of(3, 10)),
    ]


def test_metrics_are_finite_numbers_and_absent_where_nothing_is_stated() -> None:
    assert measured(said("fly agaric", "champignon"), facts=ClassFacts()) is None
    unknown = ClassFacts(edibility={"champignon": "unknown"})
    assert measured(said("fly agaric", "champignon"), facts=unknown) is None
    assert figures(None) == {}
    found = figures(measured(said("fly agaric", "champignon"), said("fly agaric", "bracket")))
    pairs = found.pop("dangerous_pairs")
    assert pairs == [
        {
            **{"label": "fly agaric", "edibility": "poisonous", "predicted": "champignon"},
            **{"photos": 1, "of": 2},
        }
    ]
    assert all(math.isfinite(value) for value in found.values())
    assert (found["dangerous_photos"], found["dangerous_confusions"]) == (2, 1)
    assert found["dangerous_rate"] == 0.5
    none = figures(measured(said("champignon", "champignon")))
    assert none == {
        **{"dangerous_photos": 0, "dangerous_confusions": 0, "edible_classes": 1},
        **{"dangerous_pairs": []},
    }


def test_dangerous_confusions_come_before_worse_mistakes_and_deadly_ones_first() -> None:
    answers = [
        said("champignon", "bracket", number=1),
        said("fly agaric", "champignon", number=2),
        said("death cap", "champignon", ("death cap", 0.3), number=3),
        said("death cap", "champignon", ("death cap", 0.1), number=4),
        said("death cap", "champignon", unknown=True, number=5),
        said("death cap", "earthstar", number=6),
    ]
    source = Source("test", (), lambda _: jpeg())
    found = mistakes(answers, [source], DANGEROUS_CLASSES, FACTS)
    assert [one.answer.photo.path for one in found][:3] == [
        *("death cap/4.jpg", "death cap/3.jpg", "fly agaric/2.jpg"),
    ]
    without = mistakes(answers, [source], DANGEROUS_CLASSES)
    assert without[0].answer.photo.path == "champignon/1.jpg"


def shown(*answers: EvaluatedPhoto, facts: ClassFacts = FACTS) -> str:
    """The report's words."""
    model = dataclasses.replace(dangerous_model(), facts=facts, unknown=RULE)
    return text_of(evaluation(list(answers), model))


def text_of(found: Evaluation) -> str:
    return " ".join(Page(report.render(found)).text.split())


def test_report_begins_with_the_dangerous_confusions_and_leads_to_their_photos() -> None:
    text = shown(
        *[said("fly agaric", "champignon", ("death cap", 0.02))] * 2,
        *[said("fly agaric", "fly agaric")] * 15,
        said("champignon", "bracket"),
    )
    headline = (
        "2 of 17 photos of deadly or poisonous classes were taken for an edible class: 12 %, "
        "95 % interval 3 % to 34 %. Such a mistake can kill."
    )
    assert headline in text
    assert "All of these answers name a dangerous class beside the edible one (“could also" in text
    assert "fly agaric (poisonous)champignon21712 %3 % to 34 %" in text
    alarm = "2 of 17 photos of deadly or poisonous classes were taken for an edible class. Such a"
    places = [
        text.index(part)
        for part in (
            *(alarm, "held-out photos right", "fly agaric, taken for champignon"),
            *("champignon, taken for bracket", headline),
        )
    ]
    assert places == sorted(places)
    assert text.count("fly agaric, taken for champignon") == 2  # once for each photo
    assert text.count("fly agaric (poisonous), taken for an edible class.") == 2
    assert "The 2 photos, first among the mistakes." in text


WARNED = said("fly agaric", "champignon", ("fly agaric", 0.02))
SILENT = said("fly agaric", "champignon")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([WARNED], "The answer names a dangerous class beside the edible one"),
        ([SILENT], "The answer does not name a dangerous class beside"),
        ([SILENT, SILENT], "None of these 2 answers names a dangerous class beside"),
        ([SILENT, SILENT, WARNED], "1 of these 3 answers names a dangerous class beside"),
        ([WARNED, SILENT, WARNED], "2 of these 3 answers name a dangerous class beside"),
        ([WARNED, WARNED], "All of these answers name a dangerous class beside"),
    ],
)
def test_report_says_in_how_many_confusions_the_danger_is_named(
    answers: list[EvaluatedPhoto], expected: str
) -> None:
    assert expected in shown(*answers)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            [said("fly agaric", "fly agaric")] * 17,
            "None of 17 photos of deadly or poisonous classes was taken for an edible class, "
            "95 % interval 0 % to 18 %. That proves nothing: on new photos of these classes it "
            "may be up to 18 %.",
        ),
        (
            [said("death cap", "champignon")],
            "1 of 1 photos of deadly or poisonous classes was taken",
        ),
        (
            [said("champignon", "champignon")],
            "There was no photo of death cap (deadly), fly agaric (poisonous) to measure on: how "
            "often the model takes a dangerous class for an edible one is not known.",
        ),
        (
            [said("death cap", "champignon", unknown=True), said("death cap", "bracket")],
            "Answers for all 2: a dangerous class (the right one or another) 0; an edible class 0; "
            "a class that is neither 1; “none of these” 1.",
        ),
    ],
)
def test_report_says_what_is_known_of_the_dangers(
    answers: list[EvaluatedPhoto], expected: str
) -> None:
    assert expected in shown(*answers)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ClassFacts(edibility={"champignon": "edible"}), "No class is stated to be deadly or"),
        (
            ClassFacts(edibility={"death cap": "deadly"}),
            "Not measured: no class is stated to be edible.",
        ),
    ],
)
def test_report_says_what_is_not_stated(facts: ClassFacts, expected: str) -> None:
    text = shown(said("death cap", "death cap"), facts=facts)
    assert expected in text
    assert "taken for an edible class" not in text


def test_without_stated_edibility_one_line_says_so_and_of_other_subjects_none() -> None:
    text = shown(said("death cap", "champignon"), facts=ClassFacts())
    assert text.count("angerous confusion") == 1
    assert f"Dangerous confusions are not counted: {NOT_STATED}." in text
    flowers = shown(said("death cap", "champignon"), facts=ClassFacts(subject="flowers"))
    assert "angerous confusion" not in flowers


def test_dangerous_confusions_are_never_among_the_photos_that_wait_to_be_asked_for() -> None:
    many = [said("fly agaric", "champignon")] * (FIRST + 3)
    model = dataclasses.replace(dangerous_model(), unknown=RULE)
    page = Page(report.render(evaluation([*many, said("champignon", "bracket")], model)))
    cards = [(one.get("class") or "").split() for one in page.all("li")]
    assert sum("dangerous" in css for css in cards) == len(many)
    assert not [css for css in cards if {"dangerous", "more"} <= {*css}]
    assert sum("more" in css for css in cards) == 1
    assert {"href": "#dangerous"} in page.all("a")


def test_confusion_in_one_round_of_cross_validation_is_a_dangerous_one() -> None:
    rounds = (RoundAnswer("fly agaric", False), RoundAnswer("champignon", False))
    turned_away = (RoundAnswer("fly agaric", False), RoundAnswer("champignon", True))
    one = dataclasses.replace(said("fly agaric", "fly agaric"), part=CROSS_VALIDATED)
    found = [
        dataclasses.replace(one, by_round=answers)
        for answers in (turned_away, rounds, rounds[:1] * 2)
    ]
    source = Source(CROSS_VALIDATED, (), lambda _: jpeg())
    first, second = mistakes(found, [source], DANGEROUS_CLASSES, FACTS)
    assert first.answer.by_round == rounds
    assert second.answer.by_round == turned_away
    assert first.answer.taken_for == "champignon"
    right = evaluation([said("fly agaric", "fly agaric")], dangerous_model())
    text = text_of(dataclasses.replace(right, mistakes=(first,), unsteady=1))
    assert "fly agaric (poisonous), taken for an edible class in 1 of 2 rounds." in text


def test_confusion_of_the_model_itself_is_told_at_the_top_where_cross_validation_had_none() -> None:
    harmless = evaluation([said("fly agaric", "fly agaric")], dangerous_model())
    assert "Such a mistake can kill" not in text_of(harmless)
    own = measured(said("fly agaric", "champignon"))
    text = text_of(dataclasses.replace(harmless, own_dangers=own))
    alarm = "1 of 1 demo photos of deadly or poisonous classes was taken for an edible class by"
    assert text.index(alarm) < text.index("photos right")
    assert "Of the demo photos, by this model: 1 of 1" in text


def test_fly_agarics_that_a_model_takes_for_an_edible_class_are_counted_and_told(
    sample_run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"  # what lies in "fly agaric" is what the model knows as puffballs
    for photo, data in Dataset(sample_run.directory / "demo").stream():
        if photo.label in ("giant puffball", "earthstar"):
            label = "fly agaric" if photo.label == "giant puffball" else photo.label
            (folder / label).mkdir(parents=True, exist_ok=True)
            (folder / label / Path(photo.path).name).write_bytes(data)
    places = (tmp_path / "metrics.json", tmp_path / "report.html")
    found = evaluate(sample_run.directory / "model", None, None, *places, folder=folder)
    assert found.dangers is not None
    assert found.dangers.photos == len(list((folder / "fly agaric").iterdir()))
    assert found.dangers.confused.count > 0
    (pair,) = found.dangers.pairs
    assert (pair.label, pair.edibility, pair.predicted) == (
        *("fly agaric", "poisonous", "giant puffball"),
    )
    metrics = json.loads(places[0].read_text())
    assert metrics["dangerous_confusions"] == found.dangers.confused.count
    assert metrics["dangerous_rate"] == found.dangers.confused.value
    assert found.mistakes[0].answer.photo.label == "fly agaric"
    text = Page(places[1].read_text()).text
    assert text.index("fly agaric, taken for giant puffball") < text.index(
        "Right answers are on the diagonal"
    )
