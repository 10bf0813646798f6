"""The page of a training's curves: what it shows, and what is no training's."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.untrusted import sealed
from components.retrain.curves import MOST_POINTS, Curves, _thinned
from components.tensorboard import curves

HEAD = [[0, 0.2, 1.6, 0.25, 1.5], [10, 0.8, 0.6, None, None], [19, 0.9, 0.4, 0.7, 0.8]]


def written(folder: Path, head: Any = HEAD, fine_tuning: Any = ()) -> Path:
    content = {**sealed.CURVES.head, "head": head, "fine_tuning": fine_tuning}
    sealed.dump(folder / sealed.CURVES_FILE, content, what="the curves")
    return folder


def test_run_has_a_page_of_its_curves(sample_run: Run) -> None:
    content = json.loads((sample_run.directory / "logs" / sealed.CURVES_FILE).read_text())
    assert tuple(content["columns"]) == sealed.CURVE_COLUMNS
    steps = [row[0] for row in content["head"]]
    assert (steps[0], steps[-1]) == (0, 499)
    assert content["fine_tuning"] == []
    page = next((sample_run.directory / "artifacts").rglob("tensorboard/curves")).read_text()
    last = content["head"][-1]
    assert f"training {last[1]:.3f}, validation {last[3]:.3f}." in page
    assert f"training {last[2]:.3f}, validation {last[4]:.3f}." in page
    assert "make tensorboard" in page


def test_fine_tuning_has_charts_of_its_own_and_gaps_are_passed_over(tmp_path: Path) -> None:
    tuned = [[10, 0.9, 0.3, None, None], [20, 0.95, 0.2, None, None]]
    page = curves.render(written(tmp_path, HEAD, tuned), shown_by="how to see it live")
    assert (
        "Training the last layer: accuracy by step; at the end training 0.900, validation 0.700."
        in page
    )
    assert "Fine-tuning: accuracy by step; at the end training 0.950." in page
    assert "how to see it live" in page
    assert page.count("<figure") == 4


@pytest.mark.parametrize(
    ("facts", "warning"),
    [
        ({}, "Never eat a mushroom"),
        ({"facts": ClassFacts("flowers").to_json()}, "This program can be wrong"),
        ({"facts": ClassFacts("berries", {"a": "deadly"}).to_json()}, "Never eat anything"),
    ],
)
def test_page_warns_of_what_the_classes_are(
    tmp_path: Path, facts: dict[str, Any], warning: str
) -> None:
    content = {**sealed.CURVES.head, "head": HEAD, "fine_tuning": [], **facts}
    sealed.dump(tmp_path / sealed.CURVES_FILE, content, what="the curves")
    page = curves.render(tmp_path)
    assert warning in page
    assert ("mushroom" in page) == (not facts)


def test_logs_say_what_the_classes_are(tmp_path: Path) -> None:
    with Curves(tmp_path, ClassFacts("flowers")):
        pass
    assert "This program can be wrong" in curves.render(tmp_path)


def test_curves_are_thinned_from_their_last_point_on() -> None:
    rows: list[list[float | None]] = [[float(step)] for step in range(2 * MOST_POINTS + 1)]
    thinned = _thinned(rows)
    assert len(thinned) <= MOST_POINTS
    assert thinned[-1] == rows[-1]
    assert _thinned(rows[:3]) == rows[:3]
    assert _thinned([]) == []


@pytest.mark.parametrize(
    "head",
    [
        [[0, 0.2, 1.6, 0.25]],
        [[0, 2.0, 1.6, 0.25, 1.5]],
        [[0, 0.2, -1, 0.25, 1.5]],
        [[0, "<b>", 1.6, 0.25, 1.5]],
        [[5, 0.2, 1.6, 0.25, 1.5], [5, 0.2, 1.6, 0.25, 1.5]],
        [["x", 0.2, 1.6, 0.25, 1.5]],
        [[10**12, 0.2, 1.6, 0.25, 1.5]],
        [7],
        {"a": 1},
        7,
    ],
)
def test_what_no_training_writes_is_told(tmp_path: Path, head: Any) -> None:
    with pytest.raises(InputError, match="was not written by a training"):
        curves.render(written(tmp_path, head))


def test_facts_that_no_training_writes_are_told(tmp_path: Path) -> None:
    content = {**sealed.CURVES.head, "head": HEAD, "fine_tuning": [], "facts": {"subject": 7}}
    sealed.dump(tmp_path / sealed.CURVES_FILE, content, what="the curves")
    with pytest.raises(InputError, match="was not written by a training"):
        curves.render(tmp_path)


def test_missing_and_edited_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"curves\.json is missing"):
        curves.render(tmp_path)
    path = written(tmp_path) / sealed.CURVES_FILE
    path.write_text(path.read_text().replace("0.9", "0.8"))
    with pytest.raises(InputError, match=r"curves\.json"):
        curves.render(tmp_path)
