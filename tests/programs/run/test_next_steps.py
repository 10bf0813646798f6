"""What to try next fits how the run was started and how it ended."""

import shlex
from pathlib import Path

import pytest

from components.common.base import command_line
from programs.run import next_steps
from programs.run.options import Request


def request(tmp_path: Path, **arguments: str | int) -> Request:
    return Request(tmp_path / "runs" / "1", {"source": "folder", "image_dir": "", **arguments})


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "1").mkdir(parents=True)
    (tmp_path / "runs" / "latest").symlink_to("1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "_started_as", [])


def commands(
    asked: Request, *, published: bool, few: bool = False, later: bool = False
) -> list[str]:
    found = next_steps.steps(asked, published=published, few=few, later=later)
    return [command for command, _ in found]


def test_published_model_is_looked_at_and_tried(tmp_path: Path) -> None:
    assert commands(request(tmp_path), published=True) == [
        "make tensorboard",
        ".venv/bin/mushrooms label PHOTO",
        "make serve",
    ]


def test_model_that_is_held_back_is_bettered_first(tmp_path: Path) -> None:
    found = commands(request(tmp_path, image_dir="my photos"), published=False)
    assert found[:2] == [
        "make review",  # and when it ends, the command that runs again with all options
        "make learning-curve",
    ]
    assert commands(request(tmp_path), published=True) == found[2:]


def test_few_photos_ask_for_the_learning_curve(tmp_path: Path) -> None:
    assert "make learning-curve" in commands(request(tmp_path), published=True, few=True)
    sample = request(tmp_path, source="sample")
    assert "make learning-curve" not in commands(sample, published=True, few=True)


def test_page_that_is_read_later_names_its_run(tmp_path: Path) -> None:
    assert "make serve RUN=runs/1" in commands(request(tmp_path), published=True, later=True)


def test_sample_leads_to_photos_of_ones_own(tmp_path: Path) -> None:
    sample = request(tmp_path, source="sample")
    assert commands(sample, published=True)[-1] == "make run IMAGES=~/photos"
    assert not any("review" in command for command in commands(sample, published=False))


def test_learning_curve_is_of_the_run_s_network(tmp_path: Path) -> None:
    other = request(tmp_path, architecture="mobilenet_1.0_224", views=2)
    curve = "make learning-curve ARCHITECTURE=mobilenet_1.0_224 ARGS='--views 2'"
    assert curve in commands(other, published=False)
    command_line.start_as("mushrooms")
    (curve,) = (one for one in commands(other, published=False) if "learning-curve" in one)
    assert curve.endswith("--architecture mobilenet_1.0_224 --views 2")


def test_run_that_is_not_the_last_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs" / "latest").unlink()
    found = commands(request(tmp_path), published=True)
    assert "make serve RUN=runs/1" in found
    assert "make tensorboard RUN=runs/1" in found
    assert ".venv/bin/mushrooms label --model_dir runs/1/model PHOTO" in found


def test_installed_command_needs_no_makefile(tmp_path: Path) -> None:
    command_line.start_as("mushrooms")
    for published in (True, False):
        found = commands(request(tmp_path, source="sample"), published=published)
        assert {shlex.split(command)[0] for command in found} == {"mushrooms", "tensorboard"}
        assert all("latest" not in command for command in found)
