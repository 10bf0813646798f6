"""The gate asks how often a dangerous class is taken for an edible one, if that is limited."""

import dataclasses
import json
from pathlib import Path

import pytest
from conftest import Run
from publish_items import FIRST, publish_command, write_metrics
from sealing import reseal

from components.common.base.errors import InputError
from components.common.untrusted import sealed
from components.publish.dangers import Dangers
from components.publish.decision import HOLD, PUBLISH, Decision, weigh


def judged(known: Dangers | None, most: float) -> Decision:
    """The decision on a model that nothing else is against."""
    return weigh(dataclasses.replace(FIRST, dangers=known, max_dangerous=most))


@pytest.mark.parametrize(
    ("known", "most", "word", "expected"),
    [
        # Off by default: no set is held back for being small, or for not stating any edibility.
        (None, 1.0, PUBLISH, ""),
        (Dangers(0, 0, 1), 1.0, PUBLISH, ""),
        (Dangers(17, 17, 1), 1.0, PUBLISH, ""),
        # The upper bound counts: none of 17 is up to 0.184, of 6 up to 0.390.
        (Dangers(0, 17, 1), 0.2, PUBLISH, "0 of 17 photos of deadly or poisonous classes are"),
        (Dangers(0, 17, 1), 0.15, HOLD, "0.184 of this share is above 0.15 (--max_dangerous)"),
        (Dangers(0, 6, 2), 0.2, HOLD, "0 of 6 photos of deadly or poisonous classes are"),
        (Dangers(1, 200, 1), 0.05, PUBLISH, "1 of 200 photos of deadly or poisonous classes is"),
        (Dangers(9, 200, 1), 0.05, HOLD, "9 of 200 photos of deadly or poisonous classes are"),
        # The recipe may do well, and the model itself badly.
        (Dangers(0, 200, 1, 0.02, 0.3), 0.2, HOLD, "takes too many demo photos of deadly or"),
        (Dangers(0, 200, 1, 0.02, 0.1), 0.2, PUBLISH, "the upper bound 0.020"),
        # Nothing was measured, or nothing can be: a gate that opens where it sees nothing is none.
        (Dangers(0, 0, 1), 0.99, HOLD, "no held-out photo shows a class stated to be deadly"),
        (None, 0.99, HOLD, "the edibility of its classes is not stated (species.yaml)"),
        # No answer can be an edible class where there is none.
        (Dangers(0, 3, 0), 0.01, PUBLISH, "no class is stated to be edible"),
    ],
)
def test_upper_bound_of_dangerous_confusions_holds_a_model_back_where_that_is_asked(
    known: Dangers | None, most: float, word: str, expected: str
) -> None:
    taken = judged(known, most)
    assert taken.decision == word
    assert expected in taken.reason
    assert ("--max_dangerous" in taken.reason) == (most < 1 and (known is None or known.edible > 0))


def test_published_model_stays_where_less_danger_is_asked_of_it_now() -> None:
    known = dataclasses.replace(FIRST, champion="new", dangers=Dangers(2, 17, 1), max_dangerous=0.1)
    held = weigh(known)
    assert held.decision == HOLD
    assert held.reason.endswith("stays published, from a run with lower limits")


def test_decision_keeps_the_dangers_and_one_of_before_has_none(tmp_path: Path) -> None:
    taken = judged(Dangers(1, 40, 2), 0.2)
    path = tmp_path / "decision.json"
    path.write_text(taken.to_json())
    assert Decision.read(path) == taken
    content = json.loads(taken.to_json())
    del content["dangers"], content["max_dangerous"]
    path.write_text(sealed.text(content))
    before = Decision.read(path)
    assert (before.dangers, before.max_dangerous) == (None, 1.0)


@pytest.mark.parametrize(
    "dangers",
    [
        {"confusions": 5, "photos": 4, "edible": 1},
        {"confusions": -1, "photos": 4, "edible": 1},
        {"confusions": "0.5", "photos": 4, "edible": 1},
        {"confusions": 1, "photos": 4.0, "edible": 1},
        {"confusions": 1, "photos": 4, "edible": 1, "high": 1.5},
        {"confusions": True, "photos": 4, "edible": 1},
        {"confusions": 0, "photos": 4},
        [1, 2, 3],
        "none",
    ],
)
def test_dangers_that_make_no_sense_are_refused(tmp_path: Path, dangers: object) -> None:
    content = {**json.loads(judged(None, 1.0).to_json()), "dangers": dangers}
    (tmp_path / "decision.json").write_text(sealed.text(content))
    with pytest.raises(InputError, match="is not a decision"):
        Decision.read(tmp_path / "decision.json")


def test_command_holds_back_with_the_message(sample_run: Run, tmp_path: Path) -> None:
    model = sample_run.directory / "model"
    figures = write_metrics(tmp_path / "metrics", model)
    reseal(figures, dangerous_photos=17, dangerous_confusions=3, edible_classes=1)
    place = (tmp_path / "out", "--max_dangerous", "0.2")
    held = publish_command(sample_run, model, figures, *place)
    assert held.returncode == 1, held.stderr
    assert (
        "3 of 17 photos of deadly or poisonous classes are taken for an edible one: the "
        "upper bound 0.410 of this share is above 0.2 (--max_dangerous)"
    ) in held.stdout
    done = publish_command(sample_run, model, figures, tmp_path / "out")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dangerous_confusions": 18}, "make no sense"),
        ({"dangerous_confusions": None}, "make no sense"),
        ({"edible_classes": "one"}, "make no sense"),
    ],
)
def test_figures_of_dangers_that_make_no_sense_are_refused(
    sample_run: Run, tmp_path: Path, changes: dict[str, object], expected: str
) -> None:
    model = sample_run.directory / "model"
    figures = write_metrics(tmp_path / "metrics", model)
    known = {"dangerous_photos": 17, "dangerous_confusions": 3, "edible_classes": 1}
    reseal(figures, **{**known, **changes})
    done = publish_command(sample_run, model, figures, tmp_path / "out")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
