"""Documents that know what they said: damage and edits are refused with the file and the reason."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.base.errors import InputError
from components.common.untrusted import sealed
from components.common.untrusted.sealed import Kind

CONTENT: dict[str, Any] = {
    "format_version": 3,
    "classes": ["fly agaric", "Röhrling", "ünïcode \u2028 \x1f"],
    "accuracy": 0.8333333333333334,
    "unknown": None,
    "photos": {"training": {"b": 2, "a": 1}},
}
KIND = Kind("the document", "", (0, 2, 3), sealed_since=3)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.json"
    sealed.dump(path, CONTENT, what="the document")
    return path


def test_document_comes_back_with_its_seal(document: Path) -> None:
    content = sealed.read(document, KIND)
    assert content.pop("sha256") == sealed.digest(CONTENT)
    assert content == CONTENT


def test_seal_is_the_hash_of_sorted_compact_ascii() -> None:
    # Written out by hand: a change of the form would refuse every document that there is.
    text = '{"a":[1,0.5],"b":{"\\u00e4":null}}'
    assert sealed.digest({"b": {"ä": None}, "sha256": "not counted", "a": (1, 0.5)}) == (
        hashlib.sha256(text.encode()).hexdigest()
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc\u00e9"), inner),
    max_leaves=10,
)


@given(content=st.dictionaries(st.text("abcs\u00e9"), JSON, max_size=4))
def test_whatever_json_can_hold_comes_back(content: dict[str, Any]) -> None:
    found = sealed.parse(sealed.text(content).encode(), "x", KIND)
    assert {name: value for name, value in found.items() if name != "sha256"} == content


def test_seal_does_not_depend_on_order_nor_on_layout(document: Path) -> None:
    content = json.loads(document.read_text())
    document.write_text(json.dumps(dict(reversed(content.items())), separators=(",", ":")))
    assert sealed.read(document, KIND) == content


def test_keys_that_are_numbers_are_sealed_as_they_are_read(tmp_path: Path) -> None:
    # 9 sorts before 10 as a number, and behind it as a text.
    sealed.dump(tmp_path / "d", {"counts": {9: 1, 10: 2}}, what="the document")
    assert sealed.read(tmp_path / "d", KIND)["counts"] == {"9": 1, "10": 2}


def test_every_flipped_bit_is_refused_or_changes_nothing(document: Path) -> None:
    data = document.read_bytes()
    content = sealed.read(document, KIND)
    refused = 0
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            try:
                found = sealed.parse(bytes(changed), "document.json", KIND)
            except InputError:
                refused += 1
            else:
                assert found == content, (place, bit)
    assert refused > 0.99 * 8 * len(data)


def test_document_cut_anywhere_is_refused(document: Path) -> None:
    data = document.read_bytes().rstrip()
    for length in range(len(data)):
        with pytest.raises(InputError, match=r"document\.json"):
            sealed.parse(data[:length], "document.json", KIND)


def test_edited_document_is_named_with_both_hashes(document: Path) -> None:
    seal = sealed.read(document, KIND)["sha256"]
    document.write_text(document.read_text().replace("0.8333333333333334", "0.9"))
    with pytest.raises(InputError, match=r"document\.json is damaged or was edited") as caught:
        sealed.read(document, KIND)
    assert seal in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"x"',
        "{",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": 1, "a": 2}',
        "[" * 100_000,
        '{"a": ' * 100_000,
        '{"a": ' + "1" * 5000 + "}",
        "\ufeff{}",
        "\udcff",
    ],
    ids=range(14),
)
def test_what_is_no_json_object_of_finite_numbers_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "document.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"document\.json cannot be read: ."):
        sealed.read(path, KIND)


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            sealed.dump(tmp_path / "document.json", {"a": [number]}, what="the document")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [3, 4, "2", True, None, 2.5])
def test_seal_may_not_be_missing_since_its_version(document: Path, version: object) -> None:
    document.write_text(json.dumps({**CONTENT, "format_version": version}))
    with pytest.raises(InputError, match=r"document\.json .*lacks its seal"):
        sealed.read(document, KIND)


def test_document_from_before_seals_is_taken_as_it_is(document: Path) -> None:
    older = {**CONTENT, "format_version": 2}
    document.write_text(json.dumps(older))
    assert sealed.read(document, KIND) == older
    document.write_text('{"accuracy": 1.0}')  # without a version it is the oldest
    assert sealed.read(document, KIND) == {"accuracy": 1.0}


READ = Kind("the model", "ours", (2, 3), sealed_since=3)
DATED = Kind("the metrics", "ours", (0, 1), sealed_since=1)


@pytest.mark.parametrize(
    ("kind", "content", "version"),
    [
        (READ, {"format": "ours", "format_version": 2}, 2),
        (READ, {"format": "ours", "format_version": 3}, 3),
        (DATED, {}, 0),
        (DATED, {"format": "ours", "format_version": 1}, 1),
        (KIND, {"format_version": 3}, 3),
    ],
)
def test_known_versions_are_read(kind: Kind, content: dict[str, Any], version: int) -> None:
    assert kind.check(content, "x.json") == version


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        (READ, {"format": "ours", "format_version": 4}, "format 'ours' version 4"),
        (READ, {"format": "ours", "format_version": 1}, "format 'ours' version 1"),
        (READ, {"format": "ours", "format_version": -1}, "format 'ours' version -1"),
        (READ, {"format": "ours", "format_version": "3"}, "format 'ours' version '3'"),
        (READ, {"format": "ours", "format_version": 3.0}, "format 'ours' version 3.0"),
        (DATED, {"format": "ours", "format_version": True}, "format 'ours' version True"),
        (READ, {"format": "ours"}, "format 'ours' version 'none'"),
        (READ, {"format": "theirs", "format_version": 3}, "format 'theirs' version 3"),
        (DATED, {"format": "theirs"}, "format 'theirs' version 'none'"),
        (READ, {"format": ["x"] * 9000, "format_version": {}}, "format ['x', 'x'"),
    ],
)
def test_other_versions_and_formats_are_refused_with_what_to_do(
    kind: Kind, content: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=r"x\.json has ") as caught:
        kind.check(content, "x.json")
    message = str(caught.value)
    assert message.startswith(f"x.json has {said}")
    known = "2 and 3" if kind is READ else "1"
    newer = "a newer version of this program wrote it: use that version, or "
    is_newer = content.get("format_version") == 4
    rest = f"; this program reads ours {known}: {newer if is_newer else ''}make {kind.what} again "
    rest += "with this version"
    assert message.endswith(rest)
    assert len(message) < 300


def test_document_of_a_newer_version_is_refused_although_its_seal_fits(tmp_path: Path) -> None:
    sealed.dump(tmp_path / "d", {**CONTENT, "format_version": 4}, what="the document")
    with pytest.raises(InputError, match="d has version 4; this program reads version 2 and 3"):
        sealed.read(tmp_path / "d", KIND)


def test_head_of_a_document_says_its_format_and_newest_version() -> None:
    assert READ.head == {"format": "ours", "format_version": 3}
    assert KIND.head == {"format_version": 3}


def test_older_version_with_a_seal_must_fit_it(document: Path) -> None:
    # What a flipped bit in `format_version` makes of a document.
    document.write_text(document.read_text().replace('"format_version": 3', '"format_version": 2'))
    with pytest.raises(InputError, match="damaged or was edited"):
        sealed.read(document, KIND)


def test_missing_and_too_large_files_are_refused(document: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.json is missing"):
        sealed.read(tmp_path / "nothing.json", KIND)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        sealed.read(document, KIND, max_bytes=10)


def test_every_file_below_a_folder_is_hashed_and_held_to_it(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a", "deep/b", "deep/er/c"):
        (tmp_path / name).write_text(name)
    files = sealed.hash_files(tmp_path, but=("a",))
    assert list(files) == ["deep/b", "deep/er/c"]
    with pytest.raises(InputError, match=r"a is none of the files that list\.json lists"):
        sealed.check_files(tmp_path, files, "list.json")
    sealed.check_files(tmp_path, files, "list.json", but=("a",))
    with pytest.raises(InputError, match="a is none of the files"):
        sealed.check_file(tmp_path, "a", files, "list.json")
    assert sealed.check_file(tmp_path, "deep/b", files, "list.json") == tmp_path / "deep" / "b"

    (tmp_path / "deep" / "b").write_text("B")
    for check in (
        lambda: sealed.check_files(tmp_path, files, "list.json", but=("a",)),
        lambda: sealed.check_file(tmp_path, "deep/b", files, "list.json"),
    ):
        with pytest.raises(InputError, match=r"deep/b is damaged or of another origin"):
            check()
        (tmp_path / "deep" / "b").unlink(missing_ok=True)
        with pytest.raises(InputError, match=r"deep/b is missing"):
            check()
        (tmp_path / "deep" / "b").write_text("B")
