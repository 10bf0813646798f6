"""What `retrain` writes, and what it refuses."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Run, run_captured

from components.common import bottlenecks, images
from components.common.dataset import Dataset
from components.common.errors import InputError
from components.common.model import Model
from components.retrain.head import Recipe
from components.retrain.retrain import check_recipe, retrain


@pytest.fixture(scope="module")
def photos(sample_run: Run) -> np.ndarray:
    """Eight photos as tensors."""
    dataset = Dataset(sample_run.directory / "demo")
    size = Model(sample_run.directory / "model").description.input_size
    return np.stack([images.model_input(dataset.read(photo), size) for photo in dataset.photos[:8]])


def test_keras_saved_model_and_litert_agree(sample_run: Run, photos: np.ndarray) -> None:
    import keras
    import tensorflow as tf

    folder = sample_run.directory / "model"
    model = Model(folder)
    ours = model(photos)
    assert ours.probabilities.shape == (8, len(model.description.classes))
    np.testing.assert_allclose(ours.probabilities.sum(axis=1), 1, atol=1e-5)
    from_keras = np.asarray(keras.models.load_model(folder / "model.keras")(photos))
    signature = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    from_saved = signature(input=tf.constant(photos))["final_result"].numpy()
    np.testing.assert_allclose(from_keras, from_saved, atol=1e-5)
    np.testing.assert_allclose(from_keras, ours.probabilities, atol=1e-4)


def test_litert_model_shows_bottleneck_and_feature_map(sample_run: Run, photos: np.ndarray) -> None:
    seen = Model(sample_run.directory / "model")(photos)
    assert seen.bottlenecks.shape == (8, 1024)
    np.testing.assert_allclose(seen.features.mean(axis=(1, 2)), seen.bottlenecks, atol=1e-4)


def test_bottleneck_of_the_model_is_that_of_the_bottleneck_step(sample_run: Run) -> None:
    dataset = Dataset(sample_run.directory / "training")
    stored = bottlenecks.load(next((sample_run.directory / "artifacts").rglob("bottlenecks")))
    some = dataset.photos[:4]
    model = Model(sample_run.directory / "model")
    batch = np.stack(
        [images.model_input(dataset.read(photo), model.description.input_size) for photo in some]
    )
    np.testing.assert_allclose(
        model(batch).bottlenecks, stored.vectors[stored.rows(some)], atol=1e-4
    )


def test_labels_and_description_name_the_classes_in_order(sample_run: Run) -> None:
    folder = sample_run.directory / "model"
    description = json.loads((folder / "model.json").read_text())
    assert (folder / "retrained_labels.txt").read_text().splitlines() == description["classes"]
    assert description["classes"] == sorted(description["classes"])
    assert description["rendered"] is True
    assert description["recipe"]["how_many_training_steps"] == 500
    assert set(description["photos"]) == {"training", "validation", "test"}


def test_tensorboard_finds_both_runs_and_both_tags(sample_run: Run) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer(size_guidance={"tensors": 0}).AddRunsFromDirectory(
        str(sample_run.directory / "logs")
    )
    multiplexer.Reload()
    assert set(multiplexer.Runs()) == {"train", "validation"}
    for run in ("train", "validation"):
        for tag in ("accuracy_1", "cross_entropy_1"):
            steps = [event.step for event in multiplexer.Tensors(run, tag)]
            assert steps[0] == 0
            assert steps[-1] == 499
            assert len(steps) == 51


def test_log_reads_as_retrain_py_s(sample_run: Run) -> None:
    log = (sample_run.directory / "log.txt").read_text()
    patterns = (
        r"Step 10: Train accuracy = \d+\.\d%",
        r"Step 10: Cross entropy = \d+\.\d{6}",
        r"Step 10: Validation accuracy = \d+\.\d% \(N=100\)",
        r"Final test accuracy = \d+\.\d% \(N=\d+\)",
    )
    for pattern in patterns:
        assert re.search(pattern, log), pattern


@pytest.mark.parametrize(
    ("recipe", "option"),
    [
        (Recipe(how_many_training_steps=0), "--how_many_training_steps"),
        (Recipe(train_batch_size=0), "--train_batch_size"),
        (Recipe(eval_step_interval=-1), "--eval_step_interval"),
        (Recipe(learning_rate=0), "--learning_rate"),
        (Recipe(learning_rate=float("nan")), "--learning_rate"),
    ],
)
def test_option_that_makes_no_sense_is_named(recipe: Recipe, option: str) -> None:
    with pytest.raises(InputError, match=option):
        check_recipe(recipe)


def test_bottlenecks_of_other_photos_are_refused(sample_run: Run, tmp_path: Path) -> None:
    stored = bottlenecks.load(next((sample_run.directory / "artifacts").rglob("bottlenecks")))
    others = bottlenecks.Bottlenecks(
        tuple("0" * 64 for _ in stored.sha256), stored.vectors, stored.scores, stored.key
    )
    bottlenecks.save(others, tmp_path / "others", [""] * len(others.sha256))
    with pytest.raises(InputError, match="other photos"):
        retrain(
            sample_run.directory / "training",
            tmp_path / "others",
            tmp_path / "model",
            tmp_path / "logs",
        )
    assert not (tmp_path / "model").exists()


def test_logs_of_another_run_are_not_written_over(
    sample_run: Run, tmp_path: Path, backbone_cache: Path
) -> None:
    (tmp_path / "logs" / "train").mkdir(parents=True)
    vectors = next((sample_run.directory / "artifacts").rglob("bottlenecks"))
    with pytest.raises(InputError, match="another run"):
        retrain(
            sample_run.directory / "training",
            vectors,
            tmp_path / "model",
            tmp_path / "logs",
            cache_dir=str(backbone_cache),
        )
    assert not (tmp_path / "model").exists()


def test_every_step_explains_itself_without_tensorflow() -> None:
    steps = sorted(path.parent.name for path in (ROOT / "components").glob("*/component.py"))
    for step in steps:
        done = run_captured(
            sys.executable, "-X", "importtime", "-m", f"components.{step}", "--help"
        )
        assert done.returncode == 0, done.stderr
        assert f"python -m components.{step}" in done.stdout
        assert "tensorflow" not in done.stderr
