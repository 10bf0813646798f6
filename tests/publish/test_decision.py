"""The decision: which limits hold a model back, and that the reason names the figures."""

import dataclasses
import json
from pathlib import Path

import pytest
from publish_items import FIRST

from components.common.base.errors import InputError
from components.common.untrusted import sealed
from components.publish.decision import HOLD, PUBLISH, Decision, weigh
from components.publish.paired import Comparison
from components.publish.recalls import Recalls


def beside(compared: Comparison | None, **changes: object) -> Decision:
    """The decision beside a published model with these answers."""
    known = dataclasses.replace(FIRST, champion="old", comparison=compared)
    return weigh(dataclasses.replace(known, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "wanted", "word"),
    [(0.80, 0.8, PUBLISH), (0.81, 0.8, PUBLISH), (0.79, 0.8, HOLD), (0.0, 0.0, PUBLISH)],
)
def test_lower_bound_alone_decides_where_nothing_is_published(
    low: float, wanted: float, word: str
) -> None:
    taken = weigh(dataclasses.replace(FIRST, accuracy_low=low, min_accuracy=wanted))
    assert taken.decision == word
    assert f"lower bound {low:.3f}" in taken.reason
    assert "no model was published as mushrooms before" in taken.reason


@pytest.mark.parametrize(
    ("only_champion", "only_challenger", "allowed", "word"),
    [
        (2, 2, 0.0, PUBLISH),
        (1, 2, 0.0, PUBLISH),
        (2, 1, 0.0, HOLD),
        (2, 1, 0.03, HOLD),  # one of 28 is 0.036
        (2, 1, 0.04, PUBLISH),
        (8, 1, 0.25, PUBLISH),  # exactly 7 of 28
        (9, 1, 0.25, HOLD),
    ],
)
def test_no_more_may_be_lost_than_allowed(
    only_champion: int, only_challenger: int, allowed: float, word: str
) -> None:
    compared = Comparison(28, 15, only_champion, only_challenger)
    assert beside(compared, max_regression=allowed).decision == word


def test_reason_names_both_figures_on_the_same_photos() -> None:
    held = beside(Comparison(28, 12, 11, 0))
    assert held.decision == HOLD
    assert "on the same 28 demo photos it gets 12 right (0.429)" in held.reason
    assert "the published old gets 23 (0.821): -0.393, 95 % interval " in held.reason
    assert "p = 0.00098" in held.reason
    assert "the accuracy may drop by at most 0 (--max_regression)" in held.reason


def test_better_than_the_published_one_is_not_good_enough() -> None:
    held = beside(Comparison(28, 10, 0, 9), accuracy_low=0.5)
    assert held.decision == HOLD
    assert "lower bound 0.500 of its accuracy is below 0.6" in held.reason
    assert "19 right" in held.reason


def test_reason_names_classes_that_one_of_them_does_not_know() -> None:
    lacks = tuple(f"class {number}" for number in range(7))
    compared = Comparison(28, 10, 0, 9, champion_lacks=lacks, challenger_lacks=("\x1b[31mred",))
    reason = beside(compared).reason
    assert "the published model does not know class 0, class 1" in reason
    assert "class 4 and 2 more" in reason
    assert "the new one no longer knows [31mred" in reason


@pytest.mark.parametrize(
    ("compared", "problem", "expected"),
    [
        (Comparison(0, 0, 0, 0, left_out=5), "", "all 5 were used to train"),
        (Comparison(0, 0, 0, 0), "", "there are none"),
        (None, "x is damaged", ": x is damaged"),
    ],
)
def test_what_cannot_be_compared_is_held_back_unless_nothing_is_asked_of_it(
    compared: Comparison | None, problem: str, expected: str
) -> None:
    held = beside(compared, champion_problem=problem, max_regression=0.99)
    assert held.decision == HOLD
    assert expected in held.reason
    assert "--max_regression 1 publishes without comparing" in held.reason
    taken = beside(compared, champion_problem=problem, max_regression=1.0)
    assert taken.decision == PUBLISH
    assert expected in taken.reason


def test_published_model_itself_is_published_again() -> None:
    taken = weigh(dataclasses.replace(FIRST, champion="new"))
    assert taken.decision == PUBLISH
    assert "this model is already published" in taken.reason


def test_published_model_itself_stays_published_where_more_is_asked_of_it_now() -> None:
    held = weigh(dataclasses.replace(FIRST, champion="new", accuracy_low=0.5401))
    assert held.decision == HOLD
    assert held.reason == (
        "the lower bound 0.540 of its accuracy is below 0.6 (--min_accuracy); nothing new is "
        "published; this same model stays published, from a run with a lower --min_accuracy"
    )


def test_decision_survives_its_file(tmp_path: Path) -> None:
    taken = beside(Comparison(28, 12, 3, 1, left_out=2, champion_lacks=("Steinpilz ü",)))
    (tmp_path / "decision.json").write_text(taken.to_json(), encoding="utf-8")
    assert Decision.read(tmp_path / "decision.json") == taken
    figures = json.loads(taken.to_json())["comparison"]["figures"]
    assert figures["champion_accuracy"] == pytest.approx(15 / 28)
    assert figures["challenger_accuracy"] == pytest.approx(13 / 28)


def test_what_the_photos_of_each_class_are_worth_survives_the_file(tmp_path: Path) -> None:
    recalls = Recalls({"a": 8, "b": 5}, {"a": 9, "b": 6}, {"a": 4.5, "b": 6})
    taken = weigh(dataclasses.replace(FIRST, recalls=recalls))
    (tmp_path / "decision.json").write_text(taken.to_json(), encoding="utf-8")
    assert Decision.read(tmp_path / "decision.json") == taken
    content = json.loads(taken.to_json())
    content["recalls"]["effective"]["a"] = 10
    (tmp_path / "decision.json").write_text(sealed.text(content))
    with pytest.raises(InputError, match="9 photos of a class do not count as 10"):
        Decision.read(tmp_path / "decision.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("[]", "holds no JSON object"),
        ("{}", "this program reads wild-mushrooms-decision 1 and 2"),
        ('{"format": "wild-mushrooms-decision", "format_version": 2}', "lacks its seal"),
        ('{"format": "wild-mushrooms-decision", "format_version": 1}', "not a decision"),
    ],
)
def test_file_that_is_no_decision_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "decision.json").write_text(content)
    with pytest.raises(InputError, match=rf"decision\.json .*{message}"):
        Decision.read(tmp_path / "decision.json")
    with pytest.raises(InputError, match="missing"):
        Decision.read(tmp_path / "other.json")


def test_decision_with_counts_that_make_no_sense_is_refused(tmp_path: Path) -> None:
    content = json.loads(beside(Comparison(28, 12, 3, 1)).to_json())
    content["comparison"]["both"] = -1
    (tmp_path / "decision.json").write_text(sealed.text(content))
    with pytest.raises(InputError, match="make no sense"):
        Decision.read(tmp_path / "decision.json")


@pytest.mark.parametrize(
    ("cross_validated", "high", "word"),
    [(True, 0.59, HOLD), (True, 0.6, PUBLISH), (True, 1.0, PUBLISH), (False, 0.1, PUBLISH)],
)
def test_good_recipe_whose_model_surely_falls_short_on_the_demo_photos_is_held_back(
    cross_validated: bool, high: float, word: str
) -> None:
    known = dataclasses.replace(FIRST, cross_validated=cross_validated, demo_accuracy_high=high)
    taken = weigh(known)
    assert taken.decision == word
    assert ("its cross-validated accuracy reaches 0.6" in taken.reason) == cross_validated
    assert ("the model itself falls short on the demo photos" in taken.reason) == (word == HOLD)
