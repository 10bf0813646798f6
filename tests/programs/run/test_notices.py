"""Warnings of a kind become one line with totals, and facts are told apart from what to check."""

import pytest

from components.common.base.step import FEW, FLAGGED, LEFT_OUT
from components.common.dataset.vocabulary import in_words
from programs.run.notices import Notices, gathered


def of_kind(kind: str, number: int, counts: dict[str, int], of: int = 0) -> dict[str, object]:
    return {"message": f"{kind} {number}", "kind": kind, "number": number, "of": of} | {
        "counts": counts
    }


def test_classes_that_say_the_same_become_one_line_with_totals() -> None:
    warned = [
        of_kind(LEFT_OUT, 3, {"damaged": 1, "placeholder": 1, "exact_duplicate": 1}, 67),
        of_kind(FLAGGED, 1, {"blurred": 1}, 64),
        of_kind(LEFT_OUT, 2, {"damaged": 2}, 60),
        {"message": "the published model cannot be asked"},
        of_kind(FLAGGED, 2, {"dark": 2, "blurred": 1}, 58),
        of_kind(LEFT_OUT, 14, {"in_two_classes": 14}),
        {**of_kind(FEW, 5, {}), "message": "All 5 classes have fewer than 250 photos"},
    ]
    assert gathered(warned) == Notices(
        [
            "the published model cannot be asked",
            "3 photos kept although flagged: 2 blurred, 2 dark; --strict leaves them out",
        ],
        [
            "19 of 127 files left out: 14 in two classes, 3 damaged, 1 placeholder, "
            "1 exact duplicate; see REASONS.csv",
            "All 5 classes have fewer than 250 photos",
        ],
    )


def test_files_that_were_too_small_come_with_the_option_that_takes_them() -> None:
    (line,) = gathered([of_kind(LEFT_OUT, 17, {"too_few_bytes": 17}, 200)]).facts
    assert line.startswith("17 of 200 files left out: 17 too few bytes;")
    assert "--min_bytes" in line


def test_warnings_of_runs_of_earlier_versions_are_shown_as_they_are() -> None:
    assert gathered([{"message": "a"}, {"message": "b"}]) == Notices(["a", "b"], [])


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"exact_duplicate": 1}, "1 exact duplicate"),
        ({"exact_duplicate": 2, "dark": 2}, "2 exact copies, 2 dark"),
        ({}, ""),
    ],
)
def test_counts_are_words(counts: dict[str, int], text: str) -> None:
    assert in_words(counts) == text
