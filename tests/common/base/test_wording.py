"""Counts in words: one of a thing is not "1 things"."""

import pytest

from components.common.base.wording import counted, joined, named


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("file",), "0 files"),
        (1, ("file",), "1 file"),
        (2, ("file",), "2 files"),
        (1, ("class", "classes"), "1 class"),
        (5, ("class", "classes"), "5 classes"),
        (1, ("file was", "files were"), "1 file was"),
        (3, ("file was", "files were"), "3 files were"),
    ],
)
def test_count_is_written_as_people_do(number: int, words: tuple[str, ...], said: str) -> None:
    assert counted(number, *words) == said


@pytest.mark.parametrize(
    ("names", "shown"),
    [([], ""), (["a", "b"], "a, b"), (["a", "\x1b[1mlong", "c", "d"], "a, [1ml and 2 more")],
)
def test_names_of_strangers_are_short_and_printable(names: list[str], shown: str) -> None:
    assert named(names, most=2, longest=4) == shown


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a or b"), (iter("abc"), "a, b or c")],
)
def test_names_in_a_sentence(names: list[str], text: str) -> None:
    assert joined(names, "or") == text
