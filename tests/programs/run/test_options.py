"""What a run is asked for: and how it is handed over."""

import argparse
from pathlib import Path

import pytest

from components.retrain.options import RetrainOptions
from programs.run import options
from programs.run.options import PLACES, Request
from programs.submit.request import ON_VOLUME, UPLOADED


def test_request_survives_its_file(tmp_path: Path) -> None:
    request = Request(tmp_path / "run", {"classes": ["ä", "b"], "seed": 3})
    request.write(tmp_path / "request.json")
    assert Request.read(tmp_path / "request.json") == request


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ([], "sample"),
        (["--source", "sample"], "sample"),
        (["--source", "sample,inaturalist"], "mushrooms"),
        (["--source", "inaturalist"], "mushrooms"),
        (["--name", "mushrooms"], "mushrooms"),
        (["--source", "commons", "--name", "mine"], "mine"),
    ],
)
def test_rendered_pictures_are_not_published_under_the_name_of_photos(
    asked: list[str], name: str
) -> None:
    parser = argparse.ArgumentParser()
    options.add_parameters(parser)
    contact = ["--contact", "you@example.org"]
    assert options.checked(parser.parse_args([*asked, *contact]))["name"] == name


def test_every_place_that_an_option_names_has_its_way_to_a_cluster() -> None:
    """Photos are packed and uploaded; models are published where the cluster's pods can write."""
    assert {*UPLOADED, *ON_VOLUME, "image_dir", "publish_dir"} == set(PLACES)


def test_options_that_tell_of_a_folder_or_file_say_so() -> None:
    from components.common.base.options import declarations

    for field, declared in declarations(*options.KINDS):
        told = field.name.endswith(("_dir", "_path", "_list")) or declared.meaning.startswith(
            ("file", "folder", "archive", "pretrained weights file")
        )
        assert (field.name in PLACES) is (told and field.name in options.DEFAULTS) or declared.place


@pytest.mark.parametrize("place", [name for name, kind in PLACES.items() if kind == "written"])
def test_folder_that_is_written_is_the_same_from_wherever_a_step_runs(place: str) -> None:
    parser = argparse.ArgumentParser()
    options.add_parameters(parser)
    checked = options.checked(parser.parse_args([f"--{place}", "mine/../here"]))
    assert checked[place] == str(Path.cwd() / "here")
    elsewhere = options.checked(parser.parse_args([f"--{place}", "gs://bucket/here"]))
    assert elsewhere[place] == "gs://bucket/here"


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (options.RunOptions(runs_dir="two\nlines"), "runs_dir"),
        (RetrainOptions(checkpoint_path="two\nlines"), "checkpoint_path"),
        (RetrainOptions(checkpoint_path="minio://bucket/x"), "checkpoint_path"),
    ],
)
def test_folder_of_any_name_is_a_folder(kind: options.Options, place: str) -> None:
    kind.check()
    assert getattr(kind, place)
