"""A whole run with two views of each photo, and one with one view beside it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run, run_pipeline

from components.common.dataset.dataset import Dataset
from components.common.model.model import Model, softmax
from components.common.model.model import Prediction as Answer
from components.common.network import bottlenecks
from components.common.network.backbone import make_interpreter
from components.common.photos import images
from programs.verify.verify import verify

pytestmark = pytest.mark.long

OPTIONS = (
    *("--architecture", SMALL_ARCHITECTURE, "--per_class", "14"),
    *("--how_many_training_steps", "300", "--min_accuracy", "0.3"),
)


SIZE = 206  # pixels that a network for 128 takes for two views


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path) -> tuple[Run, Run]:
    """Two runs on the same photos under one name, with two views and with one."""
    folder = tmp_path_factory.mktemp("views")
    two, one = (
        run_pipeline(folder, backbone_cache, "--views", views, *OPTIONS) for views in ("2", "1")
    )
    for run in (two, one):
        assert run.returncode == 0, run.stdout + run.stderr
    return two, one


@pytest.fixture(scope="module")
def model(runs: tuple[Run, Run]) -> Model:
    return Model(runs[0].directory / "model")


@pytest.fixture(scope="module")
def photos(runs: tuple[Run, Run]) -> list[bytes]:
    dataset = Dataset(runs[0].directory / "demo")
    return [dataset.read(photo) for photo in dataset.photos[:6]]


def test_run_is_whole_and_names_its_views(runs: tuple[Run, Run], model: Model) -> None:
    two, one = runs
    assert model.description.views == 2
    assert all(finding.fits for finding in verify(two.directory))
    assert all(finding.fits for finding in verify(one.directory))
    assert f"{SMALL_ARCHITECTURE} with 2 views" in (two.directory / "report.html").read_text()
    assert "with 2 views" not in (one.directory / "report.html").read_text()
    card = (Path(two.summary["published"]) / "MODEL_CARD.md").read_text()
    assert "The network looks at 2 views of that square" in card


def test_vectors_are_of_two_views_and_the_model_s_own(runs: tuple[Run, Run], model: Model) -> None:
    two, one = (next(run.directory.rglob("bottlenecks.npy")).parent for run in runs)
    of_two, of_one = bottlenecks.load(two), bottlenecks.load(one)
    assert (of_two.key.views, of_one.key.views) == (2, 1)
    assert "views" not in json.loads((one / "backbone.json").read_text())
    assert (of_two.scores.argmax(axis=1) == of_one.scores.argmax(axis=1)).mean() > 0.7
    assert np.abs(of_two.vectors - of_one.vectors).max() > 0.1
    dataset = Dataset(runs[0].directory / "training")
    seen = model(np.stack([images.model_input(dataset.read(p), SIZE) for p in dataset.photos[:4]]))
    rows = of_two.rows(dataset.photos[:4])
    np.testing.assert_allclose(seen.bottlenecks, of_two.vectors[rows], atol=1e-4)


def test_activation_maps_lie_on_the_photo_and_are_exact(model: Model, photos: list[bytes]) -> None:
    with np.load(model.directory / "head.npz") as head:
        biases = head["biases"]
    for found in model.predict_each(photos):
        assert isinstance(found, Answer)
        assert found.features.shape == (8, 4, 1024)
        maps = np.stack([model.activation_map(found, label) for label in model.classes])
        assert maps.shape[1:] == (4, 4)
        logits = maps.mean(axis=(1, 2)) + biases
        np.testing.assert_allclose(softmax(logits[None])[0], found.uncalibrated, atol=1e-4)


def test_every_form_has_the_views_in_it(model: Model, photos: list[bytes]) -> None:
    import keras
    import tensorflow as tf

    batch = np.stack([images.model_input(photo, SIZE) for photo in photos])
    expected = model(batch).probabilities
    loaded = tf.saved_model.load(str(model.directory / "saved_model"))
    found = {
        "keras": np.asarray(keras.saving.load_model(model.directory / "model.keras")(batch)),
        "SavedModel": loaded.signatures["serve"](input=tf.constant(batch))["final_result"].numpy(),
    }
    for name, probabilities in found.items():
        np.testing.assert_allclose(probabilities, expected, atol=1e-4, err_msg=name)
    if (model.directory / "model-int8.tflite").is_file():
        coarse = make_interpreter(model.directory / "model-int8.tflite")(input=batch)
        assert coarse["features"].shape == (len(photos), 8, 4, 1024)
        assert np.abs(coarse["final_result"] - expected).mean() < 0.1


@pytest.mark.parametrize("file", ["retrained_graph.pb", "model.tflite"])
def test_graph_alone_answers_as_the_model(
    runs: tuple[Run, Run], model: Model, photos: list[bytes], tmp_path: Path, file: str
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photos[0])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "components.label_image", str(tmp_path / "photo.jpg")),
            *("--graph", str(model.directory / file), "--format", "json"),
            *("--input_height", str(SIZE), "--input_width", str(SIZE)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (expected,) = model.predict_each(photos[:1])
    assert isinstance(expected, Answer)
    assert model.classes[int(expected.uncalibrated.argmax())] in done.stdout


def test_models_of_other_views_are_compared_on_the_same_photos(runs: tuple[Run, Run]) -> None:
    assert "on the same " in runs[1].summary["reason"]
