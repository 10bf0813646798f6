"""Photos that a person moves to another class: in the whole step, with copies and observations."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from curation_items import SMALL, Item, items, places, prepare, surplus

from components.common.base.errors import InputError
from components.common.dataset import decisions
from components.common.dataset.dataset import Dataset
from components.common.dataset.decisions import DROP, KEEP, MOVE
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import MOVED_BY_HAND
from components.curate import facts
from components.curate.curate import curate
from components.curate.options import CurateOptions

PHOTOS = items("daisy", 9) + items("roses", 9) + items("tulips", 9)


def decide(root: Path, sources: Sequence[Path], wanted: Mapping[str, str]) -> str:
    """A file of decisions: by "class/name", what to do with the photo, or where it goes."""
    decided, targets = {}, {}
    for photo in (photo for source in sources for photo in Dataset(source).photos):
        what = wanted.get(f"{photo.label}/{photo.source_url}", "")
        if what:
            key = decisions.key_of(photo)
            decided[key] = what if what in (KEEP, DROP) else MOVE
            if decided[key] == MOVE:
                targets[key] = what
    assert len(decided) == len(wanted)
    content = decisions.Decisions(decided, targets).to_json()
    (root / "decisions.json").write_text(json.dumps(content))
    return str(root / "decisions.json")


def curated(
    root: Path,
    photos: Sequence[Item],
    wanted: Mapping[str, str],
    **options: str,
) -> tuple[dict[str, Photo], dict[str, Any]]:
    """The row of each photo by "class in which it was found/name", and curation.json."""
    sources, vectors = prepare(root, photos)
    outputs = places(root / "out")
    decided = decide(root, sources, wanted)
    chosen = CurateOptions(**dataclasses.asdict(SMALL), decisions=decided, **options)
    content = curate(sources, vectors, outputs, options=chosen)
    rows = pq.read_table(outputs.facts / facts.ROWS).to_pylist()
    written = (Dataset(place) for place in (outputs.training, outputs.demo, outputs.rejects))
    photos = [*surplus(outputs), *(photo for dataset in written for photo in dataset.photos)]
    by_place = {(photo.label, photo.source_url): photo for photo in photos}
    found = {
        f"{row['found_in']}/{row['source_url']}": by_place[row["label"], row["source_url"]]
        for row in rows
    }
    return found, content


def outcome(photo: Photo) -> str:
    return f"{photo.label} {photo.reason or 'used'}"


# A photo of the tulips lies among the daisies. `twin` looks the same as "daisy 3", among the roses.
TWIN = Item("roses", "twin", like="daisy 3")
LARGE = Item("roses", "twin", like="daisy 3", width=2000)
COPY = Item("daisy", "copy", like="daisy 3", width=200)
SHOTS = [
    Item("daisy", "shot a", observation="o"),
    Item("daisy", "shot b", observation="o"),
    Item("tulips", "shot c", observation="o"),
]


@pytest.mark.parametrize(
    ("more", "wanted", "expected"),
    [
        ([], {"daisy/daisy 0": "tulips"}, {"daisy/daisy 0": "tulips used"}),
        (
            [TWIN],
            {"roses/twin": "daisy"},
            {"roses/twin": "daisy near_duplicate", "daisy/daisy 3": "daisy used"},
        ),
        (
            [LARGE],
            {"roses/twin": "daisy"},
            {"roses/twin": "daisy used", "daisy/daisy 3": "daisy near_duplicate"},
        ),
        (
            [LARGE],  # the copy that nobody moved is in another class than a person says
            {"daisy/daisy 3": "tulips"},
            {"daisy/daisy 3": "tulips used", "roses/twin": "roses in_two_classes"},
        ),
        (
            [TWIN],
            {"roses/twin": "tulips", "daisy/daisy 3": "tulips"},
            {"roses/twin": "tulips near_duplicate", "daisy/daisy 3": "tulips used"},
        ),
        (
            [TWIN],
            {"roses/twin": "tulips", "daisy/daisy 3": "keep"},
            {"roses/twin": "tulips in_two_classes", "daisy/daisy 3": "daisy in_two_classes"},
        ),
        (
            [TWIN],
            {"roses/twin": "drop"},
            {"roses/twin": "roses dropped", "daisy/daisy 3": "daisy used"},
        ),
        (
            [COPY],
            {"daisy/daisy 3": "roses"},
            {"daisy/daisy 3": "roses used", "daisy/copy": "daisy in_two_classes"},
        ),
        (
            SHOTS,
            {"tulips/shot c": "daisy"},
            {
                f"{place}": "daisy used"
                for place in ("daisy/shot a", "daisy/shot b", "tulips/shot c")
            },
        ),
        (
            SHOTS,
            {"daisy/shot a": "tulips"},
            {
                "daisy/shot a": "tulips used",
                "daisy/shot b": "daisy in_two_classes",
                "tulips/shot c": "tulips in_two_classes",
            },
        ),
    ],
)
def test_moved_photo_is_of_its_new_class_and_its_group_follows_the_person(
    tmp_path: Path, more: list[Item], wanted: dict[str, str], expected: dict[str, str]
) -> None:
    found, content = curated(tmp_path, [*PHOTOS, *more], wanted)
    assert {name: outcome(found[name]) for name in expected} == expected
    groups: dict[str, set[str]] = {}
    for photo in found.values():
        if not photo.reason:
            groups.setdefault(photo.group, set()).add(photo.split)
    assert all(len(parts) == 1 for parts in groups.values())
    moves = [what for what in wanted.values() if what not in (KEEP, DROP)]
    assert sum(move["photos"] for move in content["moved"]) == len(moves)


def test_very_same_photo_of_two_classes_stays_once_where_it_is_moved(tmp_path: Path) -> None:
    same = [Item("daisy", "one"), Item("roses", "one", like="one")]
    _, content = curated(tmp_path, [*PHOTOS, *same], {"roses/one": "daisy"})
    assert content["classes"]["daisy"]["reasons"] == {"exact_duplicate": 1}
    rows = pq.read_table(tmp_path / "out" / "facts" / facts.ROWS).to_pylist()
    both = {row["found_in"]: row["reason"] for row in rows if row["source_url"] == "one"}
    assert both == {"daisy": "", "roses": "exact_duplicate"}


def test_moved_photo_keeps_where_it_comes_from_and_says_that_a_person_moved_it(
    tmp_path: Path,
) -> None:
    found, content = curated(tmp_path, PHOTOS, {"daisy/daisy 0": "tulips"})
    moved = found["daisy/daisy 0"]
    assert moved.flags == (MOVED_BY_HAND,)
    assert moved.path.startswith("tulips/")
    (before,) = (
        photo
        for photo in Dataset(tmp_path / "clean" / "daisy").photos
        if photo.source_url == "daisy 0"
    )
    for name in ("source_url", "source_sha256", "sha256", "author", "licence", "observation"):
        assert getattr(moved, name) == getattr(before, name)
    rows = pq.read_table(tmp_path / "out" / "facts" / facts.ROWS).to_pylist()
    (row,) = (row for row in rows if row["source_url"] == "daisy 0")
    assert (row["label"], row["found_in"], row["decision"]) == ("tulips", "daisy", "move")
    assert content["moved"] == [{"from": "daisy", "to": "tulips", "photos": 1}]
    assert content["decisions_about_other_photos"] == []
    assert [content["classes"][label]["found"] for label in ("daisy", "tulips")] == [8, 10]


def test_nothing_else_moves_where_the_ledger_is_given(tmp_path: Path) -> None:
    photos = items("daisy", 14) + items("roses", 14)
    before, _ = curated(tmp_path / "a", photos, {})
    ledger = str(tmp_path / "a" / "out" / "ledger")
    name = next(name for name, photo in before.items() if photo.split == "training")
    other = "roses" if name.startswith("daisy") else "daisy"
    after, _ = curated(tmp_path / "b", photos, {name: other}, earlier_ledger=ledger)
    changed = {
        one for one in before if before[one].split != after[one].split and before[one].reason == ""
    }
    assert changed == set()  # nor does the moved one itself
    assert after[name].label == other


def test_class_of_which_every_photo_was_moved_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    wanted = {f"tulips/tulips {number}": "roses" for number in range(9)}
    found, content = curated(tmp_path, PHOTOS, wanted)
    assert sorted(content["classes"]) == ["daisy", "roses"]
    assert "tulips: decisions moved all of its photos" in (tmp_path / "events").read_text()
    assert {outcome(found[name]) for name in wanted} == {"roses used", "roses surplus"}


def test_move_to_a_class_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the classes: expected one of daisy, roses, tul"):
        curated(tmp_path, PHOTOS, {"daisy/daisy 0": "oak"})
    assert not (tmp_path / "out").exists()


def test_curating_again_what_was_curated_leaves_a_moved_photo_where_it_is(tmp_path: Path) -> None:
    curated(tmp_path, PHOTOS, {"daisy/daisy 0": "tulips"})
    first = tmp_path / "out"
    outputs = places(tmp_path / "again")
    options = CurateOptions(**dataclasses.asdict(SMALL))
    curate([first / "training", first / "demo"], tmp_path / "bottlenecks", outputs, options=options)
    written = (Dataset(place) for place in (outputs.training, outputs.demo, outputs.rejects))
    (photo,) = (photo for set_ in written for photo in set_.photos if photo.source_url == "daisy 0")
    assert outcome(photo) == "tulips used"
    assert MOVED_BY_HAND in photo.flags
