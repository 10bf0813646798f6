"""The gate sees every class: a rare one that is not recognised holds a model back."""

import dataclasses

import pytest

from components.publish.decision import HOLD, PUBLISH, Decision, weigh
from components.publish.recalls import Recalls

CLASSES = ("common", "rare")


def recalls(*right_of: tuple[int, int]) -> Recalls:
    """Of classes named a, b, …, so many right of so many."""
    names = "abcdefghij"[: len(right_of)]
    right, photos = zip(*right_of, strict=True)
    return Recalls(dict(zip(names, right, strict=True)), dict(zip(names, photos, strict=True)))


def judged(known: Recalls, **changes: float) -> Decision:
    """The decision on a model whose accuracy is beyond doubt."""
    decision = Decision(
        decision=HOLD,
        reason="",
        name="m",
        version="new",
        accuracy=0.95,
        accuracy_low=0.9,
        min_accuracy=0.6,
        max_regression=0.0,
        demo_manifest_sha256="0" * 64,
        recalls=known,
    )
    return weigh(dataclasses.replace(decision, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "word"),
    [
        (recalls((54, 54), (0, 2)), HOLD),  # 193 photos against 7 that nothing tells apart
        (recalls((53, 54), (0, 2)), HOLD),
        (recalls((52, 54), (0, 3)), HOLD),
        (recalls((54, 54), (2, 2)), PUBLISH),  # 193 against 7 that are easily told apart
        (recalls((54, 54), (0, 0)), HOLD),  # of the rare one nothing was measured
        (recalls((40, 40), (0, 40)), HOLD),
        (recalls((20, 40), (20, 40)), HOLD),  # chance
        (recalls(*[(6, 6)] * 7), PUBLISH),
        (recalls(*[(5, 6)] * 6, (1, 6)), PUBLISH),  # not surely overlooked
        (recalls(*[(20, 20)] * 6, (0, 20)), HOLD),  # surely
        (recalls(*[(2, 2)] * 9, (0, 2)), PUBLISH),
    ],
)
def test_rare_class_counts_as_much_as_a_common_one(known: Recalls, word: str) -> None:
    assert judged(known).decision == word


def test_reason_says_what_is_missed() -> None:
    held = judged(recalls((54, 54), (0, 2)))
    assert "its macro recall 0.500 (95 % interval 0.459 to 0.901) is too low: its lower " in (
        held.reason
    )
    assert "not above 0.500, which always giving one answer reaches" in held.reason
    assert (
        "some classes have too few held-out photos (b 0 of 2 recognised): add photos of them"
        in held.reason
    )
    held = judged(recalls(*[(20, 20)] * 6, (0, 20)))
    assert (
        "too few photos of some classes are recognised (g 0 of 20): the upper bound of their "
        "recall is below 0.2 (--min_class_recall)" in held.reason
    )


def test_options_ask_for_more_or_for_nothing() -> None:
    good = recalls((18, 20), (17, 20), (19, 20))
    assert judged(good, min_macro_recall=0.7).decision == PUBLISH
    held = judged(good, min_macro_recall=0.9)
    assert held.decision == HOLD
    assert "is below 0.9 (--min_macro_recall)" in held.reason
    assert judged(recalls((20, 20), (20, 20), (8, 20)), min_class_recall=0.7).decision == HOLD
    overlooked = recalls(*[(20, 20)] * 6, (0, 20))
    assert judged(overlooked, min_class_recall=0.0).decision == PUBLISH


@pytest.mark.parametrize(
    "confusion",
    [None, [], [[1, 2]], [[1, 2], [3]], [[1, -2], [3, 4]], [[1, "2"], [3, 4]], [[True, 1], [1, 1]]],
)
def test_what_is_no_confusion_matrix_is_refused(confusion: object) -> None:
    with pytest.raises(ValueError, match="its confusion matrix"):
        Recalls.of(CLASSES, confusion)


def test_recalls_are_of_the_rows() -> None:
    known = Recalls.of(CLASSES, [[5, 1], [2, 1]])
    assert (known.right, known.photos) == ({"common": 5, "rare": 1}, {"common": 6, "rare": 3})
    assert known.few == ["rare"]


def test_recalls_may_be_means_of_several_rounds() -> None:
    third = 1 / 3
    known = Recalls.of(CLASSES, [[15 + third, 3 - third], [7 * third, 2 * third]], [16.0, 2.4])
    assert known.photos == {"common": 18, "rare": 3}
    assert known.share("common").value == pytest.approx((15 + third) / 18)
    assert known.few == ["rare"]
    held = judged(known)
    assert "(rare on average 0.7 of 3 recognised)" in held.reason


def test_photos_of_one_observation_prove_less() -> None:
    rows = [[18, 2], [3, 17]]
    alone, together = Recalls.of(CLASSES, rows), Recalls.of(CLASSES, rows, [20, 4.5])
    assert together.share("common") == alone.share("common")
    assert together.share("rare").low < alone.share("rare").low
    assert judged(alone, min_macro_recall=0.7).decision == PUBLISH
    held = judged(together, min_macro_recall=0.7)
    assert held.decision == HOLD
    assert "--min_macro_recall" in held.reason


@pytest.mark.parametrize(
    "effective", [20, [20], [20, 21], [20, 0], [20, -1], [20, "5"], [20, None], [20, float("nan")]]
)
def test_effective_photos_that_make_no_sense_are_refused(effective: object) -> None:
    with pytest.raises(ValueError, match="photos"):
        Recalls.of(CLASSES, [[18, 2], [3, 17]], effective)
