"""Publishing: the lower bound decides, a version is never overwritten, the pointer moves last."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Run, run_captured

from components.common.errors import InputError
from components.publish.publish import HOLD, PUBLISH, decide, publish


def write_metrics(path: Path, low: float, accuracy: float, run: Run | None = None) -> Path:
    """Figures with this accuracy, of the run's model where one is given."""
    figures = {"accuracy_low": low, "accuracy": accuracy}
    if run:
        description = json.loads((run.directory / "model" / "model.json").read_text())
        figures["head_sha256"] = description["head_sha256"]
    path.write_text(json.dumps(figures))
    return path


@pytest.mark.parametrize(
    ("low", "wanted", "decision"),
    [(0.80, 0.8, PUBLISH), (0.81, 0.8, PUBLISH), (0.79, 0.8, HOLD), (0.0, 0.0, PUBLISH)],
)
def test_lower_bound_decides(tmp_path: Path, low: float, wanted: float, decision: str) -> None:
    assert decide(write_metrics(tmp_path / "metrics", low, 0.9), wanted) == decision


@pytest.mark.parametrize("content", ["", "{}", '{"accuracy": 0.9}', '{"accuracy": "x"}', "[]"])
def test_file_that_is_no_metrics_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics").write_text(content)
    with pytest.raises(InputError, match="no metrics file"):
        decide(tmp_path / "metrics", 0.5)


def test_figures_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make no sense"):
        decide(write_metrics(tmp_path / "metrics", 0.9, 0.2), 0.5)


def test_same_model_twice_is_one_version_left_as_it_was(sample_run: Run, tmp_path: Path) -> None:
    metrics = write_metrics(tmp_path / "metrics", 0.8, 0.9, sample_run)
    model = sample_run.directory / "model"
    first = publish(model, metrics, tmp_path / "published", name="mushrooms")
    before = (first / "model.tflite").stat()
    again = publish(model, metrics, tmp_path / "published", name="mushrooms")
    assert again == first
    after = (first / "model.tflite").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    names = sorted(path.name for path in first.parent.iterdir())
    assert names == sorted(["latest.json", first.name])


def test_same_weights_from_other_photos_are_another_version(
    sample_run: Run, tmp_path: Path
) -> None:
    # The same pictures with other credits: ATTRIBUTION.md must not stay that of the first.
    metrics = write_metrics(tmp_path / "metrics", 0.8, 0.9, sample_run)
    shutil.copytree(sample_run.directory / "model", tmp_path / "model")
    description = json.loads((tmp_path / "model" / "model.json").read_text())
    description["manifest_sha256"] = "0" * 64
    (tmp_path / "model" / "model.json").write_text(json.dumps(description))
    (tmp_path / "model" / "ATTRIBUTION.md").write_text("by someone else")
    first = publish(sample_run.directory / "model", metrics, tmp_path / "out", name="m")
    second = publish(tmp_path / "model", metrics, tmp_path / "out", name="m")
    assert first != second
    assert (second / "ATTRIBUTION.md").read_text() == "by someone else"


def test_published_model_answers(sample_run: Run, tmp_path: Path) -> None:
    from components.common.model import Model

    metrics = write_metrics(tmp_path / "metrics", 0.8, 0.9, sample_run)
    folder = publish(sample_run.directory / "model", metrics, tmp_path / "out", name="m")
    original = Model(sample_run.directory / "model").description
    assert Model(folder).description == original


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 101])
def test_name_that_is_no_folder_name_is_refused(sample_run: Run, tmp_path: Path, name: str) -> None:
    metrics = write_metrics(tmp_path / "metrics", 0.8, 0.9, sample_run)
    with pytest.raises(InputError, match="--name"):
        publish(sample_run.directory / "model", metrics, tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_figures_of_another_model_are_refused(sample_run: Run, tmp_path: Path) -> None:
    metrics = write_metrics(tmp_path / "metrics", 0.9, 0.95)
    metrics.write_text(json.dumps({**json.loads(metrics.read_text()), "head_sha256": "0" * 64}))
    with pytest.raises(InputError, match="another model"):
        publish(sample_run.directory / "model", metrics, tmp_path / "out", name="m")
    assert not (tmp_path / "out").exists()


def test_empty_publish_dir_is_refused_instead_of_writing_into_the_current_folder(
    sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = write_metrics(tmp_path / "metrics", 0.8, 0.9, sample_run)
    with pytest.raises(InputError, match="publish_dir"):
        publish(sample_run.directory / "model", metrics, Path(), name="mushrooms")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics"]


def test_command_is_exit_1_when_held_back(sample_run: Run, tmp_path: Path) -> None:
    metrics = write_metrics(tmp_path / "metrics", 0.5, 0.6)
    done = run_captured(
        *(sys.executable, "-m", "components.publish"),
        *("--model_dir", str(sample_run.directory / "model"), "--metrics", str(metrics)),
        *("--publish_dir", str(tmp_path / "out"), "--min_accuracy", "0.7"),
    )
    assert done.returncode == 1
    assert "held back: the lower bound 0.500 is below 0.7" in done.stdout
    assert not (tmp_path / "out").exists()
