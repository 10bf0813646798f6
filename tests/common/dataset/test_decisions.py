"""Decisions by hand: read as exported, refused with a reason otherwise."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.common.base.errors import InputError
from components.common.dataset import decisions
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.dataset.photo import Photo

SHA = "a" * 64


def written(path: Path, *entries: Any, **fields: Any) -> str:
    content = {"format": decisions.FORMAT, "format_version": "2", "decisions": list(entries)}
    path.write_text(json.dumps({**content, **fields}))
    return str(path)


def entry(
    label: str = "daisy", sha256: str = SHA, decision: str = DROP, to: str = ""
) -> dict[str, str]:
    made = {"label": label, "source_sha256": sha256, "decision": decision}
    return made | ({"to": to} if to else {})


def test_decisions_come_back(tmp_path: Path) -> None:
    place = written(tmp_path / "d.json", entry(), entry("rose", decision=KEEP), entry())
    found = decisions.read(place)
    assert found.of(Photo("daisy", source_sha256=SHA)) == DROP
    assert found.of(Photo("rose", source_sha256=SHA)) == KEEP
    assert found.vouches_for(Photo("rose", source_sha256=SHA))
    assert found.of(Photo("tulip", source_sha256=SHA)) == ""
    assert found.unknown([Photo("rose", source_sha256=SHA)]) == [("daisy", SHA)]


def test_moved_photo_is_known_by_the_class_in_which_it_was_found(tmp_path: Path) -> None:
    found = decisions.read(written(tmp_path / "d.json", entry(decision=MOVE, to="rose")))
    photo = Photo("daisy", source_sha256=SHA)
    assert (found.of(photo), found.target(photo)) == (MOVE, "rose")
    assert found.of(Photo("rose", source_sha256=SHA), found_in="daisy") == MOVE
    assert found.target(Photo("rose", source_sha256=SHA)) == ""
    assert found.unknown([photo]) == []
    assert found.unknown([Photo("rose", source_sha256=SHA)]) == []  # somebody moved its file
    assert found.unknown([Photo("tulip", source_sha256=SHA)]) == [("daisy", SHA)]


def test_what_is_written_is_what_was_read(tmp_path: Path) -> None:
    entries = [entry(), entry("rose", decision=MOVE, to="daisy"), entry("tulip", decision=KEEP)]
    found = decisions.read(written(tmp_path / "d.json", *entries))
    assert found.to_json()["decisions"] == entries
    again = decisions.parse(json.dumps(found.to_json()).encode(), "again")
    assert (again.decided, again.targets) == (found.decided, found.targets)


def test_file_of_the_first_version_is_read_and_knows_no_move(tmp_path: Path) -> None:
    place = written(tmp_path / "d.json", entry(), format_version="1")
    assert decisions.read(place).of(Photo("daisy", source_sha256=SHA)) == DROP
    place = written(tmp_path / "d.json", entry(decision=MOVE, to="rose"), format_version="1")
    with pytest.raises(InputError, match="decides 'move', not 'keep' or 'drop'"):
        decisions.read(place)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["daisy", "rose"], ""),
        (["tulip", "oak"], ""),  # about another collection
        (["daisy", "tulip"], "to 'rose', which is none of the classes: expected one of daisy, tul"),
        (["daisy", "Rose"], "none of the classes (did you mean 'Rose'?)"),
    ],
)
def test_move_to_a_class_that_is_not_there_is_refused(labels: list[str], message: str) -> None:
    found = Decisions({("daisy", SHA): MOVE}, {("daisy", SHA): "rose"})
    if not message:
        found.check_classes(labels)
        return
    with pytest.raises(InputError, match=re.escape(message)):
        found.check_classes(labels)


def test_no_place_means_no_decisions() -> None:
    assert decisions.read("").decided == Decisions().decided == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "its format is not"),
        ({"format_version": "3"}, "use that version, or decide anew on the review page"),
        ({"format_version": ["2"]}, "its format is not"),
        ({"decisions": {}}, "not a list"),
        ({"decisions": ["x"]}, "entry 1 is not an object"),
        ({"decisions": [entry(sha256="A" * 64)]}, "64 hexadecimal"),
        ({"decisions": [entry(decision="maybe")]}, "'maybe', not 'keep' or 'drop' or 'move'"),
        ({"decisions": [entry(decision=["move"])]}, "not 'keep' or 'drop' or 'move'"),
        ({"decisions": [entry(), entry(decision=KEEP)]}, "decides otherwise of a photo"),
        (
            {"decisions": [entry(decision=MOVE, to="a"), entry(decision=MOVE, to="b")]},
            "decides otherwise of a photo",
        ),
        ({"decisions": [entry(decision=MOVE)]}, "'move', and `to` is ''"),
        ({"decisions": [entry(to="rose")]}, "'drop', and `to` is 'rose'"),
        ({"decisions": [{**entry(decision=MOVE), "to": 7}]}, "`to` is 7"),
        ({"decisions": [entry(decision=MOVE, to="daisy")]}, "to the class that it is in"),
        ({"decisions": [entry(decision=MOVE, to="../x")]}, "cannot be a class name"),
        ({"decisions": [entry(label="../x")]}, "cannot be a class name"),
        ({"decisions": [{**entry(), "label": 7}]}, "names no label"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_decisions_file_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        decisions.read(written(tmp_path / "d.json", **change))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.json").write_bytes(content)
    with pytest.raises(InputError, match="no file of decisions"):
        decisions.read(str(tmp_path / "d.json"))


def test_missing_and_huge_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no file at"):
        decisions.read(str(tmp_path / "none.json"))
    place = written(tmp_path / "d.json", entry())
    monkeypatch.setattr(decisions, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        decisions.read(place)
