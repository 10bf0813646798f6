"""The summary that ends a run on a cluster: also of one that failed, and never failing itself."""

import json
import sys
from pathlib import Path

import pytest
from conftest import run_captured
from object_stores import Store

from components.summarize.summarize import End, summarize

METRICS = {
    "held_out_photos": 85,
    "held_out_accuracy": 0.929,
    "held_out_accuracy_low": 0.854,
    "held_out_accuracy_high": 0.967,
    "test_photos": 0,
}
DECISION = {
    "format": "wild-mushrooms-decision",
    "format_version": 1,  # without a seal
    "decision": "hold",
    "reason": "0.4 does not reach `0.6`\n<b>bold</b> | no",
}


DONE = (
    "starting\n{step}: done after 3.2 s\nI1128 16:01:10.1 17 launcher_v2.go:151] publish success.\n"
)
STEPS = (
    "download",
    "clean",
    "bottleneck",
    "curate",
    "retrain",
    "evaluate",
    "label_image",
    "publish",
)


def a_run(folder: Path, logs: dict[str, str] | None = None) -> Path:
    """The folder of a run as KFP lays it out; returns where its summary is.

    Args:
        folder: to make.
        logs: of steps by their names, in place of those of steps that came to their end; an empty
            one is of a step that left nothing.
    """
    files = {("evaluate", "metrics"): json.dumps(METRICS)}
    if (logs or {}).get("publish", "there"):
        files["publish", "comparison"] = json.dumps(DECISION)
    for step in STEPS:
        log = (logs or {}).get(step, DONE.format(step=step))
        if log:
            files[step.replace("_", "-"), "executor-logs-0"] = log
    for (task, artifact), content in files.items():
        place = folder / task / "0a1b" / artifact
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return folder / "summarize" / "2c3d" / "summary"


def test_dangerous_confusions_are_told_where_they_were_counted(tmp_path: Path) -> None:
    place = a_run(tmp_path / "run")
    known = {
        **{"dangerous_photos": 17, "dangerous_confusions": 2},
        **{"dangerous_rate_low": 0.033, "dangerous_rate_high": 0.343},
    }
    (metrics,) = (tmp_path / "run").glob("evaluate/*/metrics")
    metrics.write_text(json.dumps({**METRICS, **known}))
    summarize(End("COMPLETE"), place, name="fungi", place=str(place))
    assert (
        "Photos of deadly or poisonous classes taken for an edible one: 2 of 17 (95 % interval "
        "0.033 to 0.343)."
    ) in place.read_text()


@pytest.mark.parametrize(
    ("asked", "decided", "title"),
    [("mine", "flowers", "mine"), ("", "flowers", "flowers"), ("", "", "wild-mushrooms")],
)
def test_run_without_a_name_is_called_as_publish_decided(
    tmp_path: Path, asked: str, decided: str, title: str
) -> None:
    place = a_run(tmp_path / "run")
    (decision,) = (tmp_path / "run").glob("publish/*/comparison")
    decision.write_text(json.dumps({**DECISION, "name": decided}))
    summarize(End("COMPLETE"), place, name=asked, place=str(place))
    assert place.read_text().startswith(f"# {title}: the run succeeded\n")


# KFP's metadata says COMPLETE of a run that succeeded, and RUNNING of one with a condition unmet.
@pytest.mark.parametrize("state", ["COMPLETE", "RUNNING", "SUCCEEDED", ""])
def test_finished_run_shows_figures_and_what_became_of_the_model(
    tmp_path: Path, state: str
) -> None:
    place = a_run(tmp_path / "run")
    summarize(End(state, run="run-1"), place, name="fungi", place=str(place))
    text = place.read_text()
    assert text.startswith("# fungi: the run succeeded\n\nRun `run-1`.\n")
    assert "| all held-out photos | 85 | 0.929 | 0.854 to 0.967 |" in text
    assert "| test |" not in text  # it has no photos
    assert "poisonous" not in text  # no edibility is stated
    assert "**The model was held back**" in text
    # Nothing of a reason becomes markup, and it stays on its line.
    assert "0.4 does not reach '0.6' &lt;b>bold&lt;/b> \\| no." in text
    assert "failed" not in text


ERROR = "12 of 30\n{step}: error: too few photos\n  first\n  second\n"


@pytest.mark.parametrize(
    ("logs", "word", "said"),
    [
        # Steps after the one that failed have left nothing.
        (
            {"curate": ERROR.format(step="curate")} | dict.fromkeys(STEPS[4:], ""),
            "failed",
            ("The step **curate** failed.", "    curate: error: too few photos\n      first\n"),
        ),
        (
            {"retrain": "step 50\nKilled\n"} | dict.fromkeys(STEPS[5:], ""),
            "failed",
            ("The step **retrain** failed.", "    Killed\n"),
        ),
        # Beside the way to publishing.
        (
            {"label_image": ERROR.format(step="label_image")},
            "failed",
            ("The step **label_image** failed.", "    label_image: error: too few photos\n"),
        ),
        ({"publish": ERROR.format(step="publish")}, "failed", ("The step **publish** failed.",)),
        (dict.fromkeys(STEPS[3:], ""), "did not finish", ("No step reports a failure",)),
        # All but the last taken from the cache.
        (dict.fromkeys(STEPS[:-1], ""), "succeeded", ()),
    ],
)
def test_outcome_is_what_the_steps_say(
    tmp_path: Path, logs: dict[str, str], word: str, said: tuple[str, ...]
) -> None:
    place = a_run(tmp_path / "run", logs)
    summarize(End("RUNNING"), place, name="fungi", place=str(place))
    text = place.read_text()
    assert text.startswith(f"# fungi: the run {word}\n")
    assert all(part in text for part in said)
    assert text.count("failed.") == sum("failed." in part for part in said)
    assert ("open the red step" in text) == (word != "succeeded")


@pytest.mark.parametrize(("publish", "failed"), [(DONE.format(step="publish"), False), ("", True)])
def test_try_that_failed_counts_unless_another_one_led_on(
    tmp_path: Path, publish: str, failed: bool
) -> None:
    place = a_run(tmp_path / "run", {"publish": publish})
    again = tmp_path / "run" / "clean" / "9f8e" / "executor-logs-0"
    again.parent.mkdir()
    again.write_text(ERROR.format(step="clean"))
    summarize(End("RUNNING"), place, name="fungi", place=str(place))
    assert ("The step **clean** failed." in place.read_text()) == failed


def test_figures_of_an_evaluate_that_was_cached_come_with_the_decision(tmp_path: Path) -> None:
    place = a_run(tmp_path / "run", {"evaluate": ""})
    (tmp_path / "run" / "evaluate" / "0a1b" / "metrics").unlink()
    decision = tmp_path / "run" / "publish" / "0a1b" / "comparison"
    decision.write_text(json.dumps({**DECISION, "metrics": METRICS}))
    summarize(End("COMPLETE"), place, name="fungi", place=str(place))
    assert "| all held-out photos | 85 | 0.929 |" in place.read_text()


def test_failed_run_shows_what_kubeflow_says_and_where_the_reason_is(tmp_path: Path) -> None:
    output = tmp_path / "run" / "summarize" / "summary"
    summarize(End("FAILED", "first\n# second"), output, name="fungi", place=str(output))
    text = output.read_text()
    assert text.startswith("# fungi: the run failed\n")
    assert "    first\n    # second\n" in text  # an indented block: no heading
    assert "open the red step" in text
    assert "accuracy" not in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("SUCCEEDED", "succeeded"),
        ("CANCELED", "was cancelled"),
        ("RUNNING", "ended as RUNNING"),
        ("", "ended as unknown"),
    ],
)
def test_every_state_has_words_where_no_step_left_anything(
    tmp_path: Path, state: str, words: str
) -> None:
    summarize(End(state), tmp_path / "summary", name="fungi")
    assert (tmp_path / "summary").read_text().startswith(f"# fungi: the run {words}\n")


@pytest.mark.parametrize(
    "content", ["no JSON", "[]", '{"held_out_photos": 3}', '{"test_photos": "x"}']
)
def test_figures_that_cannot_be_read_are_left_out_and_the_summary_stays(
    tmp_path: Path, content: str
) -> None:
    place = a_run(tmp_path / "run")
    (tmp_path / "run" / "evaluate" / "0a1b" / "metrics").write_text(content)
    summarize(End("SUCCEEDED"), place, name="fungi", place=str(place))
    text = place.read_text()
    assert text.startswith("# fungi: the run succeeded\n")
    assert "| all held-out" not in text


def test_figures_are_found_beside_the_summary_in_the_store(tmp_path: Path, store: Store) -> None:
    for task, artifact, content in (
        ("evaluate", "metrics", json.dumps(METRICS)),
        ("publish", "comparison", json.dumps(DECISION)),
        ("publish", "executor-logs-0", DONE.format(step="publish")),
        ("retrain", "executor-logs-0", DONE.format(step="retrain")),
        ("label-image", "executor-logs-0", ERROR.format(step="label_image")),
    ):
        store.put(f"v2/run/{task}/0a1b/{artifact}", content.encode())
    place = f"{store.prefix}/v2/run/summarize/2c3d/summary"
    summarize(End("SUCCEEDED"), tmp_path / "summary", name="fungi", place=place)
    text = (tmp_path / "summary").read_text()
    assert text.startswith("# fungi: the run failed\n")
    assert "The step **label_image** failed." in text
    assert "| all held-out photos | 85 | 0.929 |" in text
    assert "held back" in text


def test_command_writes_the_summary(tmp_path: Path) -> None:
    place = a_run(tmp_path / "run")
    done = run_captured(
        *(sys.executable, "-m", "components.summarize", "--state", "FAILED", "--error", "why"),
        *("--place", str(place), "--output", str(place)),
    )
    assert done.returncode == 0, done.stderr
    assert "why" in place.read_text()


@pytest.mark.parametrize("step", ["download-if-new", "compare-photos"])
def test_run_that_found_nothing_new_succeeded_and_says_so(tmp_path: Path, step: str) -> None:
    place = tmp_path / "run" / "summarize" / "2c3d" / "summary"
    for name, text in (
        ("news", "Nothing new: the same 4 photos as in the last run.\n"),
        ("executor-logs-0", DONE.format(step="download")),
    ):
        file = tmp_path / "run" / step / "0a1b" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    place.parent.mkdir(parents=True)
    summarize(End("RUNNING"), place, name="fungi", place=str(place))
    text = place.read_text()
    assert text.startswith("# fungi: the run succeeded\n")
    assert "Nothing new: the same 4 photos as in the last run." in text
    assert "failed" not in text
