"""Hugging Face's own packages take the folder for their Hub, and load a dataset's shards."""

import collections
import dataclasses
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import model_hub
import numpy as np
import pytest
from conftest import ROOT
from model_hub import Hub
from PIL import Image
from publish_items import FIRST, write_metrics

from benchmarks.forms import PEERS, Agreement, Material
from components.common.dataset.class_folders import class_files, list_classes
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.model import layout
from components.common.model.description import read_description
from components.common.model.model import Model
from components.common.model.model_place import version_of
from components.common.network.architecture import PIPELINE_ARCHITECTURE
from components.publish.decision import PUBLISH
from components.publish.publish import publish

ENVIRONMENT = ROOT / PEERS / "datasets"
SCRIPT = ROOT / "tests" / "huggingface_peers.py"
MODELS = ROOT / "docs" / "models.md"
SHARDS = "runs/latest/training/images-*.tar"  # as that document names them
REPOSITORY = "you/flowers"
SAME = 100  # of 100 photos
LARGEST = 1e-5  # difference of a probability


def ask(name: str, *arguments: str, python: Path | str = "", **environment: str) -> Any:
    """What one of Hugging Face's packages says; without an address it may ask nobody."""
    offline = {} if "HF_ENDPOINT" in environment else {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        # Safe path: beside the script there are folders with the names of packages.
        [str(python or ENVIRONMENT / "bin" / "python"), "-P", str(SCRIPT), name, *arguments],
        env={**os.environ, **offline, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(
    scope="module", params=[(PIPELINE_ARCHITECTURE, 1), ("mobilenet_1.0_128", 2)], ids=str
)
def material(
    request: pytest.FixtureRequest, shared_photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Material:
    """With one view of a photo and with two."""
    architecture, views = request.param
    options = ("--architecture", architecture, "--views", str(views))
    return Material(tmp_path_factory.mktemp("forms"), shared_photos / "flowers", options)


@pytest.fixture(scope="module")
def folder(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes of this model, once it is published."""
    place = tmp_path_factory.mktemp("published")
    metrics = write_metrics(place / "metrics.json", material.model)
    version = version_of(read_description(material.model))
    decision = dataclasses.replace(FIRST, decision=PUBLISH, name="flowers", version=version)
    publish(material.model, metrics, decision, place, name="flowers")
    command = ["-m", "components.publish", "--to", "hf-folder", "--model_dir", place / "flowers"]
    done = subprocess.run(
        [sys.executable, *map(str, command), "--output", str(place / "hub")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"hf upload YOU/flowers {place / 'hub'}" in done.stdout
    return place / "hub"


@pytest.fixture(scope="module")
def hub(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that the folder was uploaded to, by the command that the docs show."""
    with model_hub.running() as running:
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "hf", "upload", REPOSITORY, str(folder)],
            env={**os.environ, **surroundings(running, tmp_path_factory.mktemp("uploader"))},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        yield running


def surroundings(hub: Hub, home: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_huggingface_hub_reads_the_card(folder: Path, material: Material) -> None:
    said = ask("card", str(folder / "README.md"))
    # The name is that of the model-index, for which huggingface_hub has no other field.
    assert {**said["written"], "model_name": "flowers"} == said["read"]
    assert said["read"]["datasets"] == ["ILSVRC/imagenet-1k"]
    base = "timm/tf_efficientnet_lite0.in1k"
    if read_description(material.model).architecture == PIPELINE_ARCHITECTURE:
        assert said["read"]["base_model"] == base
    (accuracy,) = said["results"]
    assert accuracy["metric_value"] == 0.9
    assert accuracy["metric_args"] == {"confidence": 0.95, "low": 0.8, "high": 1.0}
    assert accuracy["metric_name"] == "accuracy (95 % interval 0.800 to 1.000)"
    assert accuracy["dataset_args"]["photos"] == 40
    assert said["text"].lstrip().startswith("# flowers, version ")


def test_what_was_uploaded_comes_back_and_answers_as_before(
    folder: Path, material: Material, hub: Hub, tmp_path: Path
) -> None:
    there = Path(ask("download", REPOSITORY, **surroundings(hub, tmp_path)))
    assert files(there) == files(folder)
    assert not any(hub.tokens)
    answers = Model(there).predict_each([photo.read_bytes() for photo in material.photos])
    ours = np.stack([answer.uncalibrated for answer in answers])  # type: ignore[union-attr]
    assert np.array_equal(ours, material.ours)


def test_keras_loads_the_model_from_the_hub(
    folder: Path, material: Material, hub: Hub, tmp_path: Path
) -> None:
    (packages,) = (ENVIRONMENT / "lib").glob("python3*/site-packages")
    output = tmp_path / "answers.npy"
    shape = ask(
        *("hub_keras", str(packages), REPOSITORY, str(material.inputs), str(output)),
        python=sys.executable,
        **surroundings(hub, tmp_path / "home"),
    )
    assert shape == [len(read_description(folder).classes)]
    found = Agreement.of(material.ours, np.load(output))
    print(f"\nKeras, hf://: {found}")
    assert found.photos == found.same == SAME
    assert found.largest < LARGEST
    labels = json.loads((folder / "config.json").read_text())["id2label"]
    listed = (folder / layout.LABELS).read_text(encoding="utf-8").splitlines()
    assert [labels[str(place)] for place in range(len(listed))] == listed


@pytest.fixture(scope="module")
def dataset(shared_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flowers in several shards; two classes have names that are no plain words."""
    folder = tmp_path_factory.mktemp("dataset") / "photos"
    source = shared_photos / "flowers"
    classes = list_classes(source)
    names = dict(zip(classes, ("A. muscaria var. x", "Götterblume é.jpg"), strict=False))
    with DatasetWriter(folder, shard_bytes=2_000_000) as writer:
        for label in classes:
            for path in class_files(source, label):
                writer.add(Photo(names.get(label, label)), path.read_bytes())
    return folder


def test_datasets_loads_the_shards_with_their_classes(dataset: Path, tmp_path: Path) -> None:
    shards = str(dataset / "images-*.tar")
    (code,) = re.findall(r"```python\n([^`]*load_dataset[^`]*)```", MODELS.read_text())
    assert SHARDS in code
    said = ask("photos", shards, code.replace(SHARDS, shards), HF_HOME=str(tmp_path))
    photos = Dataset(dataset).photos
    assert len({photo.shard for photo in photos}) > 2
    expected = collections.Counter(photo.label for photo in photos)
    print(f"\ndatasets: {said['counts']}")
    assert said["counts"] == dict(expected)
    assert said["classes"] == sorted(expected)
    keys = {photo.path.removesuffix(".jpg"): photo for photo in photos}
    assert said["sha256"] == {key: photo.sha256 for key, photo in keys.items()}
    assert said["streamed"] == list(keys)
    for path in dataset.glob("images-*.tar"):
        with tarfile.open(path) as shard:
            shard.extractall(tmp_path / "unpacked", filter="data")
    found = [path for path in (tmp_path / "unpacked").rglob("*") if path.is_file()]
    assert collections.Counter(path.parent.name for path in found) == expected
    for path in found[::20]:
        key = path.relative_to(tmp_path / "unpacked").with_suffix("").as_posix()
        assert tuple(said["sizes"][key]) == Image.open(path).size
