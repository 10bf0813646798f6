"""How answers are written, whatever the names of files and classes hold."""

import csv
import io
import json

import numpy as np

from components.label_image.answers import PhotoAnswer, answer, printable, writer
from components.label_image.graph import Guess

CLASSES = ("daisy", "rose")
HOSTILE = 'a\x1b[2J\n"b",\udcff.jpg'


def written(form: str, *given: PhotoAnswer, count: int | None = None) -> str:
    stream = io.StringIO()
    write = writer(form, CLASSES, count, stream)
    for one in given:
        write(one)
    stream.getvalue().encode("utf-8")  # as standard output does, strictly
    return stream.getvalue()


def test_hostile_name_stays_on_its_line_as_text() -> None:
    line = written("text", PhotoAnswer(HOSTILE, (("daisy", 0.9),)))
    assert line == ' 90.0 %  daisy          a\ufffd[2J\ufffd"b",\ufffd.jpg\n'


def test_hostile_name_comes_back_whole_from_json() -> None:
    text = written("json", PhotoAnswer(HOSTILE, (("daisy", 0.9),)))
    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text)["file"] == HOSTILE


def test_hostile_name_is_one_field_of_csv() -> None:
    text = written("csv", PhotoAnswer(HOSTILE, (("daisy", 0.9), ("rose", 0.1))))
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["file"] == HOSTILE.replace("\udcff", r"\udcff")
    assert (row["label_2"], row["probability_2"], row["error"]) == ("rose", "0.100000", "")


def test_hostile_class_name_cannot_move_the_cursor() -> None:
    assert printable("\x1b]0;x\x07\u202eda\u200bisy") == "\ufffd]0;x\ufffd\ufffdda\ufffdisy"


def test_failure_is_a_row_with_its_reason() -> None:
    failed = PhotoAnswer("1.jpg", error="it is empty")
    assert json.loads(written("json", failed)) == {
        **{"file": "1.jpg", "predicted": None, "unknown": None, "familiarity": None},
        **{"probabilities": None, "error": "it is empty", "dangers": [], "caution": ""},
        "learned_from": None,
    }
    header, row = csv.reader(io.StringIO(written("csv", failed)))
    assert dict(zip(header, row, strict=True)) == {
        **dict.fromkeys(header, ""),
        **{"file": "1.jpg", "error": "it is empty"},
    }
    assert written("text", failed) == ""


def test_probabilities_that_are_no_numbers_are_a_failure() -> None:
    found = Guess(np.array([np.nan, 1], np.float32))
    assert (
        answer("1.jpg", found, CLASSES, 2).error == "the model gives no finite probabilities for it"
    )


def test_columns_of_text_stay_in_line() -> None:
    lines = written(
        "text",
        PhotoAnswer("1.jpg", (("daisy", 1.0), ("rose", 0.0))),
        PhotoAnswer("2.jpg", (("daisy", 0.6), ("rose", 0.4)), unknown=True, familiarity=0.01),
        count=2,
    ).splitlines()
    assert lines == [
        "100.0 %  daisy          1.jpg",
        "  0.0 %  rose",
        "    -    none of these  2.jpg",
        " 60.0 %  daisy",
        " 40.0 %  rose",
    ]
