"""Decisions by hand: read as exported, refused with a reason otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.common.base.errors import InputError
from components.common.dataset import decisions
from components.common.dataset.decisions import DROP, KEEP, Decisions
from components.common.dataset.photo import Photo

SHA = "a" * 64


def written(path: Path, *entries: Any, **fields: Any) -> str:
    content = {"format": decisions.FORMAT, "format_version": "1", "decisions": list(entries)}
    path.write_text(json.dumps({**content, **fields}))
    return str(path)


def entry(label: str = "daisy", sha256: str = SHA, decision: str = DROP) -> dict[str, str]:
    return {"label": label, "source_sha256": sha256, "decision": decision}


def test_decisions_come_back(tmp_path: Path) -> None:
    place = written(tmp_path / "d.json", entry(), entry("rose", decision=KEEP), entry())
    found = decisions.read(place)
    assert found.of(Photo("daisy", source_sha256=SHA)) == DROP
    assert found.keeps(Photo("rose", source_sha256=SHA))
    assert found.of(Photo("tulip", source_sha256=SHA)) == ""
    assert found.unknown([Photo("rose", source_sha256=SHA)]) == [("daisy", SHA)]


def test_no_place_means_no_decisions() -> None:
    assert decisions.read("").decided == Decisions().decided == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "its format is not"),
        ({"format_version": "2"}, "its format is not"),
        ({"decisions": {}}, "no list"),
        ({"decisions": ["x"]}, "entry 1 is no object"),
        ({"decisions": [entry(sha256="A" * 64)]}, "64 hexadecimal"),
        ({"decisions": [entry(decision="maybe")]}, "'maybe', not 'keep' or 'drop'"),
        ({"decisions": [entry(), entry(decision=KEEP)]}, "drops a photo that another one keeps"),
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
