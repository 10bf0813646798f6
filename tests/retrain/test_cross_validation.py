"""Cross-validation of the recipe, and the final head of all that it was measured on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import KEPT_BY_HAND
from components.common.network.backbone import BackboneKey
from components.common.network.bottlenecks import Bottlenecks
from components.evaluate.measure import Outcomes
from components.retrain import cross_validation, final
from components.retrain.cross_validation import cross_validate, rounds_for
from components.retrain.head import Examples
from components.retrain.material import Material, examples, learned_photos
from components.retrain.options import PIPELINE, Distortions
from components.retrain.pool import Pool

QUICK = dataclasses.replace(PIPELINE, how_many_training_steps=60, learning_rate=0.02)
NAMES = "abcde"


def pool(
    photos: int,
    *,
    classes: int = 3,
    apart: float = 2.0,
    size: int = 1,
    seed: int = 0,
    copies: int = 0,
) -> Pool:
    """Photos of classes around centres so far apart, so many of them in each group."""
    draw = np.random.default_rng(seed)
    labels = np.arange(photos) // size % classes
    centres = draw.normal(size=(classes, 16)) * apart
    # Photos of one group are alike beyond their class.
    own = draw.normal(size=(photos // size + 1, 16))[np.arange(photos) // size]
    vectors = centres[labels] + own + 0.3 * draw.normal(size=(photos, 16))
    listed = [
        Photo(NAMES[label], group=f"g{row // size}", sha256=f"{row:064x}")
        for row, label in enumerate(labels.tolist())
    ]
    rows = vectors.astype(np.float32)
    return Pool(
        listed,
        Examples(rows, labels.astype(np.int64)),
        [rows + np.float32(0.01)] * copies,
        classes,
        np.ones(photos, bool),
    )


def outcomes(photos: Pool, rounds: list[cross_validation.Round]) -> Outcomes:
    """As `evaluate` measures them."""
    _, groups = np.unique(photos.groups, return_inverse=True)
    probabilities = np.concatenate([one.probabilities for one in rounds]).astype(np.float64)
    return Outcomes(
        np.tile(photos.examples.labels, len(rounds)),
        probabilities,
        probabilities,
        None,
        np.tile(groups, len(rounds)),
        len(rounds),
    )


@pytest.mark.parametrize("size", [1, 3])
def test_no_answer_knows_its_photo_or_another_of_its_group(size: int) -> None:
    photos = pool(90, size=size)
    groups = np.array(photos.groups)
    (found,) = cross_validate(photos, QUICK, 1)
    for number, learned in enumerate(found.learned):
        asked = found.scored.fold == number
        assert asked.any()
        assert not set(groups[learned]) & set(groups[asked])


def test_what_was_learned_by_heart_does_not_count() -> None:
    """Labels are drawn by lot: whatever was seen would be answered rightly, and nothing else."""
    inside, means = 0, []
    for seed in range(20):
        photos = pool(90, apart=0.0, size=3, seed=seed)
        found = outcomes(photos, cross_validate(photos, QUICK, 2))
        share = found.share(found.right)
        inside += share.low <= 1 / 3 <= share.high
        means.append(share.value)
    assert inside >= 17  # 19 of 20 on average; 16 or fewer once in 600 times
    assert abs(np.mean(means) - 1 / 3) < 0.06


def test_intervals_hold_the_accuracy_of_the_final_head() -> None:
    """`benchmarks/cross_validation.py` does this for 2,000 sets of several kinds."""
    inside = 0
    for seed in range(40):
        everything = pool(2100, apart=0.55, seed=seed)
        few = np.arange(2100) < 60
        photos = Pool(
            everything.photos[:60],
            Examples(everything.examples.vectors[few], everything.examples.labels[few]),
            [],
            3,
            np.ones(60, bool),
        )
        rounds = cross_validate(photos, QUICK, 1)
        answered = final.calibrated(final.train(photos, QUICK), photos, QUICK, rounds).head.logits(
            everything.examples.vectors[~few]
        )
        truth = float((answered.argmax(axis=1) == everything.examples.labels[~few]).mean())
        found = outcomes(photos, rounds)
        share = found.share(found.right)
        inside += share.low <= truth <= share.high
    assert inside >= 34  # 38 of 40 on average


def test_rounds_divide_otherwise_and_are_repeatable() -> None:
    photos = pool(60)
    first, second = cross_validate(photos, QUICK, 2)
    again = cross_validate(photos, QUICK, 2)
    assert not np.array_equal(first.scored.fold, second.scored.fold)
    for one, other in zip((first, second), again, strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)
        assert np.array_equal(one.unknown, other.unknown)


def test_each_fold_prunes_by_its_own_photos() -> None:
    photos = pool(90, apart=4.0)
    wrong = photos.examples.labels.copy()
    wrong[:3] = (wrong[:3] + 1) % 3  # labelled as another class
    listed = [
        dataclasses.replace(photo, label=NAMES[label])
        for photo, label in zip(photos.photos, wrong.tolist(), strict=True)
    ]
    mistaken = dataclasses.replace(
        photos, photos=listed, examples=Examples(photos.examples.vectors, wrong)
    )
    (found,) = cross_validate(mistaken, QUICK, 1)
    for number, learned in enumerate(found.learned):
        assert not learned[:3].any()
        assert (learned | (found.scored.fold == number))[3:].all()
    # They are asked about all the same, and count as mistakes.
    assert not (found.probabilities.argmax(axis=1) == wrong)[:3].any()
    # What a person kept stays.
    kept = [dataclasses.replace(photo, flags=(KEPT_BY_HAND,)) for photo in listed]
    assert dataclasses.replace(mistaken, photos=kept).pruned(np.ones(90, bool)).all()


def test_temperature_and_rule_of_a_fold_do_not_depend_on_its_labels() -> None:
    photos = pool(90, apart=1.0)
    (before,) = cross_validate(photos, QUICK, 1)
    asked = before.scored.fold == 0
    # Another division of the same groups is no concern here: labels change within one fold only.
    labels = photos.examples.labels.copy()
    labels[asked] = np.roll(labels[asked], 1)
    changed = dataclasses.replace(photos, examples=Examples(photos.examples.vectors, labels))
    fold = before.scored.fold
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validation.calibrate, "folds", lambda *_, **__: fold)
        (after,) = cross_validate(changed, QUICK, 1)
    assert np.array_equal(before.probabilities[asked], after.probabilities[asked])
    assert np.array_equal(before.unknown[asked], after.unknown[asked])
    assert not np.array_equal(before.probabilities[~asked], after.probabilities[~asked])


@pytest.mark.parametrize(
    ("groups", "folds", "calibrated"), [(5, 5, True), (3, 3, True), (2, 2, False), (1, 0, False)]
)
def test_small_classes(groups: int, folds: int, calibrated: bool) -> None:
    photos = pool(3 * groups)
    rounds = cross_validate(photos, QUICK, 2)
    assert len(rounds) == (2 if folds else 0)
    for found in rounds:
        assert int(found.scored.fold.max()) + 1 == folds
        assert np.isfinite(found.probabilities).all()
        assert calibrated or (found.temperature == 1).all()
        assert (found.unknown is not None) == calibrated


def test_final_head_is_calibrated_where_what_is_left_of_a_class_is_in_one_fold() -> None:
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(3, 32)) * 3
    # Of the first class all but one group look like the third, and are pruned.
    rows = [("a", "one", 0)] * 8 + [("a", "two", 2), ("a", "three", 2)]
    rows += [(label, f"{label}{n}", "abc".index(label)) for label in "bc" for n in range(10)]
    photos = Pool(
        [Photo(label, group=group, sha256=f"{n:064x}") for n, (label, group, _) in enumerate(rows)],
        Examples(
            np.array([centres[look] + 0.3 * draw.normal(size=32) for *_, look in rows], np.float32),
            np.array(["abc".index(label) for label, *_ in rows]),
        ),
        [],
        3,
        np.ones(len(rows), bool),
    )
    rounds = cross_validate(photos, QUICK, 1)
    assert not photos.pruned(photos.in_dataset)[8:10].any()
    trained = final.calibrated(final.train(photos, QUICK), photos, QUICK, rounds)
    assert len(trained.learned) == len(rows) - 2
    assert trained.calibration is None  # one group is left of the class: nothing can be held out


@pytest.mark.parametrize(
    ("photos", "wanted", "made"),
    [
        (0, 3, 0),
        (60, 0, 0),
        (60, 3, 3),
        (400, 3, 2),
        (390, 3, 3),
        (666, 3, 2),
        (667, 3, 1),
        (1000, 3, 1),
        (3000, 3, 1),
        (3001, 3, 0),
    ],
)
def test_large_sets_need_fewer_rounds(photos: int, wanted: int, made: int) -> None:
    assert rounds_for(photos, wanted) == made


def test_final_head_learns_from_all_but_what_curation_left_out() -> None:
    photos = pool(60, copies=2)
    outside = dataclasses.replace(photos, in_dataset=np.arange(60) < 55)
    rounds = cross_validate(outside, QUICK, 1)
    trained = final.calibrated(final.train(outside, QUICK), outside, QUICK, rounds)
    assert [photo.sha256 for photo in trained.learned] == [p.sha256 for p in photos.photos[:55]]
    assert len(trained.vectors) == len(trained.scored) == 55
    # Those left out are asked about.
    assert len(rounds[0].probabilities) == 60
    assert trained.calibration is not None
    assert trained.calibration.photos == 55


@pytest.mark.parametrize("rounds", [0, 1])
def test_final_head_is_calibrated_by_heads_that_had_not_seen_the_photos(rounds: int) -> None:
    photos = pool(60, apart=1.0)
    trained = final.calibrated(
        final.train(photos, QUICK), photos, QUICK, cross_validate(photos, QUICK, rounds)
    )
    assert trained.found is not None
    for number, head in enumerate(trained.found.heads):
        rows = trained.found.fold == number
        expected = head.logits(photos.examples.vectors[rows])
        assert np.allclose(trained.found.logits[rows], expected)
    own = trained.head.logits(photos.examples.vectors).argmax(axis=1) == photos.examples.labels
    others = trained.found.logits.argmax(axis=1) == photos.examples.labels
    assert others.mean() < own.mean()


def test_photos_left_out_without_bottlenecks_are_not_measured_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draw = np.random.default_rng(0)
    with DatasetWriter(tmp_path / "dataset") as writer:
        for number in range(12):
            label, part = "ab"[number % 2], ("training", "validation", "test")[number // 4]
            writer.add(Photo(label, split=part, group=str(number)), bytes([number]) * 600)
        writer.leave_out(Photo("a", sha256="f" * 64, group="gone"))
        writer.leave_out(Photo("b", sha256="e" * 64, group="here"))
    dataset = Dataset(tmp_path / "dataset")
    known = [*(photo.sha256 for photo in dataset.photos), "e" * 64]
    vectors = Bottlenecks(
        tuple(known),
        draw.normal(size=(len(known), 8)).astype(np.float32),
        np.zeros((len(known), 1000), np.float16),
        np.zeros((len(known), 1024), np.uint8),
        BackboneKey("mobilenet_1.0_224", 224, "0" * 64),
    )
    material = Material(
        dataset,
        vectors,
        learned_photos(dataset.photos),
        examples(dataset.photos, dataset.labels, vectors),
        Distortions(),
        [],
    )
    made = Pool.of(material)
    assert [photo.sha256 for photo in made.photos[12:]] == ["e" * 64]
    assert made.in_dataset.tolist() == [True] * 12 + [False]
    assert [photo.split for photo in made.photos[:12]] == [
        *["training"] * 4,
        *["validation"] * 4,
        *["test"] * 4,
    ]
    assert "1 of the photos that curation left out have no bottlenecks" in caplog.text
