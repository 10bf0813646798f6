"""What Kubeflow's page shows of a run: the figures that runs are compared by, and names.

Read in what the steps hand to KFP, as its launcher does on a cluster; the page itself needs one.
"""

import json
from typing import Any

import pytest
from conftest import Run

from components.evaluate.evaluate import COMPARED

# Outputs that the page shows under a name of their own, by step.
NAMES = {
    "curate": {"counts": "Photos", "curation": "Review of the photos"},
    "tensorboard": {"mlpipeline_ui_metadata": "TensorBoard", "curves": "Training curves"},
    "evaluate": {"confusion": "Confusion matrix and ROC curve", "report": "Report"},
    "label-image": {"gallery": "Gallery"},
    "publish": {"comparison": "Decision", "change": "What changed"},
}


def handed_over(run: Run, step: str) -> dict[str, dict[str, Any]]:
    """What a step says of its outputs beside their files, by output."""
    (file,) = run.directory.glob(f"artifacts/*/{step}/executor_output.json")
    artifacts = json.loads(file.read_text())["artifacts"]
    return {name: one["artifacts"][0].get("metadata", {}) for name, one in artifacts.items()}


def figures(run: Run, step: str, output: str) -> dict[str, float]:
    told = handed_over(run, step)[output]
    return {name: value for name, value in told.items() if name != "display_name"}


def test_runs_are_compared_by_a_handful_of_figures(sample_run: Run) -> None:
    metrics = json.loads((sample_run.directory / "metrics.json").read_text())
    found = figures(sample_run, "evaluate", "metrics")
    assert found == {name: metrics[name] for name in COMPARED}
    assert len(metrics) > 3 * len(found)  # the others are in the file and the report
    curation = json.loads((sample_run.directory / "facts" / "curation.json").read_text())
    assert figures(sample_run, "curate", "counts") == {
        "photos_found": curation["total"]["found"],
        "photos_used": curation["total"]["used"],
    }
    published = json.loads((sample_run.directory / "summary.json").read_text())["published"]
    decision = figures(sample_run, "publish", "comparison")
    assert decision["published"] == bool(published)
    assert set(decision) <= {"published", "accuracy_gain_over_published"}


@pytest.mark.parametrize("step", NAMES)
def test_what_people_look_at_has_a_name(sample_run: Run, step: str) -> None:
    told = handed_over(sample_run, step)
    assert {name: told[name]["display_name"] for name in NAMES[step]} == NAMES[step]
