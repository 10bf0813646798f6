"""Quotas: the properties that keep the parts filled and stable, checked on any input."""

import collections
import hashlib
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.common.base.errors import InputError
from components.common.dataset import quotas
from components.common.dataset.quotas import Quota
from components.common.dataset.vocabulary import PARTS, SURPLUS, TEST

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
    quota = quotas.quota_for(photos, **division)
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
    quota = quotas.quota_for(photos, **division)
    assert quota.demo == division["demo_per_class"]
    retraining = division["train_per_class"]
    assert abs(quota.test - retraining * division["testing_percentage"] / 100) <= 2
    assert abs(quota.validation - retraining * division["validation_percentage"] / 100) <= 2


@pytest.mark.parametrize("photos", [250, 251, 1000])
def test_enough_photos_give_the_numbers_of_the_tutorial(photos: int) -> None:
    assert quotas.quota_for(photos, **DEFAULT) == Quota(
        training=160, validation=20, test=20, demo=50
    )


def test_twelve_photos_give_one_validation_photo() -> None:
    assert quotas.quota_for(12, **{**DEFAULT, "demo_per_class": 0}) == Quota(10, 1, 1, 0)


def test_fewer_photos_are_divided_in_the_same_proportion() -> None:
    assert quotas.quota_for(125, **DEFAULT) == Quota(80, 10, 10, 25)


def test_parts_with_zero_asked_for_stay_empty() -> None:
    none = {"demo_per_class": 0, "validation_percentage": 0, "testing_percentage": 0}
    assert quotas.quota_for(60, **{**DEFAULT, **none}) == Quota(60, 0, 0, 0)


keys = st.integers(0, 10**9).map(lambda number: hashlib.sha1(b"%d" % number).hexdigest())
groups_of_any_size = st.dictionaries(keys, st.integers(1, 5), min_size=1, max_size=60)
any_quotas = st.builds(
    Quota,
    training=st.integers(1, 40),
    validation=st.integers(0, 8),
    test=st.integers(0, 8),
    demo=st.integers(0, 10),
)


def needed(quota: Quota) -> set[str]:
    return {part for part, count in quota.items() if count}


@given(groups=groups_of_any_size, quota=any_quotas, order=st.randoms())
def test_every_group_gets_one_part_in_whatever_order(
    groups: dict[str, int], quota: Quota, order: random.Random
) -> None:
    assume(len(groups) >= len(needed(quota)))
    parts = quotas.assign("daisy", groups, quota)
    assert set(parts) == set(groups)
    assert set(parts.values()) <= {*PARTS, SURPLUS}
    assert needed(quota) <= set(parts.values())
    shuffled = list(groups.items())
    order.shuffle(shuffled)
    assert quotas.assign("other name", dict(shuffled), quota) == parts


@given(groups=groups_of_any_size, quota=any_quotas)
def test_too_few_groups_are_an_error_of_the_user(groups: dict[str, int], quota: Quota) -> None:
    assume(len(groups) < len(needed(quota)))
    with pytest.raises(InputError, match=r"class 'daisy' has \d different photos?; \d are needed"):
        quotas.assign("daisy", groups, quota)


@given(
    numbers=st.sets(st.integers(0, 10**9), min_size=60, max_size=90),
    quota=any_quotas,
)
def test_groups_of_one_fill_every_part_exactly(numbers: set[int], quota: Quota) -> None:
    groups = {hashlib.sha1(b"%d" % number).hexdigest(): 1 for number in numbers}
    assume(len(groups) >= sum(count for _, count in quota.items()))
    counts = collections.Counter(quotas.assign("daisy", groups, quota).values())
    for part, count in quota.items():
        assert counts[part] == count
    assert counts[SURPLUS] == len(groups) - sum(count for _, count in quota.items())


@given(groups=groups_of_any_size, quota=any_quotas, data=st.data())
def test_what_the_ledger_placed_stays_placed(
    groups: dict[str, int], quota: Quota, data: st.DataObject
) -> None:
    earlier = data.draw(
        st.dictionaries(st.sampled_from(sorted(groups)), st.sampled_from([*PARTS, SURPLUS]))
    )
    gone = {"f" * 40: TEST}  # of a photo that is no longer there
    try:
        parts = quotas.assign("daisy", groups, quota, {**earlier, **gone})
    except InputError:
        assert len(set(groups) - set(earlier)) < len(needed(quota))  # else there was room
        return
    assert set(parts) == set(groups)
    assert {key: parts[key] for key in earlier} == earlier
    assert needed(quota) <= set(parts.values())


@given(groups=groups_of_any_size, quota=any_quotas)
def test_own_ledger_changes_nothing(groups: dict[str, int], quota: Quota) -> None:
    assume(len(groups) >= len(needed(quota)))
    first = quotas.assign("daisy", groups, quota)
    assert quotas.assign("daisy", groups, quota, first) == first
