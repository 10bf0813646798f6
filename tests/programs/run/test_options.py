"""What a run is asked for: and how it is handed over."""

import argparse
from pathlib import Path

import pytest

from programs.run import options
from programs.run.options import Request


def test_request_survives_its_file(tmp_path: Path) -> None:
    request = Request(tmp_path / "run", {"classes": ["ä", "b"], "seed": 3}, parallelism=1)
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
