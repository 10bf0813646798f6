"""A photo learned from is told as one; the service speaks of what its classes are."""

import shutil
from pathlib import Path

import pytest
from conftest import Run
from sealing import reseal
from serve_items import HERE, JPEG, PREDICT, wait_until_ready
from starlette.testclient import TestClient

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.dataset.vocabulary import DEMO, TEST, TRAINING
from programs.serve.app import make_app
from programs.serve.options import Limits
from programs.serve.serve import make_service


@pytest.mark.parametrize(("part", "told"), [(TRAINING, True), (TEST, True), (DEMO, False)])
def test_photo_that_the_model_learned_from_is_told_as_one(
    client: TestClient, sample_run: Run, part: str, *, told: bool
) -> None:
    dataset = Dataset(sample_run.directory / ("demo" if part == DEMO else "training"))
    photo = next(photo for photo in dataset.photos if photo.split == part)
    found = client.post(PREDICT, content=dataset.read(photo), headers=JPEG).json()
    assert found["learned_from"] is told


def test_service_of_flowers_does_not_speak_of_mushrooms(
    model_dir: Path, photo: bytes, tmp_path: Path
) -> None:
    shutil.copytree(model_dir, tmp_path / "model")
    reseal(tmp_path / "model" / "model.json", facts=ClassFacts("flowers").to_json())
    service = make_service(tmp_path / "model", workers=1, limits=Limits())
    wait_until_ready(service)
    with TestClient(make_app(service), base_url=HERE) as client:
        answered = client.post(PREDICT, content=photo, headers=JPEG).json()
        told = client.get("/v1/model").json()
        interface = client.get("/openapi.json").text
        page = client.get("/").text
    assert told["subject"] == "flowers"
    for warning in (answered["warning"], told["warning"]):
        assert warning.startswith("This program can be wrong")
    assert "mushroom" not in interface.casefold()
    assert "<h1>What is this?" in page
