"""Shares and their intervals, and the mean of shares."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from components.common.base.shares import Share, mean

SETS = 2000  # simulated, of each kind


@pytest.mark.parametrize("total", [1, 2, 7, 40, 1000])
def test_intervals_are_wilson_s(total: int) -> None:
    for count in {0, 1, total // 2, total - 1, total}:
        expected = binomtest(count, total).proportion_ci(method="wilson")
        found = Share.of(count, total)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_nothing_nothing_is_known() -> None:
    assert (Share.of(0, 0).low, Share.of(0, 0).high) == (0, 1)
    assert mean([]) == (0, 0, 1)


@pytest.mark.parametrize(("count", "total"), [(0, 7), (1, 7), (7, 9), (9, 9), (81, 263)])
def test_corrected_bounds_are_those_with_continuity_correction(count: int, total: int) -> None:
    expected = binomtest(count, total).proportion_ci(method="wilsoncc")
    found = Share.of(count, total).corrected
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_mean_of_one_share_has_its_interval() -> None:
    share = Share.of(7, 9)
    assert mean([share]) == pytest.approx((share.value, share.low, share.high))


def test_groups_of_one_photo_are_independent_photos() -> None:
    assert Share.of_groups([(1, 1)] * 7 + [(0, 1)] * 2) == Share.of(7, 9)
    assert Share.of_groups([]) == Share.of(0, 0)
    assert Share.of(7, 9).effective == 9


def test_photos_that_are_all_right_count_as_their_groups() -> None:
    whole = Share.of_groups([(5, 5)] * 20)
    assert (whole.value, whole.effective) == (1, pytest.approx(20))
    assert whole.low == pytest.approx(Share.of(20, 20).low)


def test_more_disagreement_within_groups_makes_more_of_the_photos_count() -> None:
    together = Share.of_groups([(4, 4)] * 8 + [(0, 4)] * 2)
    mixed = Share.of_groups([(4, 4)] * 6 + [(2, 4)] * 4)
    apart = Share.of_groups([(4, 4)] * 2 + [(3, 4)] * 8)
    assert {share.count for share in (together, mixed, apart)} == {32}
    assert together.effective == pytest.approx(10)
    assert 10 < mixed.effective < apart.effective <= 40
    assert together.low < mixed.low < apart.low
    # Fewer agree than would by chance: no more than independent.
    assert Share.of_groups([(1, 2)] * 20).effective == 40


# Mean width of the interval by number of photos, as docs/training.md states it.
DOCS = Path(__file__).parents[3] / "docs" / "training.md"
WIDTHS = {
    int(photos.replace(",", "")): float(width)
    for photos, width in re.findall(
        r"^ *\| ([\d,]+) photos \| (0\.\d\d) \|$", DOCS.read_text(encoding="utf-8"), re.M
    )
}


def test_docs_state_widths() -> None:
    assert sorted(WIDTHS) == [14, 42, 85, 250, 1000]


@pytest.mark.parametrize("photos", WIDTHS)
def test_interval_holds_the_true_accuracy_as_often_as_it_says(photos: int) -> None:
    draw = np.random.default_rng(photos)
    held, widths = 0, []
    for _ in range(SETS):
        classes, middle = int(draw.integers(2, 10)), draw.uniform(0.6, 0.95)
        truth, of_class = drawn_classes(draw, photos, classes, middle)
        share = Share.of(int(draw.binomial(of_class, truth).sum()), photos)
        held += share.low <= float(truth @ of_class) / photos <= share.high
        widths.append(share.high - share.low)
    assert held / SETS >= 0.93
    assert np.mean(widths) == pytest.approx(WIDTHS[photos], abs=0.005)


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.6), (0.6, 0.95), (0.9, 0.99)])
@pytest.mark.parametrize(
    ("photos", "classes", "often"),
    [
        *[(28, 2, 0.93), (28, 5, 0.93), (42, 3, 0.93), (42, 9, 0.93), (85, 9, 0.93)],
        *[(250, 5, 0.93), (250, 9, 0.93), (250, 30, 0.91)],
    ],
)
def test_interval_of_the_macro_recall_holds_the_true_one_as_often_as_it_says(
    photos: int, classes: int, often: float, low: float, high: float
) -> None:
    draw = np.random.default_rng(photos)
    held = 0
    for _ in range(SETS):
        truth, of_class = drawn_classes(draw, photos, classes, draw.uniform(low, high))
        right = draw.binomial(of_class, truth)
        shares = [Share.of(*pair) for pair in zip(right.tolist(), of_class.tolist(), strict=True)]
        _, least, most = mean(shares)
        held += least <= truth.mean() <= most
    assert held / SETS >= often


def drawn_classes(
    draw: np.random.Generator, photos: int, classes: int, middle: float
) -> tuple[np.ndarray, np.ndarray]:
    """True accuracies of classes, about `middle` in the mean, and how many photos are of each."""
    truth = draw.beta(8 * middle, 8 * (1 - middle), classes)
    shares = draw.dirichlet(np.full(classes, 5.0))
    return truth, 1 + draw.multinomial(photos - classes, shares)


# Groups, photos of one, and how alike they are: the correlation of right and wrong within a group.
CLUSTERED = [
    (groups, sizes, correlation)
    for groups, sizes in ((15, (1, 5)), (30, (1, 2, 3)), (40, (1, 1, 6)), (60, (5,)))
    for correlation in (0.0, 0.3, 0.6, 1.0)
]


@pytest.mark.parametrize(("groups", "sizes", "correlation"), CLUSTERED)
def test_interval_of_groups_holds_the_true_accuracy_as_often_as_it_says(
    groups: int, sizes: tuple[int, ...], correlation: float
) -> None:
    draw = np.random.default_rng(0)
    held = careless = 0
    for _ in range(SETS):
        truth = draw.uniform(0.5, 0.97)
        members = draw.choice(sizes, groups)
        right = draw.binomial(members, likelihoods(draw, truth, groups, correlation))
        share = Share.of_groups(list(zip(right.tolist(), members.tolist(), strict=True)))
        plain = Share.of(share.count, share.total)
        held += share.low <= truth <= share.high
        careless += plain.low <= truth <= plain.high
    assert held / SETS >= 0.93
    if correlation >= 0.3:  # what would be said without a look at the groups
        assert careless / SETS < 0.93


def likelihoods(
    draw: np.random.Generator, truth: float, groups: int, correlation: float
) -> np.ndarray:
    """How likely each group's photos are right, of mean `truth`."""
    if correlation in (0, 1):
        return np.full(groups, truth) if not correlation else (draw.random(groups) < truth) * 1.0
    spread = 1 / correlation - 1
    return draw.beta(truth * spread, (1 - truth) * spread, groups)


@pytest.mark.parametrize("truth", [(0.9, 0.9, 0.9), (0.95, 0.4), (0.99, 0.8, 0.6, 0.3)])
def test_interval_of_the_mean_holds_it_as_often_as_it_says(truth: tuple[float, ...]) -> None:
    draw = np.random.default_rng(0)
    sizes = (40, 6, 12, 9)[: len(truth)]
    held = 0
    for _ in range(SETS):
        shares = [Share.of(int(draw.binomial(n, p)), n) for n, p in zip(sizes, truth, strict=True)]
        _, low, high = mean(shares)
        held += low <= np.mean(truth) <= high
    assert held / SETS >= 0.93
