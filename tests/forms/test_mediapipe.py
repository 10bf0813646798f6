"""MediaPipe Tasks, the real package, classifies real photos with the form that is made for it."""

from pathlib import Path

import pytest

from benchmarks.forms import MEDIAPIPE, OWN_INT8, Material
from components.common.model import layout
from components.common.network.architecture import DEFAULT_ARCHITECTURE

SAME = 98  # of 100 photos
FEWER = 5  # int8 photos that the other preparation may turn


@pytest.fixture(
    scope="module", params=[(DEFAULT_ARCHITECTURE, 1), ("mobilenet_1.0_128", 2)], ids=str
)
def material(
    request: pytest.FixtureRequest, shared_photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Material:
    """With one view of a photo and with two."""
    architecture, views = request.param
    options = ("--architecture", architecture, "--views", str(views))
    return Material(tmp_path_factory.mktemp("forms"), shared_photos / "flowers", options)


def test_mediapipe_gives_the_same_classes(material: Material) -> None:
    found = material.agreement(MEDIAPIPE[0])
    assert found.photos == 100
    assert found.same >= SAME


def test_mediapipe_gives_the_int8_form_s_classes(material: Material) -> None:
    """As often those of the float32 form as our own program with the int8 form gives them."""
    if not (material.model / layout.MEDIAPIPE_INT8).is_file():
        pytest.skip("the int8 form lost too much accuracy to be kept")
    found, own = (material.agreement(consumer) for consumer in (MEDIAPIPE[1], OWN_INT8))
    assert found.same >= own.same - FEWER
