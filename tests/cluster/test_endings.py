"""Runs that fail, wait or are ended, and what `submit` says of them on a real cluster."""

from pathlib import Path
from typing import Any

import pytest
from cluster.kube import until
from cluster.runs import Kfp, with_resources

from components import settings

PENDING_S = 420.0  # two minutes after the pod of the first step was asked for
MOST_TRIES = 3  # what Argo is told; groups of steps are not tried again
ABSENT = "wild-mushrooms/absent:0"


def test_out_of_memory(kfp: Kfp, tmp_path: Path, record_property: Any) -> None:
    started = kfp.start(
        tmp_path,
        "--no-caching",
        name="starved",
        by_page=False,
        settings=with_resources("download", memory=("32M",) * 3, most="32M", retries=0),
    )
    done = started.wait()
    done.check(1)
    tries = kfp.cluster.pods_of_step(done.run_id, "download")
    record_property("measured", f"{done.seconds:.0f} s, {len(tries)} tries")
    assert 1 <= len(tries) <= MOST_TRIES
    assert "step download failed: it was killed for memory (OOMKilled)" in done.text
    assert "--size medium" in done.text


def test_cancelled(kfp: Kfp, tmp_path: Path) -> None:
    started = kfp.start(tmp_path, "--no-caching", name="cancelled")
    run_id = started.run_id()
    until("download's pod", lambda: kfp.cluster.pod_of(run_id, "download"), 600)
    kfp.terminate(run_id)
    done = started.wait()
    done.check(3)
    assert "the run was cancelled" in done.text
    assert "failed" not in done.text


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            with_resources("download", cpu="100000"),
            r"no node takes its pod \(Unschedulable\): .*Insufficient cpu",
            id="no room",
        ),
        pytest.param(
            f"settings.DATA_IMAGE = {ABSENT!r}",
            r"its image cannot be pulled \((ErrImagePull|ImagePullBackOff)\)",
            id="no image",
        ),
    ],
)
def test_a_pod_that_cannot_begin(kfp: Kfp, tmp_path: Path, changed: str, expected: str) -> None:
    started = kfp.start(tmp_path, "--no-caching", name="waiting", by_page=False, settings=changed)
    run_id = started.run_id()
    try:
        waits = "step download has waited for its pod for more than two minutes: "
        assert started.said(waits + expected, PENDING_S)
        assert started.interrupt() == 130
        assert "the run continues" in started.text
        assert kfp.state(run_id) == "RUNNING"
    finally:
        kfp.terminate(run_id)
    assert kfp.ended(run_id, 300) == "FAILED"


def test_a_gpu_is_asked_for(kfp: Kfp, tmp_path: Path, record_property: Any) -> None:
    """With one, the run succeeds; without, the step waits, and the reason is said."""
    started = kfp.start(
        tmp_path,
        *("--gpu", "--gpu_node_selector", "nvidia.com/gpu.present=true"),
        *("--fine_tune_steps", "5"),
        name="gpu",
        by_page=False,
    )
    run_id = started.run_id()
    nodes = kfp.cluster.call("get", "nodes", "--output=jsonpath={.items[*].status.allocatable}")
    if settings.ClusterOptions().accelerator in nodes:
        started.wait().check(0)
        record_property("measured", "on a GPU")
        return
    try:
        waits = "step retrain has waited for its pod for more than two minutes: "
        told = started.said(f"{waits}(no node takes its pod|its pod was not created).*", 1500)
        # Of overlays/kind's quota, or by the scheduler where there is none.
        assert "requested: requests.nvidia.com/gpu=1" in told or "node affinity/selector" in told
        record_property("measured", f"no GPU here: {told.removeprefix(waits)[:60]}…")
        started.interrupt()
    finally:
        kfp.terminate(run_id)


def test_the_store_is_away_while_a_step_ends(
    kfp: Kfp, tmp_path: Path, disturbing: None, record_property: Any
) -> None:
    """KFP's launcher gives up after 23 s: with retryPolicy Always the step is tried again."""
    started = kfp.start(tmp_path, "--no-caching", name="store", by_page=False)
    run_id = started.run_id()
    until("clean's pod", lambda: kfp.cluster.pod_of(run_id, "clean"), 900, 0.5)
    with kfp.store.away():
        until("clean's end", lambda: kfp.cluster.pod_of(run_id, "clean") is None, 300)
    done = started.wait()
    record_property("measured", f"{done.seconds:.0f} s")
    if "k8s/workflow-defaults.yaml" in done.text:  # a stock KFP, and it is said
        done.check(1)
        assert "clean failed" in done.text
    else:
        done.check(0)
