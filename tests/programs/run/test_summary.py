"""The summary: class names are shown as they are, and nothing is rounded into a lie."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.vocabulary import PARTS
from programs.run.notices import Notices
from programs.run.options import Request
from programs.run.summary import _photo_table, tell

STATED = ClassFacts(edibility={"fly agaric": "poisonous"})


def test_class_name_in_brackets_is_no_markup() -> None:
    out = io.StringIO()
    counts = {"[red]cap[/red]": dict.fromkeys(PARTS, 3), "/[b]": dict.fromkeys(PARTS, 4)}
    Console(file=out, width=100).print(_photo_table(counts))
    assert "[red]cap[/red]" in out.getvalue()
    assert "/[b]" in out.getvalue()


def told(
    tmp_path: Path,
    *,
    subject: str = "flowers",
    notices: Notices | None = None,
    published: str = "",
    terminal: int = 0,
    reason: str = "[why]",
    **figures: float,
) -> str:
    """The summary of a run as text: for a terminal of so many columns, or for a file."""
    content = {
        "seconds": 12.6,
        "photos": {"daisy": dict.fromkeys(PARTS, 3)},
        "metrics": {"held_out_photos": 0, "test_photos": 0, "demo_photos": 0, **figures},
        "reason": reason,
        "published": published,
    }
    out = io.StringIO()
    console = Console(
        file=out, width=terminal or 80, force_terminal=bool(terminal), color_system=None
    )
    tell(Request(tmp_path, {"source": "folder"}), content, subject, notices or Notices(), console)
    return out.getvalue()


ACCURACY = {
    "held_out_photos": 28,
    "held_out_accuracy": 23 / 28,
    "held_out_accuracy_low": 0.6441,
    "held_out_accuracy_high": 0.9213,
}


def test_accuracy_names_photos_and_interval(tmp_path: Path) -> None:
    text = told(tmp_path, **ACCURACY)
    assert "accuracy   0.821 of 28 photos it never saw (95 % interval 0.644 to 0.921)\n" in text
    assert "  test     no photos\n" in text
    assert "published  no, held back\n  because  [why]\n" in text
    assert "time       13 s" in text


def test_result_comes_first_then_what_to_check_then_counts_then_what_is_next(
    tmp_path: Path,
) -> None:
    text = told(tmp_path, notices=Notices(["look at this"], ["5 of 9 files left out"]))
    order = ["accuracy", "published", "report", "To check (1 remark):", "  look at this"]
    order += ["Photos used", "daisy", "5 of 9 files left out", "Next:", "Open in a browser"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_word_is_broken_on_a_terminal_and_no_line_folded_in_a_file(
    tmp_path: Path, columns: int
) -> None:
    reason = "the lower bound of " + "an_accuracy_of_some_kind " * 12
    notices = Notices(["to check " * 30], ["a fact " * 30])
    facts = {"reason": reason, "notices": notices, **ACCURACY}
    whole, folded = told(tmp_path, **facts), told(tmp_path, terminal=columns, **facts)
    assert f"  because  {reason}".rstrip() in whole
    known = set(whole.split()) | {"\\"}
    assert set(folded.split()) <= known
    paths = [line for line in folded.split("\n") if str(tmp_path) in line]
    assert all(len(line) <= columns for line in folded.split("\n") if line not in paths)
    # What goes on in another line stands below the words, not below the name.
    after = folded.split("  because  ")[1].split("\n")[1]
    assert after.startswith(" " * 11 + "an_accuracy")


@pytest.mark.parametrize("rows", [0, 1])
def test_table_of_reasons_is_offered_where_it_has_rows(tmp_path: Path, rows: int) -> None:
    (tmp_path / "REASONS.csv").write_text("\ufefffile,class\n" + "a.jpg,daisy\n" * rows)
    assert ("REASONS.csv" in told(tmp_path)) == bool(rows)


def test_of_very_many_classes_the_first_and_the_sum_are_shown() -> None:
    out = io.StringIO()
    counts = {f"class {number:03d}": dict.fromkeys(PARTS, 2) for number in range(200)}
    Console(file=out, width=80).print(_photo_table(counts))
    lines = out.getvalue().splitlines()
    assert len(lines) < 30
    assert any("180 more classes" in line for line in lines)
    assert lines[-1].split() == ["together", *["400"] * len(PARTS)]


@pytest.mark.parametrize(
    ("facts", "figures", "expected"),
    [
        (
            ClassFacts(),
            {},
            "dangerous  the edibility of the classes is not stated: see species.yaml\n",
        ),
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
        (
            STATED,
            {
                **{"dangerous_photos": 17, "dangerous_confusions": 17 / 3},
                **{"dangerous_rate_low": 0.0329, "dangerous_rate_high": 0.3434},
            },
            "dangerous  on average 5.7 of 17 photos of deadly or poisonous classes taken for an "
            "edible one (95 % interval 0.033 to 0.343)\n",
        ),
        (STATED, {"dangerous_photos": 0, "dangerous_confusions": 0}, ""),
    ],
)
def test_summary_tells_dangerous_confusions_or_that_nothing_is_stated(
    tmp_path: Path, facts: ClassFacts, figures: dict[str, float], expected: str
) -> None:
    text = told(tmp_path, subject=facts.subject, **figures)
    assert expected in text
    assert ("\ndangerous" in text) == bool(expected)
