"""What the other photos say of each: ridge regression, and labels that look wrong."""

import numpy as np
import pytest

from components.common.dataset import label_check, ridge


def blobs(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Features of three classes around three centres."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(3, 32))
    labels = [("a", "b", "c")[number % 3] for number in range(count)]
    rows = [centres["abc".index(label)] + draw.normal(size=32) * 0.7 for label in labels]
    return np.array(rows, dtype=np.float32), labels


def left_out(fitted: ridge.Ridge, count: int) -> np.ndarray:
    """The predictions for all rows, each of which comes once."""
    found = list(fitted.left_out())
    assert sorted(np.concatenate([rows for rows, _ in found]).tolist()) == list(range(count))
    predicted = np.empty((count, found[0][1].shape[1]))
    for rows, some in found:
        predicted[rows] = some
    return predicted


def test_left_out_predictions_are_those_of_fits_without_the_group() -> None:
    vectors, _ = blobs(30)
    draw = np.random.default_rng(1)
    targets, weights = draw.normal(size=(30, 2)), draw.uniform(0.5, 2, 30)
    groups = [str(number // 2) if number < 10 else f"single {number}" for number in range(30)]
    fitted = ridge.fit(vectors, targets, groups, strength=0.3, weights=weights)
    predicted = left_out(fitted, 30)
    rows = ridge.directions(vectors)
    centre, mean = (np.average(values, axis=0, weights=weights) for values in (rows, targets))
    rows, wanted = rows - centre, targets - mean
    scaled = weights / weights.mean()
    penalty = 0.3 * (scaled[:, None] * rows**2).sum() / 30 + 1e-9
    for group in set(groups):
        inside = np.array([one == group for one in groups])
        kept, heavy = rows[~inside], scaled[~inside, None]
        gram = kept.T @ (heavy * kept) + penalty * np.eye(32)
        answer = rows[inside] @ np.linalg.solve(gram, kept.T @ (heavy * wanted[~inside])) + mean
        np.testing.assert_allclose(predicted[inside], answer, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 30])
def test_fit_in_blocks_is_the_fit(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = blobs(60)
    targets, groups = np.eye(3)[["abc".index(label) for label in labels]], [*"aabbbc", *range(54)]
    known = ridge.fit(vectors, targets, list(map(str, groups)), strength=1)
    expected = left_out(known, 60)
    monkeypatch.setattr(ridge, "BLOCK_ROWS", rows)  # of 1, a group is fitted in 32 dimensions
    found = ridge.fit(vectors, targets, list(map(str, groups)), strength=1)
    np.testing.assert_allclose(left_out(found, 60), expected, atol=1e-12)
    np.testing.assert_allclose(found.predict(vectors), known.predict(vectors), atol=1e-12)


@pytest.mark.parametrize("count", [20, 60])
def test_classes_are_targets_of_ones_to_the_last_bit(count: int) -> None:
    vectors, labels = blobs(count)
    classes, weights = np.array(["abc".index(label) for label in labels]), np.arange(count) + 0.3
    groups = ["together"] * 3 + [str(number) for number in range(count - 3)]
    found, known = (
        ridge.fit(vectors, targets, groups, strength=1, weights=weights)
        for targets in (ridge.OneHot(classes, 3), np.eye(3)[classes])
    )
    assert np.array_equal(left_out(found, count), left_out(known, count))
    assert np.array_equal(found.predict(vectors), known.predict(vectors))


def test_fit_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = blobs(300)
    classes = ridge.OneHot(np.array(["abc".index(label) for label in labels]), 3)
    groups = [str(number // 2) for number in range(300)]
    monkeypatch.setattr(ridge, "BLOCK_ROWS", 16)
    results = []
    for threads in (1, 4):
        monkeypatch.setattr(ridge, "step_threads", lambda threads=threads: threads)
        results.append(left_out(ridge.fit(vectors, classes, groups, strength=1), 300))
    assert np.array_equal(*results)


def test_wrong_labels_are_suspected_and_right_ones_are_not() -> None:
    vectors, right = blobs(90)
    given = list(right)
    given[0], given[31], given[62] = "b", "c", "a"
    training = np.array([number % 3 > 0 or number % 2 > 0 for number in range(90)])
    found = label_check.judge_labels(vectors, given, [str(n) for n in range(90)], training)
    assert set(np.flatnonzero(found.suspect)) == {0, 31, 62}
    assert [found.nearest[row] for row in (0, 31, 62)] == ["a", "b", "c"]


def test_labels_outside_the_training_part_do_not_count() -> None:
    vectors, labels = blobs(60)
    training = np.arange(60) < 40
    groups = [str(number) for number in range(60)]
    before = label_check.judge_labels(vectors, labels, groups, training)
    swapped = labels[:40] + labels[40:][::-1]
    moved = vectors.copy()
    moved[40:] = vectors[40:][::-1]
    after = label_check.judge_labels(moved, swapped, groups, training)
    assert np.array_equal(before.margins[:40], after.margins[:40])


def test_copy_of_a_wrong_photo_does_not_defend_it() -> None:
    vectors, labels = blobs(60)
    vectors[3] = vectors[0]
    labels[0] = labels[3] = "b"
    groups = ["twins" if number in (0, 3) else str(number) for number in range(60)]
    found = label_check.judge_labels(vectors, labels, groups, np.ones(60, dtype=bool))
    assert set(np.flatnonzero(found.suspect)) == {0, 3}


def test_nothing_is_said_of_labels_with_one_class_in_the_training_part() -> None:
    vectors, labels = blobs(9)
    training = np.array([label == "a" for label in labels])
    found = label_check.judge_labels(vectors, labels, [str(n) for n in range(9)], training)
    assert np.isnan(found.margins).all()
    assert not found.suspect.any()
