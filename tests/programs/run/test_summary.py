"""The summary: class names are shown as they are, and nothing is rounded into a lie."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.vocabulary import PARTS
from components.publish.decision import HOLD, Decision
from programs.run.options import Request
from programs.run.summary import _photo_table, _tell

STATED = ClassFacts(edibility={"fly agaric": "poisonous"})


def test_class_name_in_brackets_is_no_markup() -> None:
    out = io.StringIO()
    counts = {"[red]cap[/red]": dict.fromkeys(PARTS, 3), "/[b]": dict.fromkeys(PARTS, 4)}
    Console(file=out, width=100).print(_photo_table(counts))
    assert "[red]cap[/red]" in out.getvalue()
    assert "/[b]" in out.getvalue()


def test_accuracy_names_photos_and_interval() -> None:
    metrics = {
        "held_out_photos": 28,
        "held_out_accuracy": 23 / 28,
        "held_out_accuracy_low": 0.6441,
        "held_out_accuracy_high": 0.9213,
        "test_photos": 0,
        "demo_photos": 0,
    }
    request = Request(Path("runs/1"), {"source": "folder"})
    decision = Decision(HOLD, "[why]", "m", "v", 0.8, 0.6, 0.7, 0.0, "")
    out = io.StringIO()
    _tell(request, metrics, ClassFacts(), decision, "", 12.6, Console(file=out, width=40))
    text = out.getvalue()
    assert "accuracy   0.821 of 28 photos it never saw (95 % interval 0.644 to 0.921)\n" in text
    assert "  test     no photos\n" in text
    assert "published  no, held back\n  because  [why]\n" in text
    assert "time       13 s" in text


@pytest.mark.parametrize(
    ("facts", "figures", "expected"),
    [
        (ClassFacts(), {}, "dangerous  edibility of the classes is not stated: species.yaml\n"),
        (ClassFacts(subject="flowers"), {}, ""),
        (
            STATED,
            {
                **{"dangerous_photos": 17, "dangerous_confusions": 2},
                **{"dangerous_rate_low": 0.0329, "dangerous_rate_high": 0.3434},
            },
            "dangerous  2 of 17 photos of deadly or poisonous classes taken for an edible one "
            "(95 % interval 0.033 to 0.343)\n",
        ),
        (STATED, {"dangerous_photos": 0, "dangerous_confusions": 0}, ""),
    ],
)
def test_summary_tells_dangerous_confusions_or_that_nothing_is_stated(
    facts: ClassFacts, figures: dict[str, float], expected: str
) -> None:
    metrics = {"held_out_photos": 0, "test_photos": 0, "demo_photos": 0, **figures}
    request = Request(Path("runs/1"), {"source": "folder"})
    decision = Decision(HOLD, "why", "m", "v", 0.8, 0.6, 0.7, 0.0, "")
    out = io.StringIO()
    _tell(request, metrics, facts, decision, "", 1.0, Console(file=out, width=40))
    assert expected in out.getvalue()
    assert ("dangerous" in out.getvalue()) == bool(expected)
