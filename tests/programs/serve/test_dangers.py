"""The service names dangerous classes beside its answer, and gives no leave to eat."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from html_page import VOID, Page
from sealing import reseal
from serve_items import HERE, JPEG, PREDICT, wait_until_ready
from starlette.testclient import TestClient

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dangers import NAMED_ABOVE
from components.common.model.description import read_description
from components.common.model.model import Model
from components.common.photos import images
from programs.serve import page
from programs.serve.app import make_app
from programs.serve.options import Limits
from programs.serve.serve import make_service

EDIBILITIES = ("deadly", "poisonous", "edible", "inedible", "unknown")


@pytest.fixture(scope="module")
def edibility(sample_run: Run) -> dict[str, str]:
    """Something else for each class of the sample."""
    classes = Model(sample_run.directory / "model").classes
    return dict(zip(classes, EDIBILITIES, strict=True))


@pytest.fixture(scope="module")
def stated(
    sample_run: Run, edibility: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample's model, to which other edibilities are stated, and hardly sure of anything."""
    folder = tmp_path_factory.mktemp("stated") / "model"
    shutil.copytree(sample_run.directory / "model", folder)
    facts = ClassFacts(edibility=edibility).to_json()
    reseal(folder / "model.json", facts=facts, temperature=20.0)
    return folder


@pytest.fixture(scope="module")
def client(stated: Path) -> Iterator[TestClient]:
    service = make_service(stated, workers=1, limits=Limits())
    wait_until_ready(service)
    with TestClient(make_app(service), base_url=HERE) as made:
        yield made


def ask(client: TestClient, photo: bytes) -> dict[str, Any]:
    found: dict[str, Any] = client.post(PREDICT, content=photo, headers=JPEG).json()
    return found


def test_dangerous_classes_that_a_photo_could_show_are_named_the_deadly_first(
    client: TestClient, edibility: dict[str, str], photos: list[bytes]
) -> None:
    named = 0
    for photo in photos:
        found = ask(client, photo)
        shares = {one["label"]: one["probability"] for one in found["probabilities"]}
        assert {one["label"]: one["probability"] for one in found["dangers"]} == {
            label: share
            for label, share in shares.items()
            if share > NAMED_ABOVE and edibility[label] in ("deadly", "poisonous")
        }
        assert [one["edibility"] for one in found["dangers"]] == ["deadly", "poisonous"]
        for one in found["dangers"]:
            own = found["predicted"] == one["label"]
            said = f"{one['label']} is {one['edibility']}" if own else f"({one['edibility']}), "
            assert said in found["caution"]
            named += own
        assert "edible" not in found["caution"]
    assert named  # one photo of each class of the sample


def test_none_of_these_names_the_dangers_all_the_same(client: TestClient) -> None:
    stripes = np.zeros((300, 300, 3), np.uint8)
    stripes[::8] = (255, 0, 255)
    found = ask(client, images.encode(stripes))
    assert found["predicted"] is None
    assert found["caution"].startswith("could also be ")
    assert found["caution"].count("(deadly)") == found["caution"].count("(poisonous)") == 1


def test_model_says_which_classes_are_dangerous_and_calls_none_edible(
    client: TestClient, edibility: dict[str, str]
) -> None:
    found = client.get("/v1/model").json()["dangerous"]
    assert found == {
        label: value for label, value in edibility.items() if value in ("deadly", "poisonous")
    }


def test_page_names_the_dangers_and_says_that_no_answer_is_leave_to_eat(
    stated: Path, edibility: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("html_page.VOID", VOID | {"link"})
    description = read_description(stated)
    text = " ".join(Page(page.render(description, Limits())).text.split())
    for label, value in edibility.items():
        assert (f"{label} ({value})" in text) == (value in ("deadly", "poisonous"))
    assert "Never eat anything because of an answer, even if it names none" in text
    assert "from 1 % on" in text


def test_without_stated_edibility_nothing_is_said_of_it(
    sample_run: Run, photos: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(sample_run.directory / "model", folder)
    reseal(folder / "model.json", facts=ClassFacts().to_json())
    service = make_service(folder, workers=1, limits=Limits())
    wait_until_ready(service)
    with TestClient(make_app(service), base_url=HERE) as made:
        found = ask(made, photos[0])
        assert (found["dangers"], found["caution"]) == ([], "")
        assert made.get("/v1/model").json()["dangerous"] == {}
        assert "Never eat anything because of an answer" not in made.get("/").text
