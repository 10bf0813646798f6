"""retrain.py's own form of a network: label_image.py's options, and graphs from strangers."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, run_captured

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.model.model import Model
from components.common.photos import images
from components.label_image.graph import Graph, Preprocessing, read_labels

SIDE = 128  # of the network of `sample_run`


def label(*options: str | Path) -> "subprocess.CompletedProcess[str]":
    return run_captured(sys.executable, "-m", "components.label_image", *map(str, options))


@pytest.fixture
def photo(sample_run: Run, tmp_path: Path) -> Path:
    dataset = Dataset(sample_run.directory / "demo")
    path = tmp_path / "photo.jpg"
    path.write_bytes(dataset.read(dataset.photos[0]))
    return path


def small_graph(path: Path, build: Callable[[object, object], object]) -> Path:
    """Write a frozen graph: `build` makes `final_result` of `input`, float32 (1, 8, 8, 3)."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 3), name="input")
        tf.identity(build(tf, given), name="final_result")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    path.with_name("retrained_labels.txt").write_text("dark\nbright\n")
    return path


def of_means(tf: object, given: object) -> object:
    """Two "probabilities": the mean of what goes in, and 1 minus that."""
    mean = tf.reduce_mean(given)  # type: ignore[attr-defined]
    return tf.reshape(tf.stack([mean, 1 - mean]), (1, 2))  # type: ignore[attr-defined]


def load(path: Path, *, output_layer: str = "final_result", **options: float) -> Graph:
    preprocessing = Preprocessing(**{"height": 8, "width": 8, **options})  # type: ignore[arg-type]
    return Graph(path, None, preprocessing, input_layer="input", output_layer=output_layer)


@pytest.mark.parametrize("name", ["retrained_graph.pb", "model.tflite"])
def test_answer_of_a_graph_is_the_model_s_without_temperature(
    sample_run: Run, photo: Path, name: str
) -> None:
    model = sample_run.directory / "model"
    sides = ("--input_height", SIDE, "--input_width", SIDE)
    labels = ("--labels", model / "retrained_labels.txt")
    done = label("--graph", model / name, *labels, *sides, "--image", photo)
    assert done.returncode == 0, done.stderr
    first, blank, *answers = done.stdout.splitlines()
    assert re.fullmatch(r"Evaluation time \(1-image\): \d+\.\d{3}s", first)
    assert blank == ""
    known = Model(model)
    expected = next(known.predict_each([photo.read_bytes()])).uncalibrated
    scores = dict(re.fullmatch(r"([\w ]+) \(score=([\d.]+)\)", line).groups() for line in answers)
    assert set(scores) == set(known.classes)
    for name, score in zip(known.classes, expected, strict=True):
        assert float(scores[name]) == pytest.approx(float(score), abs=2e-4)


def test_litert_file_says_which_size_it_takes(sample_run: Run, photo: Path) -> None:
    model = sample_run.directory / "model"
    done = label("--graph", model / "model.tflite", "--input_height", 100, "--image", photo)
    assert done.returncode == 2
    assert f"set --input_height {SIDE} and --input_width {SIDE}" in done.stderr


def test_graph_that_is_not_there_is_told_before_its_labels(tmp_path: Path) -> None:
    done = label("--graph", tmp_path / "nope.pb", "--image", "photo.jpg")
    assert done.returncode == 2
    assert f"there is no file at {tmp_path / 'nope.pb'}" in done.stderr


def test_mean_of_0_and_other_scales_are_honoured(tmp_path: Path) -> None:
    path = small_graph(tmp_path / "graph.pb", of_means)
    white = images.encode(np.full((64, 64, 3), 255, np.uint8))
    for mean, std, expected in ((127.5, 127.5, 1.0), (0, 255, 1.0), (0, 510, 0.5), (51, 255, 0.8)):
        found = next(load(path, mean=mean, std=std).predict_each([white]))
        assert found.probabilities[0] == pytest.approx(expected, abs=1e-5)  # type: ignore[union-attr]


def test_mean_of_0_on_the_command_line_is_honoured(tmp_path: Path) -> None:
    path = small_graph(tmp_path / "graph.pb", of_means)
    (tmp_path / "grey.png").write_bytes(images.encode(np.full((64, 64, 3), 102, np.uint8)))
    sides = ("--input_height", 8, "--input_width", 8, "--input_mean", 0, "--input_std", 255)
    done = label("--graph", path, *sides, "--image", tmp_path / "grey.png")
    assert "dark (score=0.40000)" in done.stdout, done.stderr


def test_graph_that_reads_files_is_not_run(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")

    def reading(tf: object, given: object) -> object:
        length = tf.strings.length(tf.io.read_file(str(secret)))  # type: ignore[attr-defined]
        return of_means(tf, given) + tf.cast(length, tf.float32)  # type: ignore[attr-defined]

    path = small_graph(tmp_path / "graph.pb", reading)
    with pytest.raises(InputError, match=r"was not run: 'ReadFile', 'StringLength'"):
        load(path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"output_layer": "softmax"}, r"no 'softmax' in .*--output_layer.*inputs are 'input'"),
        ({"height": 9}, r"does not take 9 x 8 pixels"),
        ({"height": 0}, r"--input_height is 0"),
        ({"std": 0}, r"--input_std not 0"),
        ({"output_layer": "input"}, r"gives 192 numbers"),
    ],
)
def test_what_does_not_fit_is_told(
    tmp_path: Path, options: dict[str, float], expected: str
) -> None:
    path = small_graph(tmp_path / "graph.pb", of_means)
    with pytest.raises(InputError, match=expected):
        load(path, **options)  # type: ignore[arg-type]


def test_output_that_ignores_the_photo_is_told(tmp_path: Path) -> None:
    path = small_graph(tmp_path / "graph.pb", lambda tf, _: tf.constant([[0.5, 0.5]]))  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="does not depend on 'input'"):
        load(path)


@pytest.mark.parametrize("name", ["graph.pb", "graph.tflite"])
@pytest.mark.parametrize("content", [b"", b"no graph at all" * 10, b"\x0a\xff\xff\xff\xff\x0f"])
def test_file_that_is_no_graph_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "retrained_labels.txt").write_text("dark\nbright\n")
    with pytest.raises(InputError, match=name):
        load(tmp_path / name)


def test_labels_are_needed_and_looked_for_beside_the_graph(tmp_path: Path) -> None:
    path = small_graph(tmp_path / "graph.pb", of_means)
    assert load(path).classes == ("dark", "bright")
    path.with_name("retrained_labels.txt").unlink()
    done = label("--graph", path, "--image", path)
    assert done.returncode == 2
    assert "--graph needs --labels" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\xfd"])
def test_labels_that_are_none_are_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(InputError, match="labels"):
        read_labels(tmp_path / "labels.txt")


def test_without_tensorflow_a_frozen_graph_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(b"x")
    (tmp_path / "retrained_labels.txt").write_text("dark\n")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    script = (
        "import sys; sys.modules['tensorflow'] = None; sys.argv[1:] = "
        f"['--graph', {str(tmp_path / 'graph.pb')!r}, {str(tmp_path / 'photo.jpg')!r}]; "
        "from components.label_image.__main__ import main; main()"
    )
    done = run_captured(sys.executable, "-c", script)
    assert done.returncode == 2
    assert "needs TensorFlow, which is not here" in done.stderr
    assert "Traceback" not in done.stderr
