"""A run started from Python, and what a finished one holds."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_ARCHITECTURE, Run

import wild_mushrooms
from wild_mushrooms import Dataset, InputError, WorkError, run, runs


def test_finished_run_has_its_figures_model_and_photos(sample_run: Run) -> None:
    finished = wild_mushrooms.Run(sample_run.directory)
    assert finished.metrics["accuracy"] == sample_run.summary["metrics"]["accuracy"]
    assert finished.report.is_file()
    assert finished.model().classes == tuple(finished.metrics["classes"])
    assert {photo.split for photo in finished.training.photos} >= {"training", "test"}
    assert isinstance(finished.demo, Dataset)
    assert {photo.split for photo in finished.demo.photos} == {"demo"}


def test_folder_without_a_finished_run_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no finished run at .*summary\.json"):
        wild_mushrooms.Run(tmp_path)


def test_figures_that_were_edited_are_an_input_error(sample_run: Run, tmp_path: Path) -> None:
    text = (sample_run.directory / "metrics.json").read_text()
    edited = re.sub(r'"accuracy": 0\.\d+', '"accuracy": 1.0', text)
    assert edited != text
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / "metrics.json").write_text(edited)
    with pytest.raises(InputError, match=r"metrics\.json"):
        _ = wild_mushrooms.Run(tmp_path).metrics


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_acuracy": 1}, "run() has no option 'min_acuracy': did you mean min_accuracy?"),
        ({"help": True}, "run() has no option 'help'"),
        ({"min_accuracy": "x"}, "--min_accuracy is 'x': expected a number"),
        ({"min_accuracy": 2}, "--min_accuracy is 2.0: expected 0 to 1"),
        ({"seed": 1.5}, "--seed is '1.5': expected a whole number"),
        ({"seed": True}, "argument --seed: expected one argument"),
        ({"strict": 1}, "argument --strict"),
        ({"images": "nowhere"}, "the photo folder"),
    ],
)
def test_mistake_is_an_input_error_before_anything_starts(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        run(runs_dir=tmp_path / "runs", **options)
    assert str(raised.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "NEEDED", ("kfp", "no_such_package"))
    with pytest.raises(InputError) as raised:
        run()
    told = "a run needs no_such_package: pip install 'wild-mushrooms[train,pipeline]'"
    assert str(raised.value) == told


def test_containers_without_docker_are_an_input_error_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(InputError, match="Docker"):
        run(runner="docker", runs_dir=tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_run_from_python_is_a_run_and_prints_lines_of_text(
    tmp_path: Path,
    backbone_cache: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The least that there is to train on, of two of the classes."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # as the kernel of a notebook does
    species = tmp_path / "species.yaml"
    species.write_text("species:\n  - label: fly agaric\n  - label: earthstar\n")
    finished = run(
        species=species,
        per_class=12,
        architecture=SMALL_ARCHITECTURE,
        how_many_training_steps=100,
        cross_validation_rounds=0,
        strict=False,
        runs_dir=tmp_path / "runs",
        cache_dir=backbone_cache,
    )
    printed = capfd.readouterr().out
    assert printed.startswith("2 classes: fly agaric, earthstar\n")
    assert "Open in a browser" in printed
    assert "\x1b" not in printed
    assert printed.count("download") < 3
    assert finished.directory == (tmp_path / "runs" / "latest").resolve()
    assert set(finished.model().classes) == {"fly agaric", "earthstar"}
    asked = (finished.directory / "request.json").read_text()
    assert '"how_many_training_steps": 100' in asked


def test_step_that_fails_is_a_work_or_input_error_and_quiet_is_quiet(
    tmp_path: Path, backbone_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for label in ("daisy", "tulip"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "photos" / label / f"{number}.jpg").write_bytes(b"no photo")
    with pytest.raises((InputError, WorkError)) as raised:
        run(tmp_path / "photos", quiet=True, runs_dir=tmp_path / "runs", cache_dir=backbone_cache)
    assert str(raised.value).startswith("step ")
    assert "log.txt" in str(raised.value)
    assert capfd.readouterr().out == ""
