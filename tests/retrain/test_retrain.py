"""What `retrain` writes, and what it refuses."""

import dataclasses
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run, run_captured
from PIL import Image

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.model import references
from components.common.model.model import Model
from components.common.model.references import References
from components.common.network import bottlenecks
from components.common.network.backbone import make_interpreter
from components.common.photos import images
from components.retrain import quantize
from components.retrain.checkpoints import FILE
from components.retrain.options import Distortions, Extras, FineTuning, Recipe, RetrainOptions
from components.retrain.retrain import retrain


@pytest.fixture(scope="module")
def photos(sample_run: Run) -> np.ndarray:
    """Eight photos as tensors."""
    dataset = Dataset(sample_run.directory / "demo")
    size = Model(sample_run.directory / "model").description.input_size
    return np.stack([images.model_input(dataset.read(photo), size) for photo in dataset.photos[:8]])


def test_all_forms_of_the_model_agree(sample_run: Run, photos: np.ndarray) -> None:
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
    np.testing.assert_allclose(
        from_keras, run_frozen(folder / "retrained_graph.pb", photos), atol=1e-5
    )
    np.testing.assert_allclose(from_keras, ours.probabilities, atol=1e-4)


def run_frozen(path: Path, photos: np.ndarray, output: str = "final_result") -> np.ndarray:
    """Probabilities of a frozen graph, as label_image.py of the tutorial got them."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.compat.v1.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="import")
        with tf.compat.v1.Session(graph=graph) as session:
            found: np.ndarray = session.run(f"import/{output}:0", {"import/input:0": photos})
    return found


def test_saved_model_takes_encoded_photos_too(sample_run: Run, photos: np.ndarray) -> None:
    import tensorflow as tf

    folder = sample_run.directory / "model"
    dataset = Dataset(sample_run.directory / "demo")
    encoded = [dataset.read(photo) for photo in dataset.photos[:8]]
    signature = tf.saved_model.load(str(folder / "saved_model")).signatures["serve_bytes"]
    found = signature(image_bytes=tf.constant(encoded))["final_result"].numpy()
    ours = Model(folder)(photos).probabilities
    assert (found.argmax(axis=1) == ours.argmax(axis=1)).all()
    np.testing.assert_allclose(found, ours, atol=0.1)


def test_int8_model_is_measured_and_shipped_where_it_is_good_enough(sample_run: Run) -> None:
    folder = sample_run.directory / "model"
    measured = Model(folder).description.int8
    assert measured is not None
    assert measured["photos"] > 50
    assert measured["interval"][0] <= measured["loss"] <= measured["interval"][1]
    assert measured["loss"] == pytest.approx(measured["float_accuracy"] - measured["accuracy"])
    assert measured["shipped"] == (measured["interval"][0] <= 0.01)
    assert (folder / "model-int8.tflite").is_file() == measured["shipped"]


def test_each_litert_form_has_one_for_mediapipe_with_the_same_answers(
    sample_run: Run, photos: np.ndarray
) -> None:
    folder = sample_run.directory / "model"
    for name in ("model{}.tflite", "model{}-int8.tflite"):
        source, target = folder / name.format(""), folder / name.format("-mediapipe")
        assert target.is_file() == source.is_file()
        if target.is_file():
            expected, found = (
                make_interpreter(path)(input=photos[:4]) for path in (source, target)
            )
            np.testing.assert_array_equal(found["final_result"], expected["final_result"])


def test_form_for_mediapipe_names_the_classes_and_is_one_of_the_model_s_files(
    sample_run: Run,
) -> None:
    folder = sample_run.directory / "model"
    with zipfile.ZipFile(folder / "model-mediapipe.tflite") as archive:
        assert archive.read("labels.txt") == (folder / "retrained_labels.txt").read_bytes()
    description = Model(folder).description
    assert "model-mediapipe.tflite" in description.files
    assert "model.onnx" not in description.files


def test_int8_model_that_loses_too_much_is_left_out_and_onnx_comes_where_it_is_asked_for(
    sample_run: Run, tmp_path: Path, backbone_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize, "MAX_LOSS", -1.0)
    retrain(
        sample_run.directory / "training",
        next((sample_run.directory / "artifacts").rglob("bottlenecks")),
        tmp_path / "model",
        tmp_path / "logs",
        recipe=Recipe(how_many_training_steps=20),
        options=RetrainOptions(cache_dir=str(backbone_cache), export="onnx"),
    )
    assert not (tmp_path / "model" / "model-int8.tflite").exists()
    assert not (tmp_path / "model" / "model-mediapipe-int8.tflite").exists()
    description = Model(tmp_path / "model").description
    assert description.int8["shipped"] is False  # type: ignore[index]
    assert "model.onnx" in description.files


def test_fault_in_the_references_leaves_no_model(
    sample_run: Run, tmp_path: Path, backbone_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written beside the other files, in a thread of their own."""

    def fail(*_: object) -> None:
        raise InputError("a photo that the manifest lists is not there")

    monkeypatch.setattr(references, "write", fail)
    with pytest.raises(InputError, match="manifest lists"):
        retrain(
            sample_run.directory / "training",
            next((sample_run.directory / "artifacts").rglob("bottlenecks")),
            tmp_path / "model",
            tmp_path / "logs",
            recipe=Recipe(how_many_training_steps=20),
            extras=Extras(int8=False),
            options=RetrainOptions(cache_dir=str(backbone_cache)),
        )
    assert not (tmp_path / "model").exists()


def test_sweep_trains_with_the_best_and_shows_all(
    sample_run: Run, tmp_path: Path, backbone_cache: Path
) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    recipe = Recipe(how_many_training_steps=30, learning_rate=0.002)
    retrain(
        sample_run.directory / "training",
        next((sample_run.directory / "artifacts").rglob("bottlenecks")),
        tmp_path / "model",
        tmp_path / "logs",
        recipe=recipe,
        extras=Extras(int8=False),
        options=RetrainOptions(sweep=True, cache_dir=str(backbone_cache)),
    )
    chosen = Model(tmp_path / "model").description.recipe
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "logs"))
    multiplexer.Reload()
    trials = sorted(run for run in multiplexer.Runs() if run.startswith("sweep-"))
    assert len(trials) == 12
    losses = [float(tf_value(multiplexer.Tensors(run, "cross_entropy_1")[0])) for run in trials]
    assert losses == sorted(losses)
    assert chosen["learning_rate"] != recipe.learning_rate  # 30 steps at this rate are too few
    assert chosen["how_many_training_steps"] == 30


def tf_value(event: Any) -> np.ndarray:
    from tensorboard.util import tensor_util

    value: np.ndarray = tensor_util.make_ndarray(event.tensor_proto)
    return value


@pytest.mark.long
def test_fine_tuned_model_is_whole_and_says_so(
    sample_run: Run, tmp_path: Path, backbone_cache: Path, photos: np.ndarray
) -> None:
    import keras

    options = FineTuning(fine_tune_steps=3, fine_tune_layers=2, fine_tune_batch_size=4)
    retrain(
        sample_run.directory / "training",
        next((sample_run.directory / "artifacts").rglob("bottlenecks")),
        tmp_path / "model",
        tmp_path / "logs",
        recipe=Recipe(how_many_training_steps=50),
        distortions=Distortions(flip_left_right=True, distorted_copies=1),
        fine_tuning=options,
        options=RetrainOptions(
            checkpoint_path=str(tmp_path / "checkpoints"), cache_dir=str(backbone_cache)
        ),
    )
    model = Model(tmp_path / "model")
    assert model.description.fine_tuning is not None
    assert model.description.fine_tuning["fine_tune_steps"] == 3
    assert model.description.recipe["flip_left_right"] is True
    from_keras = keras.models.load_model(tmp_path / "model" / "model.keras")(photos)
    ours = model(photos)
    np.testing.assert_allclose(np.asarray(from_keras), ours.probabilities, atol=1e-4)
    assert not np.allclose(
        ours.bottlenecks, Model(sample_run.directory / "model")(photos).bottlenecks, atol=1e-4
    )
    assert (tmp_path / "checkpoints" / FILE).is_file()
    # The validation part alone may say how far to trust a tuned network, and here it is too small.
    assert model.description.temperature is None
    dataset = Dataset(sample_run.directory / "training")
    references = References(tmp_path / "model" / "references.parquet")
    photo = references.photos[0]
    [stored] = [one for one in dataset.photos if one.sha256 == photo.sha256]
    seen = model(images.model_input(dataset.read(stored), model.description.input_size)[None])
    nearest = references.nearest(seen.bottlenecks[0], 1)[0]
    assert nearest.photo.sha256 == photo.sha256
    assert nearest.similarity == pytest.approx(1, abs=1e-3)


def test_temperature_rule_and_references_are_in_the_model(sample_run: Run) -> None:
    folder = sample_run.directory / "model"
    description = Model(folder).description
    assert description.temperature is not None
    assert 0.05 < description.temperature < 20
    assert description.unknown is not None
    assert description.unknown.false_rejection_rate == 0.05
    assert description.calibration is not None
    learned = [
        photo
        for photo in Dataset(sample_run.directory / "training").photos
        if photo.split in ("training", "validation", "test")
    ]
    # What looks like another class by all of them was left out.
    doubted = len(learned) - sum(description.learned.values())
    assert 0 <= doubted <= 0.05 * len(learned)
    assert description.calibration["photos"] == len(learned) - doubted
    references = References(folder / "references.parquet")
    assert len(references.photos) == len(learned) - doubted
    assert {photo.sha256 for photo in references.photos} <= {photo.sha256 for photo in learned}
    assert {photo.group for photo in references.photos} <= {photo.group for photo in learned}


def test_head_that_was_tested_is_in_the_model_beside_the_final_one(sample_run: Run) -> None:
    folder = sample_run.directory / "model"
    final, tested = Model(folder), Model(folder, measured=True)
    assert final.description.measured is not None
    assert final.description.head_sha256 != tested.description.head_sha256
    dataset = Dataset(sample_run.directory / "training")
    photos = [photo for photo in dataset.photos if photo.split == "test"]
    sure = [
        np.mean(
            [
                one.probabilities[model.classes.index(photo.label)]
                for photo, one in zip(
                    photos, model.predict_each(map(dataset.read, photos)), strict=True
                )
            ]
        )
        for model in (final, tested)
    ]
    assert sure[0] > sure[1]  # it has learned from them


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


SCALARS = {"accuracy_1", "cross_entropy_1"}
LAYER = {
    f"final_training_ops/{name}/summaries/{what}"
    for name in ("weights", "biases")
    for what in ("mean", "stddev_1", "max", "min", "histogram")
}
ACTIVATIONS = {"final_training_ops/Wx_plus_b/pre_activations", "activations"}


def test_tensorboard_finds_both_runs_and_all_tags(sample_run: Run) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer(size_guidance={"tensors": 0}).AddRunsFromDirectory(
        str(sample_run.directory / "logs")
    )
    multiplexer.Reload()
    runs = multiplexer.Runs()
    assert set(runs) == {"train", "validation"}
    assert set(runs["train"]["tensors"]) >= SCALARS | LAYER | ACTIVATIONS | {"learning_rate"}
    assert runs["train"]["graph"]
    classes = Model(sample_run.directory / "model").description.classes
    expected = {f"recall/{name}" for name in classes}
    expected |= {f"precision_recall/{name}/pr_curves" for name in classes}
    expected |= {"_hparams_/experiment", "_hparams_/session_start_info"}
    assert set(runs["validation"]["tensors"]) >= SCALARS | ACTIVATIONS | expected
    for run in ("train", "validation"):
        for tag in SCALARS:
            steps = [event.step for event in multiplexer.Tensors(run, tag)]
            assert steps[0] == 0
            assert steps[-1] == 499
            assert len(steps) == 51


def test_projector_has_a_line_and_a_thumbnail_for_each_vector(sample_run: Run) -> None:
    folder = sample_run.directory / "logs" / "train"
    config = (folder / "projector_config.pbtxt").read_text()
    count, length = map(int, re.findall(r"tensor_shape: (\d+)", config))
    assert (folder / "bottlenecks.bytes").stat().st_size == 4 * count * length
    lines = (folder / "bottlenecks.tsv").read_text().splitlines()
    assert lines[0] == "class\tpart\tphoto"
    assert len(lines) == count + 1
    with Image.open(folder / "thumbnails.png") as sheet:
        assert sheet.width == sheet.height == 64 * int(np.ceil(np.sqrt(count)))


def test_log_reads_as_retrain_py_s(sample_run: Run) -> None:
    log = (sample_run.directory / "log.txt").read_text()
    patterns = (
        r"Step 10: Train accuracy = \d+\.\d%",
        r"Step 10: Cross entropy = \d+\.\d{6}",
        r"Step 10: Validation accuracy = \d+\.\d% \(N=\d+\)",
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
        (Recipe(seed=-1), "--seed"),
        (Recipe(l2=-0.1), "--l2"),
        (Recipe(label_smoothing=1), "--label_smoothing"),
        (Recipe(early_stopping_patience=-1), "--early_stopping_patience"),
        (Recipe(optimizer="lion"), "--optimizer is 'lion': expected one of sgd, momentum, adam"),
        (Recipe(learning_rate_schedule="step"), "--learning_rate_schedule"),
        (Recipe(class_weights="yes"), "--class_weights"),
    ],
)
def test_option_that_makes_no_sense_is_named(recipe: Recipe, option: str) -> None:
    with pytest.raises(InputError, match=option):
        recipe.check()


def test_bottlenecks_of_other_photos_are_refused(sample_run: Run, tmp_path: Path) -> None:
    stored = bottlenecks.load(next((sample_run.directory / "artifacts").rglob("bottlenecks")))
    others = dataclasses.replace(stored, sha256=tuple("0" * 64 for _ in stored.sha256))
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
            options=RetrainOptions(cache_dir=str(backbone_cache)),
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
