"""The tests of `--watch`: how often they raise a false alarm, and what they find."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from components.common.base.errors import InputError
from components.common.model.answer_counts import MAX_PHOTOS, AnswerCounts
from components.label_image import drift

DRAWS = 1_000
REJECTED_BELOW = 0.05
CLASSES = 5


def answered(
    familiarity: np.ndarray, classes: np.ndarray | None = None, limit: float = REJECTED_BELOW
) -> AnswerCounts:
    counts = AnswerCounts()
    for place, value in enumerate(familiarity.tolist()):
        label = "one" if classes is None else str(classes[place])
        counts.add(None if value < limit - 1e-9 else label, value)
    return counts


def photos(random: np.random.Generator, number: int, power: float = 1.0) -> np.ndarray:
    """Familiarity in hundredths; with a power above 1 the photos look stranger."""
    return np.floor(100 * random.random(number) ** power) / 100


@pytest.mark.parametrize(
    ("demo", "size", "earlier"), [(60, 20, False), (60, 20, True), (250, 100, False)]
)
def test_batches_of_the_demo_itself_raise_as_many_alarms_as_promised(
    demo: int, size: int, earlier: bool
) -> None:
    """5 % of 1,000 draws, give or take two standard errors of 0.7 points."""
    random = np.random.default_rng(7)
    familiarity = photos(random, demo)
    classes = random.integers(0, CLASSES, demo)
    false = 0
    for draw in range(DRAWS):
        rows = random.permutation(demo)
        batch, before, rest = rows[:size], rows[size : 2 * size], rows[size * (1 + earlier) :]
        found = drift.find(
            answered(familiarity[batch], classes[batch]),
            answered(familiarity[rest], classes[rest]),
            REJECTED_BELOW,
            answered(familiarity[before], classes[before]) if earlier else None,
            shuffles=199,
            seed=draw,
        )
        assert len(found) == 2 + earlier
        false += any(finding.alarm for finding in found)
    assert 0.035 <= false / DRAWS <= 0.065


def test_photos_that_look_stranger_raise_an_alarm_of_both_kinds() -> None:
    random = np.random.default_rng(1)
    found = drift.find(
        answered(photos(random, 60, power=6)), answered(photos(random, 60)), REJECTED_BELOW
    )
    assert [(one.what, one.alarm) for one in found] == [
        (drift.FAMILIARITY, True),
        (drift.NONE, True),
    ]
    assert all(one.p_value <= one.adjusted for one in found)


def test_more_familiar_photos_are_another_kind_too() -> None:
    random = np.random.default_rng(2)
    familiar = answered(photos(random, 60, power=0.3))
    found = drift.find(familiar, answered(photos(random, 60)), REJECTED_BELOW)
    assert found[0].alarm


def test_other_shares_of_classes_are_found_beside_an_earlier_batch_only() -> None:
    random = np.random.default_rng(3)
    demo = photos(random, 60)
    earlier = answered(demo, random.integers(0, CLASSES, 60), limit=0)
    batch = answered(demo, np.minimum(random.integers(0, CLASSES, 60), 1), limit=0)
    alone = drift.find(batch, answered(demo, limit=0), 0)
    assert not any(one.alarm for one in alone)
    beside = drift.find(batch, answered(demo, limit=0), 0, earlier)
    assert [one.what for one in beside if one.alarm] == [drift.CLASSES]


def test_few_photos_allow_no_test() -> None:
    random = np.random.default_rng(4)
    demo, few = answered(photos(random, 60)), answered(photos(random, drift.FEWEST - 1))
    assert drift.find(few, demo, REJECTED_BELOW, few) == ()
    assert drift.find(demo, few, REJECTED_BELOW) == ()


def test_the_same_batch_gets_the_same_answer_and_one_test_alone_is_not_corrected() -> None:
    random = np.random.default_rng(5)
    demo, batch = answered(photos(random, 60)), answered(photos(random, 30, power=2))
    first = drift.find(batch, demo, REJECTED_BELOW)
    assert drift.find(batch, demo, REJECTED_BELOW) == first
    # Nothing is ever below 0: the second test can find nothing, and takes nothing away.
    lone, empty = drift.find(batch, demo, 0)
    assert lone.adjusted == lone.p_value
    assert empty.p_value == 1


def test_a_million_photos_are_compared() -> None:
    random = np.random.default_rng(6)
    million = AnswerCounts([10_000] * 100 + [0], Counter({"one": 950_000}), 50_000)
    found = drift.find(million, answered(photos(random, 60)), REJECTED_BELOW)
    assert not any(one.alarm for one in found)


def _of_classes(random: np.random.Generator, classes: int, each: int) -> AnswerCounts:
    """Answers to photos of so many classes, `each` of them on average."""
    names = Counter(dict(enumerate(random.poisson(each, classes).tolist())))
    counts = Counter({f"class {number}": count for number, count in names.items()})
    return AnswerCounts([counts.total()] + [0] * 100, counts)


def test_shuffles_of_many_classes_are_not_in_memory_together() -> None:
    random = np.random.default_rng(7)
    batch, earlier = (_of_classes(random, 4_000, 4) for _ in range(2))
    tracemalloc.start()
    try:
        found = drift.find(batch, answered(photos(random, 5)), 0.01, earlier, shuffles=1_999)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [one.what for one in found] == [drift.CLASSES]
    assert peak < 60_000_000  # the shuffles alone have 64 MB, and their statistic as much again


def test_shuffles_in_blocks_are_the_same_shuffles(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(10)
    batch, earlier = (_of_classes(random, 40, 600) for _ in range(2))
    demo = answered(photos(random, 60))
    whole = drift.find(batch, demo, REJECTED_BELOW, earlier, shuffles=499)
    monkeypatch.setattr(drift, "BLOCK", 40 * 100)
    assert drift.find(batch, demo, REJECTED_BELOW, earlier, shuffles=499) == whole


@pytest.mark.filterwarnings("ignore")  # of p-values outside scipy's table, and of options to come
def test_anderson_darling_is_that_of_scipy() -> None:
    """But for a factor and a shift, which depend on the numbers of photos alone."""
    random = np.random.default_rng(8)
    ours, theirs = [], []
    for _ in range(5):
        sides = [photos(random, 25), photos(random, 40)]
        one, two = (np.bincount((100 * side).round().astype(int), minlength=101) for side in sides)
        ours.append(drift.anderson_darling(one[None], one + two)[0])
        theirs.append(stats.anderson_ksamp(sides, midrank=False).statistic)
    np.testing.assert_allclose(np.polyval(np.polyfit(ours, theirs, 1), ours), theirs, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 2}, "of version 2"),
        ({"familiarity": [1] * 100}, "100 steps"),
        ({"familiarity": [0] * 101}, "do not belong together"),
        ({"none_of_these": -1}, "is no count"),
        ({"classes": {"a": True}}, "is no count"),
        ({"classes": None}, "damaged"),
        (
            {"classes": {"a": 10**10}, "none_of_these": 0, "unjudged": 0}
            | {"familiarity": [10**10] + [0] * 100},
            "it has answers to 10,000,000,000 photos; at most 400,000,000 can be compared",
        ),
    ],
)
def test_damaged_counts_are_refused(change: dict[str, object], expected: str) -> None:
    content = answered(photos(np.random.default_rng(9), 20)).to_json()
    assert AnswerCounts.parse(content, "it").to_json() == content
    with pytest.raises(InputError, match=expected):
        AnswerCounts.parse(content | change, "it")


def test_as_many_photos_as_are_allowed_can_be_compared() -> None:
    half = MAX_PHOTOS // 2
    most = AnswerCounts([half, half] + [0] * 99, Counter({"a": half, "b": half}))
    read = AnswerCounts.parse(most.to_json(), "it")
    found = drift.find(read, read, REJECTED_BELOW, read, shuffles=99)
    assert not any(one.alarm for one in found)


def test_counts_that_are_no_object_are_refused() -> None:
    with pytest.raises(InputError, match="damaged"):
        AnswerCounts.parse([], "it")
