"""What a run is asked for: and how it is handed over."""

import argparse
import json
from pathlib import Path

import pytest

from components.common.base.errors import InputError
from components.common.base.step import log
from components.common.dataset.decisions import MOVE, Decisions
from components.retrain import onnx_form
from components.retrain.options import RetrainOptions
from programs.run import options
from programs.run.options import PLACES, Request
from programs.submit.request import ON_VOLUME, UPLOADED


def test_request_survives_its_file(tmp_path: Path) -> None:
    request = Request(tmp_path / "run", {"classes": ["ä", "b"], "seed": 3})
    request.write(tmp_path / "request.json")
    assert Request.read(tmp_path / "request.json") == request


def test_onnx_without_its_packages_ends_a_run_on_this_machine_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images have them."""
    monkeypatch.setattr(onnx_form, "PACKAGES", ("no_such_package",))
    parser = argparse.ArgumentParser()
    options.add_to(parser)
    asked = ["--runs_dir", str(tmp_path / "runs"), "--export", "onnx"]
    with pytest.raises(InputError, match="--export onnx needs no_such_package"):
        options.request(parser.parse_args(asked))
    assert not (tmp_path / "runs").exists()
    assert options.request(parser.parse_args([*asked, "--runner", "docker"]))


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


@pytest.mark.parametrize(
    ("asked", "beside", "name"),
    [
        ([], "", "mushrooms"),
        (["--subject", "flowers"], "", "flowers"),
        (["--subject", "Wild  Orchids, lilies"], "", "wild-orchids-lilies"),
        (["--subject", "Käfer"], "", "kafer"),
        (["--subject", "花"], "", "model"),
        (["--subject", "any"], "", "model"),
        (["--subject", "sample"], "", "model"),
        (["--subject", "mushrooms"], "", "mushrooms"),
        ([], "flowers", "flowers"),
        (["--subject", "roses"], "flowers", "roses"),
        (["--subject", "flowers", "--name", "mine"], "", "mine"),
    ],
)
def test_model_is_named_after_its_subject(
    tmp_path: Path, asked: list[str], beside: str, name: str
) -> None:
    for label in ("daisy", "rose"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").write_bytes(b"x")
    if beside:
        (tmp_path / "species.yaml").write_text(f"subject: {beside}\n")
    parser = argparse.ArgumentParser()
    options.add_parameters(parser)
    checked = options.checked(parser.parse_args(["--image_dir", str(tmp_path), *asked]))
    assert checked["name"] == name


@pytest.mark.parametrize(
    ("listed", "missing"),
    [
        (["a b", "rose"], ""),
        (["A_B", "Rose"], ""),
        (["rose", "tulip", "lily"], "has no photo of tulip, lily"),
    ],
)
@pytest.mark.parametrize("way", ["--image_dir", "--url_list"])
def test_species_without_a_photo_are_named(
    tmp_path: Path, way: str, listed: list[str], missing: str
) -> None:
    photos = tmp_path / "photos"
    for label in ("a b", "rose"):
        (photos / label).mkdir(parents=True)
        (photos / label / "1.jpg").write_bytes(b"x")
    urls = tmp_path / "list.csv"
    urls.write_text("url,label\nhttps://a.org/1.jpg,a b\nhttps://a.org/2.jpg,rose\n")
    species = tmp_path / "mine.yaml"
    species.write_text(json.dumps({"species": [{"label": name} for name in listed]}))
    parser = argparse.ArgumentParser()
    options.add_parameters(parser)
    given = photos if way == "--image_dir" else urls
    asked = parser.parse_args([way, str(given), "--species", str(species)])
    if not missing:
        assert options.checked(asked)["classes"] == ["a b", "rose"]
        return
    with pytest.raises(InputError, match=missing):
        options.checked(asked)


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


@pytest.mark.parametrize(
    ("target", "message"),
    [("rose", ""), ("tulip", "moves the photo of 'a b' with SHA-256 .* to 'tulip', which is none")],
)
def test_move_to_a_class_that_the_run_has_not_ends_it_before_photos_are_fetched(
    tmp_path: Path, target: str, message: str
) -> None:
    for label in ("a b", "rose"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.jpg").write_bytes(b"x")
    key = ("a b", "f" * 64)
    content = Decisions({key: MOVE}, {key: target}).to_json()
    (tmp_path / "decisions.json").write_text(json.dumps(content))
    parser = argparse.ArgumentParser()
    options.add_parameters(parser)
    asked = ["--image_dir", str(tmp_path / "photos")]
    asked += ["--decisions", str(tmp_path / "decisions.json")]
    if not message:
        assert options.checked(parser.parse_args(asked))["classes"] == ["a b", "rose"]
        return
    with pytest.raises(InputError, match=message):
        options.checked(parser.parse_args(asked))


def test_name_that_goes_on_with_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "propagate", True)
    parser = argparse.ArgumentParser()
    options.add_to(parser)
    kept = tmp_path / "runs" / "published" / "mushrooms"
    kept.mkdir(parents=True)

    def ask(*asked: str) -> str:
        caplog.clear()
        options.request(parser.parse_args(["--runs_dir", str(tmp_path / "runs"), *asked]))
        return caplog.text

    said = ask("--continue", "mushroms")
    assert "--continue is 'mushroms', and no run has left anything under this name" in said
    assert "did you mean mushrooms?" in said
    assert "begins anew" in ask("--continue", "mushrooms")
    (kept / "memory.json").write_text("{}")
    assert ask("--continue", "mushrooms") == ""
    (kept / "memory.json").rename(kept / "latest.json")
    assert ask("--continue", "mushrooms") == ""
    assert ask("--name", "another") == ""


def test_ledger_beside_the_one_that_a_run_goes_on_with_is_refused(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    options.add_to(parser)
    asked = ["--continue", "mushrooms", "--earlier_ledger", str(tmp_path)]
    with pytest.raises(InputError, match="keeps to the ledger that is kept under its name"):
        options.request(parser.parse_args(asked))
