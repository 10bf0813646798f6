"""`mushrooms models`: what a person sees of published versions, and does with them."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Run, run_captured
from publish_items import publish_as
from sealing import reseal

from components.common.model.model_place import latest_version

MODELS = (sys.executable, "-m", "programs.command", "models")


@pytest.fixture
def place(light_run: Run, tmp_path: Path) -> Path:
    """Two versions."""
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    publish_as(light_run, model, tmp_path)
    reseal(model / "model.json", manifest_sha256="0" * 64)
    return publish_as(light_run, model, tmp_path).parent


def told(*words: object, status: int = 0) -> str:
    done = run_captured(*MODELS, *map(str, words))
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if status else done.stdout


def test_versions_are_listed_rolled_back_and_removed(place: Path) -> None:
    lines = told("list", place).splitlines()
    assert lines[0].split() == ["version", "published", "(UTC)", "accuracy", "serving"]
    first, second = (line.split()[0] for line in lines[1:3])
    assert lines[2].split()[3:] == ["0.900", "2", "served"]
    assert lines[-1] == "2 versions"

    assert told("rollback", place, "--dry-run") == f"would serve: {place}/{first}\n"
    assert latest_version(str(place)) == second
    said = told("rollback", place)
    assert said == f"served now: {place}/{first}, for TensorFlow Serving as serving/3\n"
    assert latest_version(str(place)) == first
    assert told("list", place).splitlines()[1].split()[-3:] == ["1,", "3", "served"]

    planned = told("prune", place, "--keep", 1, "--dry-run")
    assert planned == f"would remove: {place}/serving/1\n"
    assert told("prune", place, "--older_than", "1d") == f"removed: {place}/serving/1\n"
    assert told("prune", place, "--keep", 1) == f"{place}: nothing to remove\n"


def test_list_says_so_where_servers_serve_another_version(place: Path) -> None:
    lines = told("list", place).splitlines()
    first, second = (line.split()[0] for line in lines[1:3])
    pointer = json.loads((place / "latest.json").read_text())
    (place / "latest.json").write_text(json.dumps({**pointer, "version": first}))
    said = told("list", place)
    assert f"TensorFlow Serving and KServe serve {second}" in said
    told("rollback", place, "--to", first)
    assert "TensorFlow" not in told("list", place)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prune",), "no rule says what may go: give --keep, --older_than or both"),
        (("prune", "--older_than", "soon"), "--older_than is 'soon': expected a number with h, d"),
        (("prune", "--keep", "-1"), "--keep is -1: expected 0 or more"),
        (("rollback", "--to", "zz"), "--to is 'zz': no version of"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    place: Path, words: tuple[str, ...], message: str
) -> None:
    said = told(words[0], place, *words[1:], status=2)
    assert said.startswith(f"models: error: {message}")


def test_place_without_versions_is_one_clear_line(tmp_path: Path) -> None:
    said = told("list", tmp_path, status=2)
    assert "there is no latest.json in it" in said
    assert "runs/published/mushrooms" in said
