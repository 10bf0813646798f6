"""The benchmark of a million photos, of a few hundred: what it plants, and what it counts."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import made_up, million
from benchmarks.made_up import KINDS, ORIGINAL, REAL, Maker, Plan, Real
from components.common.network.backbone import BackboneKey
from components.common.network.bottlenecks import Bottlenecks
from components.curate import selection

PHOTOS = 24


@pytest.fixture(scope="module")
def real() -> Real:
    """Stands for the vectors of real photos and of their copies."""
    draw = np.random.default_rng(0)
    originals = np.maximum(draw.normal(0.5, 1, (PHOTOS, 128)), 0)
    vectors = [originals]
    vectors += [np.maximum(originals + draw.normal(0, 0.3, originals.shape), 0) for _ in KINDS]
    count = PHOTOS * len(vectors)
    prints = made_up.pictures(PHOTOS, draw)
    found = Bottlenecks(
        tuple(map(made_up.sha256_of, range(count))),
        np.concatenate(vectors).astype(np.float32),
        np.zeros((count, 1000), np.float16),
        np.tile(prints.reshape(PHOTOS, -1), (len(vectors), 1)),
        BackboneKey("mobilenet_1.0_224", 224, "0" * 64),
    )
    return Real(["real a", "real b"] * (PHOTOS // 2), found)


@pytest.mark.parametrize("count", [600, 2_400])
def test_every_tenth_photo_is_a_copy_of_one_before_it(real: Real, count: int) -> None:
    plan = Plan.of(count, real)
    assert plan.real == (0 if count == 600 else PHOTOS * 5)
    rows = np.arange(count)
    made = rows >= plan.real
    assert np.array_equal(plan.roots == rows, ~plan.is_copy)
    assert not plan.is_copy[plan.roots].any()
    assert (plan.is_copy & made).sum() == round((count - plan.real) / 10)
    assert set(plan.kinds.tolist()) == {ORIGINAL, *KINDS, *(REAL if plan.real else ())}
    moved = plan.labels != plan.labels[plan.roots]
    assert moved.sum() <= 0.1 * plan.is_copy.sum()
    photos = plan.photos()
    assert len({photo.sha256 for photo in photos}) == count
    assert [photo.label for photo in photos] == plan.labels.tolist()
    observed = [photo.observation for photo in photos if photo.observation]
    assert 0.2 < len(observed) / count < 0.35
    assert max(map(observed.count, observed)) == made_up.TOGETHER


def test_made_up_vectors_have_the_values_and_cosines_of_real_ones(real: Real) -> None:
    maker, draw = Maker(real), np.random.default_rng(0)
    points = draw.standard_normal((200, maker.dimensions), np.float32)
    found, known = maker.originals(points, draw), real.vectors[0]
    assert found.min() == 0
    assert (found == 0).mean() == pytest.approx((known == 0).mean(), abs=0.05)
    cosines = []
    for rows in (found, known):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines.append((rows @ rows.T)[np.triu_indices(len(rows), 1)].mean())
    assert cosines[0] == pytest.approx(cosines[1], abs=0.05)


def test_planted_copies_are_counted(real: Real, tmp_path: Path) -> None:
    plan = Plan.of(1_300, real)
    plan.save(tmp_path)
    made_up.write(tmp_path / "bottlenecks", plan, real)
    assert {path.name for path in tmp_path.iterdir()} == {"bottlenecks", made_up.PLAN}
    before = selection.near_copies
    found = million.measure(tmp_path, Plan.load(tmp_path))
    assert selection.near_copies is before
    assert (found["found"]["resized"], found["found"]["turned"]) == (1, 1)
    assert all(0.4 < share <= 1 for share in found["found"].values())
    assert found["wrong"] == 0
    assert found["peak_mb"] >= found["anonymous_mb"] > 10
    text = "\n".join(million.lines(1_300, million.ALL_PAIRS, found))
    assert "    1,300 photos, all pairs compared: " in text
    assert "turned 1.0000" in text
