"""retrain.py's command line: its options, and the command as people still paste it."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_ARCHITECTURE, run_captured

from components.common.base.errors import InputError
from components.common.model.model import Model
from components.common.photos import images
from components.retrain import onnx_form
from components.retrain.command import make_parser, run

# googlecodelabs/tensorflow-for-poets-2, scripts/retrain.py: type and default of each option. None:
# paths default to places below --output_dir instead of /tmp, and the architecture is another.
ORIGINAL = {
    "image_dir": (str, None),
    "output_graph": (str, None),
    "intermediate_output_graphs_dir": (str, None),
    "intermediate_store_frequency": (int, 0),
    "output_labels": (str, None),
    "summaries_dir": (str, None),
    "how_many_training_steps": (int, 4000),
    "learning_rate": (float, 0.01),
    "testing_percentage": (int, 10),
    "validation_percentage": (int, 10),
    "eval_step_interval": (int, 10),
    "train_batch_size": (int, 100),
    "test_batch_size": (int, -1),
    "validation_batch_size": (int, 100),
    "print_misclassified_test_images": (bool, False),
    "model_dir": (str, None),
    "bottleneck_dir": (str, None),
    "final_tensor_name": (str, "final_result"),
    "flip_left_right": (bool, False),
    "random_crop": (int, 0),
    "random_scale": (int, 0),
    "random_brightness": (int, 0),
    "architecture": (str, None),
    "saved_model_dir": (str, ""),
    "checkpoint_path": (str, None),
    "logging_verbosity": (str, "INFO"),
}


@pytest.mark.parametrize("name", ORIGINAL)
def test_option_of_the_original_is_there(name: str) -> None:
    actions = {action.dest: action for action in make_parser()._actions}
    action, (kind, default) = actions[name], ORIGINAL[name]
    if kind is bool:
        assert isinstance(action, argparse.BooleanOptionalAction)
    else:
        assert (action.type or str) is kind
    if default is not None:
        assert action.default == default
    assert action.help


def test_defaults_of_places_and_architecture() -> None:
    options = make_parser().parse_args(["--image_dir", "photos"])
    assert options.architecture == "mobilenet_1.0_224"
    assert options.output_dir == "tf_files"
    assert not any(str(value).startswith("/tmp") for value in vars(options).values())


def command(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run in `folder`, where the tutorial's user stands."""
    words = (sys.executable, "-m", "components.retrain", *options)
    return run_captured(*words, directory=folder, timeout_s=300)


PASTED = (
    "--image_dir=tf_files/photos",
    "--bottleneck_dir=tf_files/bottlenecks",
    "--how_many_training_steps=500",
    "--summaries_dir=tf_files/training_summaries/mobilenet_1.0_128",
    "--output_graph=tf_files/retrained_graph.pb",
    "--output_labels=tf_files/retrained_labels.txt",
    f"--architecture={SMALL_ARCHITECTURE}",
)
CLASSES = ("daisy", "roses", "tulips")


@pytest.fixture(scope="module")
def tutorial(
    tmp_path_factory: pytest.TempPathFactory, shared_photos: Path, backbone_cache: Path
) -> Path:
    """The tutorial's folder after its command, on real photos of three classes."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "tf_files/photos").mkdir(parents=True)
    for label in CLASSES:
        (folder / "tf_files/photos" / label).symlink_to(shared_photos / "flowers" / label)
    done = command(
        folder,
        *PASTED,
        f"--model_dir={backbone_cache}",
        "--print_misclassified_test_images",
        "--intermediate_store_frequency=250",
    )
    assert done.returncode == 0, done.stderr
    (folder / "log.txt").write_text(done.stderr)
    return folder


def test_pasted_command_writes_what_it_names(tutorial: Path) -> None:
    files = tutorial / "tf_files"
    assert tuple((files / "retrained_labels.txt").read_text().splitlines()) == CLASSES
    assert (files / "retrained_graph.pb").stat().st_size > 10_000_000
    intermediate = sorted(path.name for path in (files / "intermediate_graph").iterdir())
    assert intermediate == ["intermediate_250.pb"]
    runs = list((files / "training_summaries/mobilenet_1.0_128").iterdir())
    assert len(runs) == 1
    assert (runs[0] / "train").is_dir()
    log = (tutorial / "log.txt").read_text()
    assert "Final test accuracy = " in log
    assert "=== MISCLASSIFIED TEST IMAGES ===" in log
    assert Model(files / "model").description.recipe["optimizer"] == "sgd"


def test_forms_agree_on_fifty_real_photos(tutorial: Path, shared_photos: Path) -> None:
    import keras
    import tensorflow as tf

    folder = tutorial / "tf_files" / "model"
    files = sorted((shared_photos / "flowers").rglob("*.jpg"))[::4][:50]
    photos = np.stack([images.model_input(path.read_bytes(), 128) for path in files])
    assert len(photos) == 50
    expected = keras.models.load_model(folder / "model.keras").predict(photos, verbose=0)
    signature = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    saved = signature(input=tf.constant(photos))["final_result"].numpy()
    np.testing.assert_allclose(saved, expected, atol=1e-5)
    graph = tf.compat.v1.GraphDef.FromString(
        (tutorial / "tf_files/retrained_graph.pb").read_bytes()
    )
    with tf.compat.v1.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=imported) as session:
            frozen = session.run("final_result:0", {"input:0": photos})
    np.testing.assert_allclose(frozen, expected, atol=1e-5)
    np.testing.assert_allclose(Model(folder)(photos).probabilities, expected, atol=1e-4)


def test_second_run_reuses_bottlenecks_and_keeps_the_first_run_s_curves(
    tutorial: Path, backbone_cache: Path
) -> None:
    done = command(tutorial, *PASTED, f"--model_dir={backbone_cache}", "--no-int8")
    assert done.returncode == 0, done.stderr
    assert "120 photos, 0 computed now" in done.stderr
    summaries = tutorial / "tf_files/training_summaries/mobilenet_1.0_128"
    assert len(list(summaries.iterdir())) == 2


def test_changed_photo_is_computed_anew_and_a_moved_one_is_not(
    tutorial: Path, shared_photos: Path, backbone_cache: Path
) -> None:
    for label in CLASSES[:2]:
        (tutorial / "moved" / label).mkdir(parents=True)
        for path in sorted((shared_photos / "flowers" / label).iterdir())[:8]:
            shutil.copy(path, tutorial / "moved" / label / f"moved-{path.name}")
    changed = next((tutorial / "moved/daisy").iterdir())
    mushroom = next((shared_photos / "mushrooms").rglob("*.jpg"))
    shutil.copy(mushroom, changed)
    done = command(
        tutorial,
        "--image_dir=moved",
        "--output_dir=moved_files",
        "--bottleneck_dir=tf_files/bottlenecks",
        "--how_many_training_steps=10",
        f"--architecture={SMALL_ARCHITECTURE}",
        f"--model_dir={backbone_cache}",
        "--no-int8",
        "--saved_model_dir=moved_files/served",
    )
    assert done.returncode == 0, done.stderr
    assert "16 photos, 1 computed now" in done.stderr
    assert (tutorial / "moved_files/retrained_graph.pb").is_file()
    assert (tutorial / "moved_files/served/saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image_dir=nowhere",), "does not exist"),
        (("--image_dir=.", "--architecture=resnet"), "unknown architecture 'resnet'"),
        (("--image_dir=.", "--validation_percentage=95"), "nothing to train on"),
        (("--image_dir=.", "--final_tensor_name=a/b"), "--final_tensor_name"),
        (("--image_dir=.", "--intermediate_store_frequency=-1"), "--intermediate_store_frequency"),
        (("--image_dir=.", "--random_brightness=100"), "--random_brightness"),
        (("--image_dir=.", "--optimizer=lion"), "expected one of sgd, momentum, adam"),
        (("--image_dir=.", "--checkpoint_path=ftp://x"), "expected a folder, gs://"),
        (("--image_dir=nowhere", "--require_gpu"), "sees no GPU"),
    ],
)
def test_wrong_usage_is_one_message_and_leaves_nothing(
    tmp_path: Path, backbone_cache: Path, options: tuple[str, ...], message: str
) -> None:
    done = command(tmp_path, *options, f"--model_dir={backbone_cache}")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())


def test_bottlenecks_of_a_dataset_do_not_go_with_a_folder(tmp_path: Path) -> None:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "backbone.json").write_text("{}")
    (tmp_path / "photos").mkdir()
    done = command(tmp_path, "--image_dir=photos", "--bottleneck_dir=vectors")
    assert done.returncode == 2
    assert "the dataset they were computed from" in done.stderr


def test_onnx_without_its_packages_ends_the_command_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_form, "PACKAGES", ("no_such_package",))
    places = ["--image_dir", str(tmp_path), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(InputError, match="--export onnx needs no_such_package"):
        run(make_parser().parse_args([*places, "--export", "onnx"]))
    assert list(tmp_path.iterdir()) == []


def test_saved_model_goes_into_no_folder_with_files(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    done = command(tmp_path, "--image_dir=photos", "--saved_model_dir=full")
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_help_lists_every_option_of_the_original() -> None:
    done = run_captured(sys.executable, "-m", "components.retrain", "--help")
    assert done.returncode == 0
    for name in ORIGINAL:
        assert f"--{name}" in done.stdout
