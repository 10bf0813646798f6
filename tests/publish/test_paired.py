"""The paired figures: against their definitions, and against scipy."""

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from scipy.stats import binomtest

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.model.model import Model
from components.publish.paired import Answer, Comparison, answers, beside, tally, unseen


def test_tally_counts_the_four_ways() -> None:
    champion = [Answer(right) for right in (True, True, True, False, False, False)]
    challenger = [Answer(right) for right in (True, True, False, True, False, False)]
    assert tally(champion, challenger) == (2, 1, 1)


@pytest.mark.parametrize(("champion", "challenger"), [(0, 0), (3, 0), (7, 2), (4, 4), (40, 21)])
def test_p_value_is_mcnemar_s_exact_one(champion: int, challenger: int) -> None:
    compared = Comparison(200, 100, champion, challenger)
    tosses = champion + challenger
    expected = binomtest(champion, tosses).pvalue if tosses else 1.0
    assert compared.p_value == pytest.approx(expected)


def test_interval_is_agresti_s_and_min_s() -> None:
    # 0.5 in each cell: 12.5 and 4.5 of 102 disagree, so the centre is 8 / 102 and the variance
    # (17 - 64 / 102) / 102 ** 2.
    low, high = Comparison(100, 70, 12, 4).interval
    half = 1.959964 * (17 - 64 / 102) ** 0.5 / 102
    assert (low, high) == pytest.approx((-8 / 102 - half, -8 / 102 + half))


def test_interval_covers_the_true_difference() -> None:
    # All tables that 20 photos can give, weighted by how likely they are where the models are right
    # alone on 30 % and 15 %.
    from math import comb

    covered = 0.0
    for old in range(21):
        for new in range(21 - old):
            rest = 20 - old - new
            likely = comb(20, old) * comb(20 - old, new) * 0.3**old * 0.15**new * 0.55**rest
            low, high = Comparison(20, rest, old, new).interval
            covered += likely if low <= -0.15 <= high else 0
    assert 0.94 < covered < 0.98


def test_models_that_never_disagree_still_have_an_interval() -> None:
    low, high = Comparison(28, 20, 0, 0).interval
    assert low == pytest.approx(-high)
    assert 0.04 < high < 0.1


def test_no_photo_tells_nothing() -> None:
    nothing = Comparison(0, 0, 0, 0)
    assert (nothing.difference, nothing.interval, nothing.p_value) == (0.0, (-1.0, 1.0), 1.0)


def test_photos_that_a_model_was_made_of_and_their_groups_are_left_out(sample_run: Run) -> None:
    model = sample_run.directory / "model"
    learned = next(
        photo
        for photo in Dataset(sample_run.directory / "training").photos
        if photo.split == "training"
    )
    demo = Dataset(sample_run.directory / "demo").photos
    specimen = dataclasses.replace(demo[0], group=learned.group)
    no_group = Photo("fly agaric", sha256="f" * 64)
    assert unseen([learned, specimen, *demo[1:], no_group], [model]) == [*demo[1:], no_group]


def test_model_that_does_not_say_what_it_was_made_of_is_no_match(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a model directory"):
        unseen([Photo("a", sha256="0" * 64)], [tmp_path])


def test_photo_of_a_class_that_the_model_does_not_know_counts_as_wrong(sample_run: Run) -> None:
    dataset = Dataset(sample_run.directory / "demo")
    model = Model(sample_run.directory / "model")
    labels = sorted({*model.classes, "porcini"})
    known = list(answers(model, dataset, dataset.photos, labels, "known"))
    assert any(one.right for one, _ in known)
    likeliest = [one.closest for one, _ in known]
    assert likeliest == [labels[row.argmax()] for _, row in known]
    true = [photo.label for photo in dataset.photos]
    right = [said == label for said, label in zip(likeliest, true, strict=True)]
    assert [one.right for one, _ in known] == right
    others = [dataclasses.replace(photo, label="porcini") for photo in dataset.photos]
    assert not any(one.right for one, _ in answers(model, dataset, others, labels, "others"))


def test_answers_of_a_second_model_keep_no_row_of_probabilities() -> None:
    classes, photos = 500, 2_000
    row = np.zeros(classes, np.float32)
    row[0] = 1
    shown = ((Answer(False, "a", 1.0), row.copy()) for _ in range(photos))
    tracemalloc.start()
    try:
        kept, distances = beside(shown, [row[::-1]] * photos)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(kept), set(distances)) == (photos, {1.0})
    assert peak < 1_000_000  # of 4 MB if each were kept


def test_p_value_of_many_disagreements() -> None:
    # Math.comb for each count took 18 s for the second.
    assert Comparison(10**5, 0, 1_450, 1_550).p_value == pytest.approx(binomtest(1450, 3000).pvalue)
    assert Comparison(10**5, 0, 4_900, 5_100).p_value == pytest.approx(
        binomtest(4900, 10_000).pvalue
    )
