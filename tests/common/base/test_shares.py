"""Shares and their intervals, and the mean of shares."""

import numpy as np
import pytest
from scipy.stats import binomtest

from components.common.base.shares import Share, mean


@pytest.mark.parametrize("total", [1, 2, 7, 40, 1000])
def test_intervals_are_wilson_s(total: int) -> None:
    for count in {0, 1, total // 2, total - 1, total}:
        expected = binomtest(count, total).proportion_ci(method="wilson")
        found = Share.of(count, total)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_nothing_nothing_is_known() -> None:
    assert (Share.of(0, 0).low, Share.of(0, 0).high) == (0, 1)
    assert mean([]) == (0, 0, 1)


def test_mean_of_one_share_has_its_interval() -> None:
    share = Share.of(7, 9)
    assert mean([share]) == pytest.approx((share.value, share.low, share.high))


@pytest.mark.parametrize("truth", [(0.9, 0.9, 0.9), (0.95, 0.4), (0.99, 0.8, 0.6, 0.3)])
def test_interval_of_the_mean_holds_it_as_often_as_it_says(truth: tuple[float, ...]) -> None:
    draw = np.random.default_rng(0)
    sizes = (40, 6, 12, 9)[: len(truth)]
    held = 0
    for _ in range(2000):
        shares = [Share.of(int(draw.binomial(n, p)), n) for n, p in zip(sizes, truth, strict=True)]
        _, low, high = mean(shares)
        held += low <= np.mean(truth) <= high
    assert held / 2000 >= 0.93
