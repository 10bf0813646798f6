"""Groups and parts: the properties that keep the split free of leaks, checked on any input."""

import collections
import hashlib
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.common import splits
from components.common.errors import InputError
from components.common.photo import Photo
from components.common.splits import DEMO, PARTS, SURPLUS, TEST, TRAINING, VALIDATION, Quota

# A machine that is busy with something else makes no property untrue.
settings.register_profile("no deadline", deadline=None, derandomize=True)
settings.load_profile("no deadline")

DEFAULT = {
    "train_per_class": 200,
    "demo_per_class": 50,
    "validation_percentage": 10,
    "testing_percentage": 10,
}


@st.composite
def divisions(draw: st.DrawFn) -> dict[str, int]:
    """Every division that `curate` accepts: percentages leave something to train on."""
    validation = draw(st.integers(0, 99))
    return {
        "train_per_class": draw(st.integers(3, 300)),
        "demo_per_class": draw(st.integers(0, 300)),
        "validation_percentage": validation,
        "testing_percentage": draw(st.integers(0, 99 - validation)),
    }


@given(photos=st.integers(4, 1000), division=divisions())
def test_quota_adds_up_and_leaves_no_asked_for_part_empty(
    photos: int, division: dict[str, int]
) -> None:
    quota = splits.quota_for(photos, **division)
    wanted = division["train_per_class"] + division["demo_per_class"]
    assume(wanted >= 4)
    assert sum(dict(quota.items()).values()) == min(photos, wanted)
    assert quota.training >= 1
    for count, asked in [
        (quota.validation, division["validation_percentage"]),
        (quota.test, division["testing_percentage"]),
        (quota.demo, division["demo_per_class"]),
    ]:
        assert count >= 1 if asked else count == 0


@given(photos=st.integers(1000, 5000), division=divisions())
def test_quota_never_takes_more_than_was_asked_for(photos: int, division: dict[str, int]) -> None:
    quota = splits.quota_for(photos, **division)
    assert quota.demo == division["demo_per_class"]
    retraining = division["train_per_class"]
    assert abs(quota.test - retraining * division["testing_percentage"] / 100) <= 2
    assert abs(quota.validation - retraining * division["validation_percentage"] / 100) <= 2


@pytest.mark.parametrize("photos", [250, 251, 1000])
def test_enough_photos_give_the_numbers_of_the_tutorial(photos: int) -> None:
    assert splits.quota_for(photos, **DEFAULT) == Quota(
        training=160, validation=20, test=20, demo=50
    )


def test_twelve_photos_give_one_validation_photo() -> None:
    assert splits.quota_for(12, **{**DEFAULT, "demo_per_class": 0}) == Quota(10, 1, 1, 0)


def test_fewer_photos_are_divided_in_the_same_proportion() -> None:
    assert splits.quota_for(125, **DEFAULT) == Quota(80, 10, 10, 25)


def test_parts_with_zero_asked_for_stay_empty() -> None:
    none = {"demo_per_class": 0, "validation_percentage": 0, "testing_percentage": 0}
    assert splits.quota_for(60, **{**DEFAULT, **none}) == Quota(60, 0, 0, 0)


keys = st.integers(0, 10**9).map(lambda number: hashlib.sha1(b"%d" % number).hexdigest())
groups_of_any_size = st.dictionaries(keys, st.integers(1, 5), min_size=1, max_size=60)
quotas = st.builds(
    Quota,
    training=st.integers(1, 40),
    validation=st.integers(0, 8),
    test=st.integers(0, 8),
    demo=st.integers(0, 10),
)


def needed(quota: Quota) -> set[str]:
    return {part for part, count in quota.items() if count}


@given(groups=groups_of_any_size, quota=quotas, order=st.randoms())
def test_every_group_gets_one_part_in_whatever_order(
    groups: dict[str, int], quota: Quota, order: random.Random
) -> None:
    assume(len(groups) >= len(needed(quota)))
    parts = splits.assign("daisy", groups, quota)
    assert set(parts) == set(groups)
    assert set(parts.values()) <= {*PARTS, SURPLUS}
    assert needed(quota) <= set(parts.values())
    shuffled = list(groups.items())
    order.shuffle(shuffled)
    assert splits.assign("other name", dict(shuffled), quota) == parts


@given(groups=groups_of_any_size, quota=quotas)
def test_too_few_groups_are_an_error_of_the_user(groups: dict[str, int], quota: Quota) -> None:
    assume(len(groups) < len(needed(quota)))
    with pytest.raises(InputError, match=r"class 'daisy' has \d different photos?; \d are needed"):
        splits.assign("daisy", groups, quota)


@given(
    numbers=st.sets(st.integers(0, 10**9), min_size=60, max_size=90),
    quota=quotas,
)
def test_groups_of_one_fill_every_part_exactly(numbers: set[int], quota: Quota) -> None:
    groups = {hashlib.sha1(b"%d" % number).hexdigest(): 1 for number in numbers}
    assume(len(groups) >= sum(count for _, count in quota.items()))
    counts = collections.Counter(splits.assign("daisy", groups, quota).values())
    for part, count in quota.items():
        assert counts[part] == count
    assert counts[SURPLUS] == len(groups) - sum(count for _, count in quota.items())


@given(groups=groups_of_any_size, quota=quotas, data=st.data())
def test_what_the_ledger_placed_stays_placed(
    groups: dict[str, int], quota: Quota, data: st.DataObject
) -> None:
    earlier = data.draw(
        st.dictionaries(st.sampled_from(sorted(groups)), st.sampled_from([*PARTS, SURPLUS]))
    )
    gone = {"f" * 40: TEST}  # of a photo that is no longer there
    try:
        parts = splits.assign("daisy", groups, quota, {**earlier, **gone})
    except InputError:
        assert len(set(groups) - set(earlier)) < len(needed(quota))  # else there was room
        return
    assert set(parts) == set(groups)
    assert {key: parts[key] for key in earlier} == earlier
    assert needed(quota) <= set(parts.values())


@given(groups=groups_of_any_size, quota=quotas)
def test_own_ledger_changes_nothing(groups: dict[str, int], quota: Quota) -> None:
    assume(len(groups) >= len(needed(quota)))
    first = splits.assign("daisy", groups, quota)
    assert splits.assign("daisy", groups, quota, first) == first


def test_group_key_is_of_the_observation_and_not_of_the_name() -> None:
    seen = Photo(label="a", path="a/1.jpg", source_url="x", observation="inat:1", source_sha256="c")
    renamed = Photo(label="b", path="b/2.jpg", source_url="y", observation="inat:1")
    assert splits.group_keys([seen])[0] == hashlib.sha1(b"inat:1").hexdigest()
    assert splits.group_keys([renamed])[0] == splits.group_keys([seen])[0]
    assert splits.group_keys([Photo("a", source_sha256="ab")])[0] == hashlib.sha1(b"ab").hexdigest()


photo_rows = st.lists(
    st.builds(
        Photo,
        label=st.sampled_from(["daisy", "roses"]),
        observation=st.sampled_from(["", "", "o1", "o2", "o3"]),
        sha256=st.sampled_from(["s1", "s2", "s3", "s4", "s5", "s6"]),
        source_sha256=st.sampled_from(["", "t1", "t2", "t3", "t4"]),
    ),
    max_size=14,
)


@given(photos=photo_rows, data=st.data())
def test_groups_are_the_connected_components(photos: list[Photo], data: st.DataObject) -> None:
    row = st.integers(0, max(0, len(photos) - 1))
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=5)) if photos else []
    linked = np.eye(len(photos), dtype=bool)
    for left, one in enumerate(photos):
        for right, other in enumerate(photos):
            linked[left, right] |= (
                (one.observation == other.observation != "")
                or one.sha256 == other.sha256
                or (one.source_sha256 == other.source_sha256 != "")
                or (left, right) in pairs
                or (right, left) in pairs
            )
    for middle in range(len(photos)):  # Warshall's closure
        linked |= linked[:, middle, None] & linked[None, middle, :]
    expected = sorted({tuple(np.flatnonzero(line).tolist()) for line in linked})
    assert splits.group_photos(photos, pairs) == [list(group) for group in expected]


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), spread=st.floats(0.01, 1.0))
def test_near_copies_are_those_of_comparing_every_pair(
    seed: int, count: int, spread: float
) -> None:
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 2, 64)
    hashes, rows = [], []
    for _ in range(count):
        flipped = generator.random(64) < generator.choice([0.0, 0.02, 0.05, 0.08, 0.5])
        hashes.append("".join(map(str, base ^ flipped)))
        rows.append(np.ones(16) + spread * generator.normal(size=16))
    vectors = np.array(rows, dtype=np.float32).reshape(count, 16)
    expected = []
    for left in range(count):
        for right in range(left + 1, count):
            bits = sum(a != b for a, b in zip(hashes[left], hashes[right], strict=True))
            one, other = vectors[left].astype(float), vectors[right].astype(float)
            cosine = one @ other / np.sqrt((one @ one) * (other @ other))
            mirrored = sum(
                (a != b) != bool(place % 2)
                for place, (a, b) in enumerate(zip(hashes[left], hashes[right], strict=True))
            )
            rules = (*splits.NEAR_RULES, (splits.ALIKE_BITS, splits.ALIKE_COSINE))
            for _, least in rules:
                assume(abs(cosine - least) > 1e-5)
            if any(min(bits, mirrored) <= most and cosine >= least for most, least in rules):
                expected.append((left, right))
    phashes = [f"{int(bits, 2):016x}" for bits in hashes]
    assert sorted(splits.near_copies(phashes, vectors)) == expected


def test_network_that_tells_nothing_apart_joins_no_photos() -> None:
    """Such as one with random weights: all photos look alike to it."""
    generator = np.random.default_rng(0)
    vectors = (1 + 0.1 * generator.random((60, 32))).astype(np.float32)
    hashes = [f"{generator.integers(2**63):016x}" for _ in range(58)]
    assert splits.near_copies([*hashes, "0" * 16, "0" * 15 + "1"], vectors) == [(58, 59)]


def test_near_copies_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "BLOCK_ROWS", 4)
    phashes = [f"{number * 0x0123456789ABCDEF % 2**64:016x}" for number in range(1, 20)]
    phashes[17] = phashes[2]
    vectors = np.ones((19, 8), dtype=np.float32)
    assert (2, 17) in splits.near_copies(phashes, vectors)


def test_photos_without_any_feature_are_no_copies() -> None:
    assert splits.near_copies(["0" * 16] * 2, np.zeros((2, 8), dtype=np.float32)) == []


ROWS = [
    ("roses", "b" * 40, DEMO),
    ("daisy", "a" * 40, TRAINING),
    ("daisy", "c" * 40, VALIDATION),
    ("蘑菇", "a" * 40, SURPLUS),
]


def test_ledger_comes_back_and_its_surplus_is_free_again(tmp_path: Path) -> None:
    assert any(part == splits.SURPLUS for _, _, part in ROWS)
    for rows in (ROWS, []):
        splits.write_ledger(rows, tmp_path / "split.parquet")
        expected = {(label, group): part for label, group, part in rows if part != splits.SURPLUS}
        assert splits.read_ledger(str(tmp_path)) == expected


def test_ledger_does_not_depend_on_the_order_of_its_rows(tmp_path: Path) -> None:
    splits.write_ledger(ROWS, tmp_path / "a")
    splits.write_ledger(ROWS[::-1], tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_unknown_part_in_a_ledger_is_refused(tmp_path: Path) -> None:
    splits.write_ledger([("daisy", "a" * 40, "holdout")], tmp_path / "l")
    with pytest.raises(InputError, match="names the part 'holdout'"):
        splits.read_ledger(str(tmp_path / "l"))


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("label,group,split\n")
    pq.write_table(pa.table({"label": ["x"], "split": ["test"]}), tmp_path / "columns")
    for name in ("missing", "text", "columns"):
        with pytest.raises(InputError, match=r"no ledger|no file"):
            splits.read_ledger(str(tmp_path / name))


def brute_force(phashes: list[str], vectors: np.ndarray) -> list[tuple[int, int]]:
    """Near copies by the rules themselves, pair by pair."""
    hashes = [int(phash, 16) for phash in phashes]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = vectors / np.where(lengths > 0, lengths, 1)
    found = []
    for left in range(len(rows)):
        for right in range(left + 1, len(rows)):
            differing = hashes[left] ^ hashes[right]
            mirrored = differing ^ int(splits.hash_index.MIRROR)
            bits = min(differing.bit_count(), mirrored.bit_count())
            rules = (*splits.NEAR_RULES, (splits.ALIKE_BITS, splits.ALIKE_COSINE))
            cosine = float(rows[left] @ rows[right])
            if any(bits <= most and cosine >= least for most, least in rules):
                found.append((left, right))
    return found


@pytest.mark.parametrize("dimensions", [8, 96, 97, 300])
@pytest.mark.parametrize("block", [16, 1024])
def test_bounds_lose_no_pair_of_near_copies(
    dimensions: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "BLOCK_ROWS", block)
    draw = np.random.default_rng(dimensions)
    vectors = np.maximum(draw.normal(0.2, 1, (150, dimensions)), 0).astype(np.float32)
    vectors[50:100] = vectors[:50] * 0.7 + 0.35 * np.abs(draw.normal(0, 1, (50, dimensions)))
    vectors[7] = 0
    # Hashes of few different bits, so that cosines decide.
    phashes = [f"{number & 0xFFFFFFFFFF:016x}" for number in draw.integers(0, 2**62, 150).tolist()]
    found = splits.near_copies(phashes, vectors)
    assert found == brute_force(phashes, vectors)
    assert len(found) > 10


def test_a_network_that_takes_all_photos_for_one_is_not_asked() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(5, 0.1, (80, 64)).astype(np.float32)
    phashes = [f"{number:016x}" for number in draw.integers(0, 2**62, 80).tolist()]
    phashes[3] = phashes[4]
    assert splits.near_copies(phashes, vectors) == [(3, 4)]
