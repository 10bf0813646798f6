"""The simulation of a run: what it must say where that can be reckoned by hand."""

import pytest

from benchmarks import scale
from benchmarks.scale import HERE, Cluster, Line, fitted, simulate

STEPS = {
    "clean": Line(1, 0.001),
    "bottleneck": Line(2, 0.003),
    "curate": Line(3, 0.0001),
    **{step: Line(10, 0) for step in scale.AFTER if step != "curate"},
}


def test_on_one_machine_the_parts_come_one_after_another() -> None:
    told = simulate(STEPS, 10_000, 4, HERE, 1_250)
    assert told["parts"] == pytest.approx(4 * (1 + 2) + 10_000 * 0.004)
    assert told["curate"] == pytest.approx(3 + 1)
    assert sum(told[step] for step in scale.AFTER[1:]) == pytest.approx(50)


@pytest.mark.parametrize(("nodes", "parts", "rounds"), [(1, 1, 1), (4, 4, 1), (4, 6, 2), (3, 4, 2)])
def test_nodes_share_the_parts(nodes: int, parts: int, rounds: int) -> None:
    cluster = Cluster(nodes, bytes_per_s=float("inf"), pod_s=20, loop_s=0)
    told = simulate(STEPS, 1_200, parts, cluster, 100)
    each = (20 + 1 + 0.001 * 1_200 / parts) + (20 + 2 + 0.003 * 1_200 / parts)
    longest = rounds * each
    assert longest * 0.75 <= told["parts"] <= longest


def test_what_is_moved_takes_time_and_more_nodes_move_more() -> None:
    fast, slow = (
        simulate(STEPS, 100_000, 8, Cluster(4, bytes_per_s=speed), 1_250) for speed in (1e9, 1e8)
    )
    assert all(slow[step] >= fast[step] for step in slow)
    moved = 100_000 * (scale.ROW_BYTES + scale.VECTOR_BYTES) + 1_250 * 2 * scale.PHOTO_BYTES
    assert slow["curate"] - fast["curate"] == pytest.approx(moved / 1e8 - moved / 1e9)


def test_two_runs_give_the_line_of_each_step() -> None:
    counts = [{"clean": 100, "retrain": 50}, {"clean": 300, "retrain": 50}]
    lines = fitted({"clean": 2.0, "retrain": 7.0}, {"clean": 4.0, "retrain": 8.0}, counts)
    assert lines["clean"].start == pytest.approx(1)
    assert lines["clean"].each == pytest.approx(0.01)
    assert lines["retrain"] == Line(7.0, 0.0)
    assert lines["clean"].of(500) == pytest.approx(6)
