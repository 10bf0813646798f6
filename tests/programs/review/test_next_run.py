"""The command that runs again with decisions: what the run was asked for, and nothing lost."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from components.common.base import command_line
from components.common.dataset.decisions import DROP, MOVE, Decisions
from programs.review import next_run
from programs.run.options import DEFAULTS

KEY = ("daisy", "a" * 64)
DROPPED = Decisions({KEY: DROP})
MOVED = Decisions({KEY: MOVE}, {KEY: "rose"})


def command(folder: Path, asked: object, by_hand: Decisions = DROPPED) -> list[str]:
    """The words of the command, for a run in `folder`/runs."""
    run = folder / "runs" / "one"
    (run / "ledger").mkdir(parents=True, exist_ok=True)
    if asked is not None:
        (run / "request.json").write_text(json.dumps(asked))
    return shlex.split(next_run.command(run, run / "decisions.json", by_hand))


def asked(**changes: Any) -> dict[str, Any]:
    resolved = {"source": "folder", "name": "mushrooms", "classes": ["a", "b"], "species": "x: y"}
    return {"arguments": {**DEFAULTS, **resolved, **changes}, "runner": "subprocess"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(image_dir="/home/me/my photos $HOME"), ["IMAGES=/home/me/my photos $HOME"]),
        (asked(source="sample", name="sample"), []),
        (asked(source="inaturalist,gbif"), ["SOURCE=inaturalist,gbif"]),
        (asked(source="urls", url_list="/a.csv"), ["URLS=/a.csv"]),
        (asked(architecture="mobilenet_1.0_128"), ["ARCHITECTURE=mobilenet_1.0_128"]),
        ({**asked(), "runner": "docker"}, ["RUNNER=docker"]),
        (asked(decisions="/old.json"), []),
        (asked(earlier_ledger="/old"), ["LEDGER=runs/one/ledger"]),
        ({**asked(), "species_file": "/my species.yaml"}, ["SPECIES=/my species.yaml"]),
    ],
)
def test_variables_are_those_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: object, expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = command(tmp_path, request_)
    assert words == ["make", "run", *expected, "DECISIONS=runs/one/decisions.json"]


def test_other_options_are_handed_over_as_args(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    strict = not DEFAULTS["strict"]
    content = asked(strict=strict, seed=7, name="my flowers", publish_dir="/models")
    (args,) = (word for word in command(tmp_path, content) if word.startswith("ARGS="))
    assert shlex.split(args.removeprefix("ARGS=")) == [
        *("--seed", "7", "--strict"),
        *("--name", "my flowers", "--publish_dir", "/models"),
    ]


def test_installed_command_needs_no_makefile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "_started_as", ["mushrooms review"])
    words = command(tmp_path, asked(source="inaturalist", seed=7))
    assert words == [
        *("mushrooms", "run", "--source", "inaturalist"),
        *("--decisions", "runs/one/decisions.json", "--seed", "7"),
    ]


def test_ledger_is_handed_over_where_a_photo_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "LEDGER=runs/one/ledger" in command(tmp_path, asked(), MOVED)
    assert not [word for word in command(tmp_path, asked()) if word.startswith("LEDGER")]


@pytest.mark.parametrize("content", [None, {}, [], {"arguments": 7}, "x", {"arguments": {}}])
def test_run_that_does_not_say_what_it_was_asked_for_is_named_by_its_photos(
    tmp_path: Path, content: object
) -> None:
    words = command(tmp_path, content)
    assert words[:2] == ["make", "run"]
    assert any(word.startswith("DECISIONS=") and "/one/" in word for word in words)
    if content != {"arguments": {}}:
        assert "IMAGES=…" in words


def test_run_elsewhere_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    words = command(tmp_path, asked())
    assert f"DECISIONS={tmp_path / 'runs/one/decisions.json'}" in words
    (args,) = (word for word in words if word.startswith("ARGS="))
    assert shlex.split(args.removeprefix("ARGS=")) == ["--runs_dir", str(tmp_path / "runs")]
