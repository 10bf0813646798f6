"""`name/serving/1/`, `2/`, … for TensorFlow Serving and KServe: the highest number is served."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from publish_items import publish_as
from sealing import reseal

from components.common.dataset.dataset import Dataset
from components.common.model.model import Model
from components.common.photos import images
from components.publish import serving
from components.publish.serving import RECORD, SAVED_MODEL


def other(model: Path, folder: Path) -> Path:
    """A model of another version, with the same networks."""
    copy = folder / f"other than {model.name}"
    shutil.copytree(model, copy)
    reseal(copy / "model.json", manifest_sha256="0" * 64)
    return copy


def numbers(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "serving").iterdir())


def test_each_publication_has_a_higher_number_that_the_pointer_names(
    light_run: Run, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    first = publish_as(light_run, model, tmp_path)
    second = publish_as(light_run, other(model, tmp_path), tmp_path)
    root = first.parent
    assert numbers(root) == ["1", "2"]
    for number, version in (("1", first), ("2", second)):
        folder = root / "serving" / number
        assert json.loads((folder / RECORD).read_text())["version"] == version.name
        for path in (version / "saved_model").rglob("*"):
            served = folder / path.relative_to(version / "saved_model")
            assert served.exists()
            # Another name of the same file, which takes no room.
            assert path.is_dir() or served.samefile(path)
    assert json.loads((root / "latest.json").read_text())["serving"] == 2


def test_what_has_the_number_answers_as_the_model(light_run: Run, tmp_path: Path) -> None:
    import tensorflow as tf

    published = publish_as(light_run, light_run.directory / "model", tmp_path)
    loaded = tf.saved_model.load(str(published.parent / "serving" / "1"))
    answers = loaded.signatures["serving_default"]
    ((_, taken),) = answers.structured_input_signature[1].items()
    model, demo = Model(published), Dataset(light_run.directory / "demo")
    size = model.description.input_size
    assert taken.shape.as_list() == [None, size, size, 3]
    batch = np.stack([images.model_input(demo.read(photo), size) for photo in demo.photos[:3]])
    (found,) = answers(input=tf.constant(batch)).values()
    np.testing.assert_allclose(found.numpy(), model(batch).probabilities, atol=1e-4)


def test_number_is_there_only_when_it_is_whole(
    light_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that looks at any moment: at each file that is put there.
    seen: list[list[str]] = []
    link = os.link

    def looking(source: str, target: str) -> None:
        root = tmp_path / "published" / "m" / "serving"
        seen.append([path.name for path in root.iterdir() if path.name.isdecimal()])
        assert not (root.parent / "latest.json").exists()
        link(source, target)

    monkeypatch.setattr(os, "link", looking)
    published = publish_as(light_run, light_run.directory / "model", tmp_path)
    assert len(seen) >= 3
    assert not any(seen)
    assert (published.parent / "serving" / "1" / SAVED_MODEL).is_file()


def test_disk_without_hard_links_gets_copies(
    light_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    published = publish_as(light_run, light_run.directory / "model", tmp_path)
    copy = published.parent / "serving" / "1" / SAVED_MODEL
    assert copy.read_bytes() == (published / "saved_model" / SAVED_MODEL).read_bytes()


def test_place_from_before_there_were_numbers_goes_on(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    first = publish_as(light_run, model, tmp_path)
    shutil.rmtree(first.parent / "serving")
    pointer = json.loads((first.parent / "latest.json").read_text())
    del pointer["serving"]
    (first.parent / "latest.json").write_text(json.dumps(pointer))
    # The same model again gives the place its first number, and the next one the second.
    assert publish_as(light_run, model, tmp_path) == first
    assert json.loads((first.parent / "latest.json").read_text()) == {**pointer, "serving": 1}
    publish_as(light_run, other(model, tmp_path), tmp_path)
    assert numbers(first.parent) == ["1", "2"]


def test_model_without_a_saved_model_is_published_without_a_number(
    light_run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    shutil.rmtree(model / "saved_model")
    files = json.loads((model / "model.json").read_text())["files"]
    rest = {name: sha256 for name, sha256 in files.items() if "saved_model/" not in name}
    reseal(model / "model.json", files=rest)
    published = publish_as(light_run, model, tmp_path)
    assert not (published.parent / "serving").exists()
    assert "serving" not in json.loads((published.parent / "latest.json").read_text())


def test_numbers_pass_over_what_is_not_ours(light_run: Run, tmp_path: Path) -> None:
    root = tmp_path / "published" / "m"
    (root / "serving" / "41").mkdir(parents=True)  # of somebody, or of a publisher that was killed
    (root / "serving" / "notes").mkdir()
    (root / "serving" / ("9" * 30)).mkdir()  # no number of 64 bits: servers pass it over too
    publish_as(light_run, light_run.directory / "model", tmp_path)
    assert {"41", "42"} < set(numbers(root))
    newest = serving.newest(serving.numbered(str(root)))
    assert newest
    assert newest.number == 42
