"""Photos that do not belong: what the other photos say of each, and what the network says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.common.base.files import default_cache_dir
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import BackboneKey, load_backbone
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images
from components.curate import ridge, suspects

KEY = BackboneKey("mobilenet_1.0_224", 224, "0" * 64)


def blobs(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Features of three classes around three centres."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(3, 32))
    labels = [("a", "b", "c")[number % 3] for number in range(count)]
    rows = [centres["abc".index(label)] + draw.normal(size=32) * 0.7 for label in labels]
    return np.array(rows, dtype=np.float32), labels


def test_left_out_predictions_are_those_of_fits_without_the_group() -> None:
    vectors, _ = blobs(30)
    draw = np.random.default_rng(1)
    targets, weights = draw.normal(size=(30, 2)), draw.uniform(0.5, 2, 30)
    groups = [str(number // 2) if number < 10 else f"single {number}" for number in range(30)]
    fitted = ridge.fit(vectors, targets, groups, strength=0.3, weights=weights)
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
        np.testing.assert_allclose(fitted.left_out[inside], answer, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 30])
def test_fit_in_blocks_is_the_fit(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = blobs(60)
    targets, groups = np.eye(3)[["abc".index(label) for label in labels]], [*"aabbbc", *range(54)]
    known = ridge.fit(vectors, targets, list(map(str, groups)), strength=1)
    monkeypatch.setattr(ridge, "BLOCK_ROWS", rows)
    found = ridge.fit(vectors, targets, list(map(str, groups)), strength=1)
    np.testing.assert_allclose(found.left_out, known.left_out, atol=1e-12)
    np.testing.assert_allclose(found.predict(vectors), known.predict(vectors), atol=1e-12)


def test_wrong_labels_are_suspected_and_right_ones_are_not() -> None:
    vectors, right = blobs(90)
    given = list(right)
    given[0], given[31], given[62] = "b", "c", "a"
    training = np.array([number % 3 > 0 or number % 2 > 0 for number in range(90)])
    found = suspects.judge_labels(vectors, given, [str(n) for n in range(90)], training)
    assert set(np.flatnonzero(found.suspect)) == {0, 31, 62}
    assert [found.nearest[row] for row in (0, 31, 62)] == ["a", "b", "c"]


def test_labels_outside_the_training_part_do_not_count() -> None:
    vectors, labels = blobs(60)
    training = np.arange(60) < 40
    groups = [str(number) for number in range(60)]
    before = suspects.judge_labels(vectors, labels, groups, training)
    swapped = labels[:40] + labels[40:][::-1]
    moved = vectors.copy()
    moved[40:] = vectors[40:][::-1]
    after = suspects.judge_labels(moved, swapped, groups, training)
    assert np.array_equal(before.margins[:40], after.margins[:40])


def test_copy_of_a_wrong_photo_does_not_defend_it() -> None:
    vectors, labels = blobs(60)
    vectors[3] = vectors[0]
    labels[0] = labels[3] = "b"
    groups = ["twins" if number in (0, 3) else str(number) for number in range(60)]
    found = suspects.judge_labels(vectors, labels, groups, np.ones(60, dtype=bool))
    assert set(np.flatnonzero(found.suspect)) == {0, 3}


def test_nothing_is_said_of_labels_with_one_class_in_the_training_part() -> None:
    vectors, labels = blobs(9)
    training = np.array([label == "a" for label in labels])
    found = suspects.judge_labels(vectors, labels, [str(n) for n in range(9)], training)
    assert np.isnan(found.margins).all()
    assert not found.suspect.any()


def fungi(count: int, share: float) -> Bottlenecks:
    scores = np.zeros((count, 1000), dtype=np.float16)
    scores[:, 947] = share
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return Bottlenecks(
        tuple(str(n) for n in range(count)), vectors, scores, np.zeros((count, 1024), np.uint8), KEY
    )


def mushroom_odds(found: Bottlenecks) -> np.ndarray | None:
    """Of photos of which each is a group of its own."""
    scores = found.scores[:, suspects.FUNGI]
    return suspects.mushroom_odds(found.vectors, scores, found.sha256)


@pytest.mark.parametrize(("count", "share", "judged"), [(20, 0.9, 1), (19, 0.9, 0), (20, 0.1, 0)])
def test_only_enough_photos_of_fungi_are_judged(count: int, share: float, judged: int) -> None:
    odds = mushroom_odds(fungi(count, share))
    assert (odds is not None) == bool(judged)


def test_rounding_above_one_is_no_error() -> None:
    scores = fungi(30, 0.9)
    scores.scores[:, 997] = 0.2
    odds = mushroom_odds(scores)
    assert odds is not None
    assert np.isfinite(odds).all()


@pytest.mark.parametrize(("architecture", "sure"), [("1.0_224", True), ("1.0_128", False)])
def test_small_networks_only_flag(architecture: str, sure: bool) -> None:
    key = BackboneKey(f"mobilenet_{architecture}", int(architecture[-3:]), "0" * 64)
    found = fungi(1, 0.5)
    assert suspects.may_leave_out(dataclasses.replace(found, key=key)) == (sure)


def test_flowers_among_real_fungi(shared_photos: Path) -> None:
    """Thresholds are those of the benchmark; here only that they hold for one fixed choice."""
    fungi_files = sorted((shared_photos / "mushrooms").glob("*/*.jpg"))
    flowers = sorted((shared_photos / "flowers").glob("*/*.jpg"))[::8]
    files = fungi_files + flowers
    photos = (
        (Photo("x", sha256=str(number)), images.to_clean_jpeg(file.read_bytes()).data)
        for number, file in enumerate(files)
    )
    network = load_backbone("mobilenet_1.0_224", default_cache_dir())
    found = bottlenecks.compute(network, photos)
    odds = mushroom_odds(found)
    assert odds is not None
    out, doubtful = odds < suspects.NO_MUSHROOM_ODDS, odds < suspects.DOUBTFUL_ODDS
    count = len(fungi_files)
    assert out[:count].mean() <= 0.02
    assert out[count:].mean() >= 0.75
    assert doubtful[count:].mean() >= 0.9
    alone = mushroom_odds(
        Bottlenecks(
            found.sha256[:count],
            found.vectors[:count],
            found.scores[:count],
            found.fingerprints[:count],
            found.key,
        )
    )
    assert alone is not None
    assert (alone < suspects.NO_MUSHROOM_ODDS).mean() <= 0.02
