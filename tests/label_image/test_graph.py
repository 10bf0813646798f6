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
from components.label_image.graph import Graph, read_labels
from components.label_image.preprocessing import Preprocessing

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


SIDES = ("--input_height", SIDE, "--input_width", SIDE)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        # That takes TensorFlow, which takes seconds to start.
        pytest.param("retrained_graph.pb", SIDES, marks=pytest.mark.long),
        ("retrained_graph.pb", ()),
        ("model.tflite", SIDES),
        ("model.tflite", ()),
    ],
)
def test_answer_of_a_graph_is_the_model_s_without_temperature(
    sample_run: Run, photo: Path, name: str, sides: tuple[str | int, ...]
) -> None:
    """Whether a person says its size or it says so itself."""
    model = sample_run.directory / "model"
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
    with pytest.raises(InputError, match=r"was not run: .*'ReadFile', 'StringLength'"):
        load(path)


def of_runtime_size(grow: str) -> Callable[[object, object], object]:
    """Something that grows by as much as the photo says."""

    def build(tf: object, given: object) -> object:
        size = tf.cast(tf.reduce_max(given) * 0 + 28000, tf.int32)  # type: ignore[attr-defined]
        grown = eval(grow, {"tf": tf, "x": given, "size": size})
        return of_means(tf, tf.reshape(tf.reduce_mean(grown), (1, 1)))  # type: ignore[attr-defined]

    return build


@pytest.mark.parametrize(
    "grow",
    [
        "tf.fill(tf.stack([size, size]), 1.0)",
        "tf.tile(tf.reshape(x, [1, -1]), tf.stack([size, 1]))",
        "tf.compat.v1.image.resize_bilinear(x, tf.stack([size, size]))",
        "tf.pad(x, tf.fill([4, 2], size))",
        "tf.pad(x, tf.fill([4, 2], size - 28005))",  # cuts, where others grow
        "tf.reshape(x, tf.stack([size - 28001, -1]))",
        "tf.reshape(x, [-1, 1])[:size] * tf.reshape(x, [1, -1])[:, :size]",
    ],
)
def test_graph_whose_sizes_are_known_only_when_it_runs_is_not_run(
    tmp_path: Path, grow: str
) -> None:
    path = small_graph(tmp_path / "graph.pb", of_runtime_size(grow))
    with pytest.raises(InputError, match="is known only when it runs"):
        load(path)


@pytest.mark.parametrize(
    "grow",
    [
        "tf.fill([9000, 9000], tf.reduce_max(x))",
        "tf.add_n([tf.fill([8192, 8000], tf.reduce_max(x)) + i for i in range(6)])",
    ],
)
def test_graph_that_makes_far_too_much_is_not_run(tmp_path: Path, grow: str) -> None:
    path = small_graph(tmp_path / "graph.pb", of_runtime_size(grow))
    with pytest.raises(InputError, match=r"was not run: .*makes \d+ values"):
        load(path)


def test_sizes_that_follow_from_the_photo_s_are_no_obstacle(tmp_path: Path) -> None:
    """As Keras flattens: the shape is asked for, taken apart and put together again."""

    def flattened(tf: object, given: object) -> object:
        batch = tf.shape(given)[0]  # type: ignore[attr-defined]
        flat = tf.reshape(given, tf.stack([batch, 192]))  # type: ignore[attr-defined]
        larger = tf.compat.v1.image.resize_bilinear(  # type: ignore[attr-defined]
            given,
            tf.shape(given)[1:3] * 2,  # type: ignore[attr-defined]
        )
        mean = tf.reduce_mean(flat, [0, 1]) + 0 * tf.reduce_mean(larger, [0, 1, 2, 3])  # type: ignore[attr-defined]
        return of_means(tf, tf.reshape(mean, (1, 1)))  # type: ignore[attr-defined]

    graph = load(small_graph(tmp_path / "graph.pb", flattened))
    assert graph(np.full((1, 8, 8, 3), 0.25, np.float32)).probabilities[0] == pytest.approx(0.25)


def inception(folder: Path) -> Path:
    """Like retrain.py's first architecture.

    A decoder lies before `Mul`, before the head a placeholder that has a default, and a file that
    is written depends on the answer.
    """
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        contents = tf.compat.v1.placeholder(tf.string, (), name="DecodeJpeg/contents")
        decoded = tf.cast(tf.io.decode_jpeg(contents, channels=3), tf.float32)
        sized = tf.compat.v1.image.resize_bilinear(tf.expand_dims(decoded, 0), [8, 8])
        scaled = tf.multiply(tf.reshape(sized, (1, 8, 8, 3)), 1 / 128, name="Mul")
        features = tf.reduce_mean(scaled, [1, 2])
        given = tf.compat.v1.placeholder_with_default(features, [None, 3], name="Bottleneck")
        answer = tf.nn.softmax(
            tf.matmul(given, tf.constant([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])), name="final_result"
        )
        tf.io.write_file("answer.txt", tf.io.serialize_tensor(answer))
    path = folder / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "retrained_labels.txt").write_text("red\ngreen\n")
    return path


@pytest.mark.parametrize("name", ["input", "DecodeJpeg/contents"])
def test_graph_that_decodes_photos_itself_is_told_its_options(tmp_path: Path, name: str) -> None:
    path = inception(tmp_path)
    with pytest.raises(InputError, match=r"--input_layer Mul --input_height 299 .*--input_std 128"):
        Graph(path, None, Preprocessing(), input_layer=name, output_layer="final_result")


def test_graph_of_retrain_s_first_architecture_is_taken_up_from_its_input(tmp_path: Path) -> None:
    """What lies before the input or beyond the output is no reason to refuse it."""
    path = inception(tmp_path)
    loaded = Graph(
        path,
        None,
        Preprocessing(height=8, width=8),
        input_layer="Mul",
        output_layer="final_result",
    )
    red = np.zeros((1, 8, 8, 3), np.float32)
    red[..., 0] = 1
    first, second = loaded(red).probabilities
    assert first == pytest.approx(np.e / (1 + np.e))
    assert first + second == pytest.approx(1)


def chained(path: Path, links: int, *, closed: bool = False) -> Path:
    """A graph in which so many nodes that do nothing follow each other."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(small_graph(path, of_means).read_bytes())
    (last,) = (node for node in definition.node if node.name == "final_result")
    before = last.input[0]
    for number in range(links):
        loops = closed and number == 0
        node = definition.node.add(name=f"link{number}", op="Mul" if loops else "Identity")
        node.input.extend([before, f"link{links - 1}"] if loops else [before])
        node.attr["T"].type = tf.float32.as_datatype_enum
        before = node.name
    last.input[0] = before
    path.write_bytes(definition.SerializeToString())
    return path


@pytest.mark.long  # a graph of so many nodes takes TensorFlow a while
def test_chains_without_end_are_not_run(tmp_path: Path) -> None:
    assert load(chained(tmp_path / "graph.pb", 300))
    with pytest.raises(InputError, match=r"60\d\d\d nodes: expected at most 50000"):
        load(chained(tmp_path / "graph.pb", 60_000))
    with pytest.raises(InputError, match=r"300\d\d nodes follow each other, but at most 5000"):
        load(chained(tmp_path / "graph.pb", 30_000))
    with pytest.raises(InputError, match=r"'link\d+' depends on itself"):
        load(chained(tmp_path / "graph.pb", 3, closed=True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"output_layer": "softmax"}, r"no 'softmax' in .*--output_layer.*inputs are 'input'"),
        ({"height": 9}, r"does not take 9 x 8 pixels"),
        ({"height": 0}, r"--input_height is 0"),
        ({"std": 0}, r"--input_std not 0"),
        ({"output_layer": "input"}, r"--input_layer and --output_layer are both 'input'"),
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
    assert "needs TensorFlow, which is not installed" in done.stderr
    assert "Traceback" not in done.stderr
