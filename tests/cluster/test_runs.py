"""Runs that succeed, from the first to a recurring one, on a real Kubeflow Pipelines."""

import datetime
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cluster.kube import BUCKET, KFP_NAMESPACE, Cluster, until
from cluster.photo_site import PhotoSite
from cluster.runs import Ended, Kfp

from components import settings
from components.download.sample.render import LABELS, render_class
from programs.compile.graph import PIPELINE_NAME
from programs.run.display import STEPS

PODS_OF_SAMPLE = 22  # KFP's driver and ours for each of ten steps, and one for the whole
REPORTS = ("/report", "/gallery", "/curation", "/curves")
ACCOUNT = "wild-mushrooms"
# Rendered photos of one's own: as many as a run needs, and no more.
OWN_PHOTOS = 35
LATE_S = 100.0  # after which pods were not made anew once


@pytest.fixture(scope="module")
def sample(kfp: Kfp, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The rendered sample, run as the first command of the docs does it."""
    done = kfp.run(tmp_path_factory.mktemp("sample"), *sample_options(kfp), name="sample")
    done.check(0)
    return done


def sample_options(kfp: Kfp) -> list[str]:
    """A seed that no run had before, so that nothing comes from the cache; least rights."""
    account = ["--service_account", ACCOUNT] if has_account(kfp.cluster) else []
    return ["--seed", str(int(kfp.mark[-6:], 16)), *account]


def has_account(cluster: Cluster) -> bool:
    return cluster.has("serviceaccount", ACCOUNT, KFP_NAMESPACE)


def summary_of(kfp: Kfp, run_id: str) -> str:
    return kfp.text_of(run_id, "/summary")


def test_sample(kfp: Kfp, sample: Ended, record_property: Any) -> None:
    record_property("measured", kfp.measured(sample.run_id))
    assert "succeeded after" in sample.text
    pods = kfp.cluster.pods_of_run(sample.run_id)
    assert 0 < len(pods) <= PODS_OF_SAMPLE
    names = kfp.artifacts(sample.run_id)
    for report in REPORTS:
        (file,) = (name for name in names if name.endswith(report))
        assert b"<html" in kfp.page_shows(file)[:500].lower(), report
    told = summary_of(kfp, sample.run_id)
    assert "accuracy" in told.lower()
    assert "failed" not in told
    published = kfp.store.names(f"mushrooms/published/sample-{kfp.mark}/")
    assert any(name.endswith("MODEL_CARD.md") for name in published), published


def test_least_rights(kfp: Kfp, sample: Ended, record_property: Any) -> None:
    if not has_account(kfp.cluster):
        pytest.skip(f"no service account {ACCOUNT} in {KFP_NAMESPACE}: apply an overlay of k8s/")
    pods = kfp.cluster.pods_of_run(sample.run_id)
    assert {pod["spec"]["serviceAccountName"] for pod in pods} == {ACCOUNT}
    ours = [pod for pod in pods if settings.COMPONENT_LABEL in pod["metadata"]["labels"]]
    for pod in ours:
        context = pod["spec"]["securityContext"]
        (main,) = (part for part in pod["spec"]["containers"] if part["name"] == "main")
        merged = {**context, **main.get("securityContext", {})}
        assert merged["runAsUser"] == settings.USER
        assert merged["runAsNonRoot"] is True
        assert merged["allowPrivilegeEscalation"] is False
        assert merged["capabilities"]["drop"] == ["ALL"]
    record_property("measured", f"{len(pods)} pods as {ACCOUNT}, {len(ours)} of them steps")


def test_from_the_cache(kfp: Kfp, sample: Ended, tmp_path: Path, record_property: Any) -> None:
    done = kfp.run(tmp_path, *sample_options(kfp), name="sample")
    done.check(0)
    record_property("measured", kfp.measured(done.run_id))
    # All but publish, which looks at what is published, and the summary.
    assert kfp.cached_steps(done.run_id) >= len(STEPS) - 1
    assert "accuracy" in summary_of(kfp, done.run_id).lower()


def test_own_photos_in_parts(kfp: Kfp, tmp_path: Path, record_property: Any) -> None:
    images = own_photos(tmp_path / "photos", LABELS[:3])
    done = kfp.run(tmp_path, "--parts", "2", name="own", images=images)
    done.check(0)
    record_property("measured", kfp.measured(done.run_id))
    assert "uploaded" in done.text
    assert "accuracy" in summary_of(kfp, done.run_id).lower()


def own_photos(folder: Path, classes: tuple[str, ...]) -> Path:
    for label in classes:
        (folder / label).mkdir(parents=True)
        for photo in render_class(label, OWN_PHOTOS, seed=11):
            if photo.fault is None:
                (folder / label / photo.name).write_bytes(photo.data)
    return folder


def test_a_class_that_fails_and_a_rerun_and_one_more_species(
    kfp: Kfp, site: PhotoSite, tmp_path: Path, record_property: Any
) -> None:
    first, second, third, fourth = LABELS[:4]
    site.open(first, second)

    def run(*labels: str, by_page: bool = False) -> Ended:
        file = site.write_list(tmp_path / "list.csv", *labels)
        options = ["--source", "urls", "--url_list", str(file), "--allow_private_hosts", site.host]
        return kfp.run(tmp_path, *options, name="fetched", by_page=by_page)

    # The page hands out the log of the failed step, too.
    failed = run(first, second, third, by_page=True)
    failed.check(1)
    assert "step download failed" in failed.text
    assert f"download: error: {third}" in failed.text or third in failed.text.split("error:")[-1]
    asked = len(site.asked())
    assert asked >= 2
    # The class is there now: photos of the others are not asked for again.
    site.open(third)
    rerun = run(first, second, third)
    rerun.check(0)
    assert set(site.asked()[asked:]) == {third}
    asked = len(site.asked())
    site.open(fourth)
    more = run(first, second, third, fourth)
    more.check(0)
    assert set(site.asked()[asked:]) == {fourth}
    seconds = " / ".join(f"{done.seconds:.0f} s" for done in (failed, rerun, more))
    record_property("measured", f"failed, rerun, one more: {seconds}")


def test_a_pod_that_is_deleted_at_once_and_late(
    kfp: Kfp, tmp_path: Path, record_property: Any
) -> None:
    """Of `retrain`: the second time from its first checkpoint, and later than a short patience."""
    place = f"mushrooms-{kfp.mark}/checkpoints"
    steps = ["--fine_tune_steps", "120", "--checkpoint_interval", "10"]
    started = kfp.start(
        tmp_path, *steps, "--checkpoint_path", f"s3://{BUCKET}/{place}", name="deleted"
    )
    run_id = started.run_id()

    def running() -> str | None:
        return kfp.cluster.pod_of(run_id, "retrain")

    def delete(pod: str) -> None:
        kfp.cluster.in_kfp("delete", "pod", pod, "--grace-period=0", "--force")
        until("the pod's end", lambda: running() != pod, 60)

    delete(until("retrain's pod", running, 900))
    begun = time.monotonic()
    until("a checkpoint", lambda: kfp.store.names(place), 900, 5)
    time.sleep(max(0.0, LATE_S - (time.monotonic() - begun)))
    delete(until("retrain's pod", running, 10))
    done = started.wait()
    done.check(0)
    assert any("Fine-tuning continues after step" in log for log in kfp.step_logs(run_id).values())
    record_property("measured", kfp.measured(run_id))


def test_a_recurring_run_without_a_single_parameter(kfp: Kfp, record_property: Any) -> None:
    """As the page makes one: the pipeline's newest version, with its own defaults but the name."""
    pipelines = kfp.ask("pipelines?page_size=200")["pipelines"]
    (pipeline,) = (one for one in pipelines if one["display_name"] == PIPELINE_NAME)
    versions = kfp.ask(f"pipelines/{pipeline['pipeline_id']}/versions?page_size=200")
    version = next(
        one
        for one in sorted(
            versions["pipeline_versions"], key=lambda one: one["created_at"], reverse=True
        )
        if "dataset_uri" not in json.dumps(one["pipeline_spec"]["pipeline_spec"]["root"])
        and "-continued-" not in one["display_name"]
    )
    experiment = kfp.ask("experiments", {"display_name": f"recurring-{kfp.mark}"})
    now = datetime.datetime.now(datetime.UTC)
    body = {
        "display_name": f"recurring-{kfp.mark}",
        "experiment_id": experiment["experiment_id"],
        "pipeline_version_reference": {
            "pipeline_id": pipeline["pipeline_id"],
            "pipeline_version_id": version["pipeline_version_id"],
        },
        "runtime_config": {"parameters": {"name": f"recurring-{kfp.mark}"}},
        "max_concurrency": "1",
        "mode": "ENABLE",
        "trigger": {
            "periodic_schedule": {
                "interval_second": "60",
                "start_time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        },
    }
    recurring = kfp.ask("recurringruns", body)["recurring_run_id"]

    def begun() -> str:
        runs = kfp.ask(f"runs?page_size=50&experiment_id={experiment['experiment_id']}").get(
            "runs", []
        )
        mine = [run["run_id"] for run in runs if run.get("recurring_run_id") == recurring]
        return mine[0] if mine else ""

    try:
        run_id = until("a run of the schedule", begun, 300, 5)
        # Not deleted yet: Kubernetes would take the run's workflow along.
        kfp.ask(f"recurringruns/{recurring}:disable", {})
        until(
            "its first step", lambda: "SUCCEEDED" in kfp.states(run_id).get("download", ()), 900, 5
        )
        kfp.terminate(run_id)
        assert kfp.ended(run_id, 300) == "FAILED"
    finally:
        kfp.ask(f"recurringruns/{recurring}", method="DELETE")
    record_property("measured", "began by itself, and its first step succeeded")
