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


def a_run(folder: Path) -> Path:
    """The folder of a run as KFP lays it out; returns where its summary is."""
    for task, artifact, content in (
        ("evaluate", "metrics", METRICS),
        ("compare", "comparison", DECISION),
    ):
        place = folder / task / "0a1b" / artifact
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(content))
    return folder / "summarize" / "2c3d" / "summary"


def test_finished_run_shows_figures_and_what_became_of_the_model(tmp_path: Path) -> None:
    place = a_run(tmp_path / "run")
    summarize(End("SUCCEEDED", run="run-1"), place, name="fungi", place=str(place))
    text = place.read_text()
    assert text.startswith("# fungi: the run succeeded\n\nRun `run-1`.\n")
    assert "| all held-out photos | 85 | 0.929 | 0.854 to 0.967 |" in text
    assert "| test |" not in text  # it has no photos
    assert "**The model is held back**" in text
    # Nothing of a reason becomes markup, and it stays on its line.
    assert "0.4 does not reach '0.6' &lt;b>bold&lt;/b> \\| no." in text
    assert "failed step" not in text


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
    [("CANCELED", "was canceled"), ("RUNNING", "ended as RUNNING"), ("", "ended as unknown")],
)
def test_every_state_has_words(tmp_path: Path, state: str, words: str) -> None:
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
        ("evaluate", "metrics", METRICS),
        ("compare", "comparison", DECISION),
    ):
        store.put(f"v2/run/{task}/0a1b/{artifact}", json.dumps(content).encode())
    place = f"{store.prefix}/v2/run/summarize/2c3d/summary"
    summarize(End("SUCCEEDED"), tmp_path / "summary", name="fungi", place=place)
    text = (tmp_path / "summary").read_text()
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
