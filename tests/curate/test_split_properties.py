"""The split, for any set of photos: what must never change a photo's part, and what must add up."""

import collections
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.common.dataset.decisions import DROP, Decisions
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import PARTS, SURPLUS
from components.common.network.backbone import BackboneKey
from components.common.network.bottlenecks import Bottlenecks
from components.curate import facts
from components.curate.facts import CURATE, Entry
from components.curate.options import Division
from components.curate.selection import Judged, Selection, select

KEY = BackboneKey("mobilenet_1.0_224", 224, "0" * 64)
DIVISION = Division(train_per_class=12, demo_per_class=3)
# The same cases every time: what CI finds, anyone can find.
PROPERTY = settings(max_examples=60)
CLASSES = ("daisy", "rose", "tulip", "fern")


@dataclass(frozen=True)
class Shot:
    """A photo of a test: its class, a number, its observation, and the photo it is a copy of."""

    label: str
    number: int
    observation: int | None = None
    copy_of: int | None = None

    @property
    def photo(self) -> Photo:
        name = f"{self.label} {self.number}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        seen = "" if self.observation is None else f"{self.label} walk {self.observation}"
        return Photo(
            self.label,
            path=f"{self.label}/{digest[:16]}.jpg",
            sha256=digest,
            source_sha256=digest,
            width=400 - self.number,
            height=300,
            phash="0" * 16,
            observation=seen,
        )

    @property
    def own(self) -> np.random.Generator:
        """What is the photo's own, and its copies'."""
        like = self.number if self.copy_of is None else self.copy_of
        seed = int.from_bytes(hashlib.sha256(f"{self.label} {like}".encode()).digest()[:4])
        return np.random.default_rng(seed)

    @property
    def picture(self) -> np.ndarray:
        return self.own.integers(0, 256, 1024, dtype=np.uint8)

    @property
    def features(self) -> np.ndarray:
        own = self.own.normal(size=64)
        own /= np.linalg.norm(own)
        own[CLASSES.index(self.label)] += 2
        return own


def shots(label: str, least: int = 6) -> st.SearchStrategy[list[Shot]]:
    """Photos of a class: alone, of one walk, or copies of an earlier one."""
    kinds = st.lists(
        st.sampled_from(["alone", "alone", "walk", "copy"]), min_size=least, max_size=24
    )

    def build(drawn: list[str]) -> list[Shot]:
        made: list[Shot] = []
        for number, kind in enumerate(drawn):
            if kind == "walk":
                made.append(Shot(label, number, observation=number // 5))
            elif kind == "copy" and number:
                made.append(Shot(label, number, copy_of=made[-1].copy_of or number - 1))
            else:
                made.append(Shot(label, number))
        return made

    return kinds.map(build)


PHOTOS = st.tuples(shots("daisy"), shots("rose")).map(lambda two: two[0] + two[1])


def selected(
    given_shots: Sequence[Shot],
    placed: Mapping[tuple[str, str], str] | None = None,
    drops: Sequence[Shot] = (),
) -> Selection:
    """What `select` makes of the photos; without one where they are too few."""
    found = Bottlenecks(
        tuple(shot.photo.sha256 for shot in given_shots),
        np.array([shot.features for shot in given_shots], dtype=np.float32),
        np.zeros((len(given_shots), 1000), dtype=np.float16),
        np.array([shot.picture for shot in given_shots]),
        KEY,
    )
    by_hand = Decisions({(one.label, one.photo.source_sha256): DROP for one in drops})
    photos = [shot.photo for shot in given_shots]
    made = select(photos, found, DIVISION, placed or {}, by_hand)
    assume(not made.problems)
    return made


def parts(selection: Selection) -> dict[str, str]:
    """The part, or the reason, of each photo by its content."""
    return {
        one.photo.sha256: one.photo.reason or one.photo.split for one in selection.photos.values()
    }


@PROPERTY
@given(PHOTOS, st.randoms(use_true_random=False))
def test_order_changes_nothing(given_shots: list[Shot], random: object) -> None:
    shuffled = list(given_shots)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert parts(selected(given_shots)) == parts(selected(shuffled))


@PROPERTY
@given(PHOTOS)
def test_names_and_places_of_files_change_nothing(given_shots: list[Shot]) -> None:
    plain = selected(given_shots)
    photos = [
        dataclasses.replace(
            shot.photo,
            source_url=f"elsewhere/{number}.png",
            title=str(number),
            shard=f"images-{number:05d}.tar",
            offset=number,
        )
        for number, shot in enumerate(given_shots)
    ]
    found = Bottlenecks(
        tuple(photo.sha256 for photo in photos),
        np.array([shot.features for shot in given_shots], dtype=np.float32),
        np.zeros((len(photos), 1000), dtype=np.float16),
        np.array([shot.picture for shot in given_shots]),
        KEY,
    )
    assert parts(select(photos, found, DIVISION, {}, Decisions())) == parts(plain)


@PROPERTY
@given(PHOTOS, shots("tulip"), shots("fern"))
def test_other_classes_change_nothing(
    given_shots: list[Shot], tulips: list[Shot], ferns: list[Shot]
) -> None:
    alone, together = parts(selected(given_shots)), parts(selected(given_shots + tulips + ferns))
    assert {name: together[name] for name in alone} == alone


@PROPERTY
@given(shots("daisy", 8), shots("rose", 8), st.data())
def test_with_the_ledger_added_photos_move_none(
    daisies: list[Shot], roses: list[Shot], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(6, len(daisies)))
    before = selected(daisies[:cut] + roses)
    ledger = {
        (label, group): part
        for label, group, part in _ledger(before.photos.values())
        if part != SURPLUS
    }
    after = parts(selected(daisies + roses, ledger))
    for name, part in parts(before).items():
        if part in PARTS:
            # A better copy of it may have come; then that one stands in its part.
            assert after[name] in (part, "near_duplicate")


def _ledger(judged: object) -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for one in judged:  # type: ignore[attr-defined]
        if one.photo.split:
            found.add((one.photo.label, one.photo.group, one.photo.split))
    return found


@PROPERTY
@given(PHOTOS, st.data())
def test_dropping_photos_moves_none_from_part_to_part(
    given_shots: list[Shot], data: st.DataObject
) -> None:
    before = parts(selected(given_shots))
    drops = data.draw(st.lists(st.sampled_from(given_shots), unique=True, max_size=4))
    after_selection = selected(given_shots, drops=drops)
    after = parts(after_selection)
    gone = {shot.photo.sha256 for shot in drops}
    moved = {
        name
        for name, part in after.items()
        if name not in gone and part != before[name] and before[name] != SURPLUS
    }
    emptied = [
        (label, part)
        for label in ("daisy", "rose")
        for part in PARTS
        if {
            shot.photo.sha256
            for shot in given_shots
            if shot.label == label and before[shot.photo.sha256] == part
        }
        <= gone
    ]
    # Only a part that would be left without any photo takes one group of another part.
    assert not moved or emptied
    assert all(after[name] in ("dropped", "near_duplicate") for name in gone)


@PROPERTY
@given(PHOTOS)
def test_no_group_spans_parts_every_part_is_there_and_counts_add_up(
    given_shots: list[Shot],
) -> None:
    selection = selected(given_shots)
    judged = list(selection.photos.values())
    assert len(judged) == len(given_shots)
    of_group: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for one in judged:
        if one.photo.split:
            of_group[one.photo.label, one.photo.group].add(one.photo.split)
    assert all(len(places) == 1 for places in of_group.values())
    for label in ("daisy", "rose"):
        used = {one.photo.split for one in judged if one.photo.label == label}
        assert used >= set(PARTS)
    _check_funnel(judged, given_shots)


def _check_funnel(judged: list[Judged], given_shots: list[Shot]) -> None:
    counted = facts.funnel(Entry(one, CURATE) for one in judged)
    for label, columns in counted.items():
        found = sum(shot.label == label for shot in given_shots)
        assert columns["found"] == found == sum(columns[name] for name in facts.FUNNEL)
        used = sum(one.photo.label == label and not one.photo.reason for one in judged)
        assert columns["used"] == used
