"""A schedule on a real Kubeflow Pipelines: made, nothing new twice, new photos, paused, gone."""

from pathlib import Path
from typing import Any

from cluster.kube import BUCKET, until
from cluster.runs import RUN_S, Kfp
from cluster.test_runs import summary_of

from components.download.sample.render import LABELS, render_class
from programs.submit.nodes import FINAL

PHOTOS, MORE = 35, 5  # of each class; five of each of two classes come later
EVERY = "2m"


def test_schedule_with_nothing_new_and_with_new_photos(
    kfp: Kfp, tmp_path: Path, record_property: Any
) -> None:
    place = f"mushrooms-{kfp.mark}/photos"
    put(kfp, place, 0, PHOTOS)
    made = submit(kfp, tmp_path, "--image_dir", f"s3://{BUCKET}/{place}", "--schedule", EVERY)
    schedule = made.partition("#/recurringrun/details/")[2].split()[0]
    try:
        first, second, third = (ended(kfp, schedule, number) for number in range(3))
        assert "publish" in ran(kfp, first)
        for quiet in (second, third):
            assert ran(kfp, quiet) == {"download_if_new", "summarize"}
            assert "Nothing new" in summary_of(kfp, quiet)
        known = len(runs(kfp, schedule))
        put(kfp, place, PHOTOS, MORE)
        # The one that is at work by now may have looked before.
        learned = next(
            run
            for run in (ended(kfp, schedule, number) for number in range(known, known + 3))
            if "publish" in ran(kfp, run)
        )
        assert "paused" in submit(kfp, tmp_path, "--schedule", "pause")
        assert kfp.ask(f"recurringruns/{schedule}")["status"] == "DISABLED"
        assert "paused" in submit(kfp, tmp_path, "--schedule", "list")
    finally:
        submit(kfp, tmp_path, "--schedule", "delete")
    seconds = [f"{kfp.seconds(run):.0f} s" for run in (first, second, third, learned)]
    record_property("measured", f"first, nothing new twice, new photos: {' / '.join(seconds)}")


def put(kfp: Kfp, place: str, begin: int, count: int) -> None:
    """Put rendered photos of two classes into the store, from the `begin`th on."""
    for label in LABELS[:2]:
        photos = list(render_class(label, begin + count, seed=11))[begin:]
        for number, photo in enumerate(photos, begin):
            key = f"{place}/{label}/{number}.jpg"
            kfp.store.client().put_object(Bucket=BUCKET, Key=key, Body=photo.data)


def submit(kfp: Kfp, folder: Path, *options: str) -> str:
    started = kfp.start(folder, "--min_accuracy", "0", *options, name="scheduled")
    assert started.process.wait(300) == 0, started.text
    return started.text


def runs(kfp: Kfp, schedule: str) -> list[dict[str, Any]]:
    """The runs of a schedule, oldest first."""
    listed = kfp.ask("runs?page_size=200&sort_by=created_at%20asc").get("runs", [])
    return [run for run in listed if run.get("recurring_run_id") == schedule]


def ended(kfp: Kfp, schedule: str, number: int) -> str:
    """The identifier of the run of this number, which has ended well."""

    def found() -> str:
        there = runs(kfp, schedule)
        done = len(there) > number and there[number].get("state") in FINAL
        return str(there[number]["run_id"]) if done else ""

    run_id = str(until(f"run {number} of the schedule", found, RUN_S, 5))
    assert kfp.state(run_id) == "SUCCEEDED"
    return run_id


def ran(kfp: Kfp, run_id: str) -> set[str]:
    """The steps that did their work."""
    known = {"download_if_new", "clean", "retrain", "publish", "summarize"}
    states = kfp.states(run_id)
    return {name for name in known if "SUCCEEDED" in states.get(name, ())}
