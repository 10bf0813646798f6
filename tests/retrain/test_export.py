"""The forms of the model, made of one graph."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from components.common.base.errors import InputError
from components.common.network import backbone, convert, keras_form, views, weights
from components.common.network.architecture import Architecture, parse_architecture
from components.retrain import export, mediapipe_form, onnx_form, quantize
from components.retrain.head import Head

OUTPUT = "answer"
CLASSES = ("fly agaric", "Schäfchen", "0")


@pytest.fixture(
    scope="module",
    params=[
        ("mobilenet_0.25_128", 1),
        ("mobilenet_0.25_128", 5),
        ("efficientnet_lite0", 1),
        pytest.param(("efficientnet_lite0", 2), marks=pytest.mark.long),
    ],
)
def kind(request: pytest.FixtureRequest) -> tuple[str, int]:
    """The smallest network of each design, with one view and with several."""
    return request.param


@pytest.fixture(scope="module")
def architecture(kind: tuple[str, int]) -> Architecture:
    return parse_architecture(kind[0])


@pytest.fixture(scope="module")
def folder(
    kind: tuple[str, int], architecture: Architecture, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """All forms of a network with random weights, and how often Keras ran it."""
    import keras

    convert.quiet_tensorflow()
    keras.utils.set_random_seed(0)
    network = architecture.build()
    length = keras_form.feature_map(network).shape[-1]
    kernel = np.random.default_rng(0).normal(0, 0.1, (length, 3))
    head = Head(kernel.astype(np.float32), np.zeros(3, np.float32))
    models = export.build(architecture, weights.from_keras(network), head, kind[1])
    first = next(layer for layer in models.classifier.layers if layer.weights)
    run, runs = first.call, []
    first.call = lambda batch: runs.append(1) or run(batch)
    made = tmp_path_factory.mktemp("model")
    size = views.input_size(architecture.size, kind[1])
    export.write(models, size, made, final_tensor_name=OUTPUT)
    (made / "runs.txt").write_text(str(len(runs)))
    return made


@pytest.fixture(scope="module")
def batch(kind: tuple[str, int], architecture: Architecture) -> np.ndarray:
    """Four inputs, float32."""
    size = views.input_size(architecture.size, kind[1])
    shape = (4, size, size, 3)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def test_network_is_traced_once_for_all_forms(folder: Path) -> None:
    assert (folder / "runs.txt").read_text() == "1"


def test_weights_are_in_the_saved_model_once(folder: Path) -> None:
    saved = sum(path.stat().st_size for path in (folder / "saved_model/variables").iterdir())
    assert saved == pytest.approx((folder / "model.tflite").stat().st_size, rel=0.2)


def test_forms_agree_under_every_signature(folder: Path, batch: np.ndarray) -> None:
    import keras
    import tensorflow as tf

    expected = np.asarray(keras.models.load_model(folder / "model.keras")(batch))
    seen = backbone.make_interpreter(folder / "model.tflite")(input=batch)
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    inspected = loaded.signatures["inspect"](input=tf.constant(batch))
    assert seen.keys() == inspected.keys() == {"final_result", "bottleneck", "features"}
    for name, values in seen.items():
        np.testing.assert_allclose(inspected[name].numpy(), values, atol=1e-4)
    for name in ("serve", "serving_default"):
        served = loaded.signatures[name](input=tf.constant(batch))
        np.testing.assert_allclose(served["final_result"].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(seen["final_result"], expected, atol=1e-5)


def test_keras_can_use_the_saved_model_as_a_layer(folder: Path, batch: np.ndarray) -> None:
    import keras

    layer = keras.layers.TFSMLayer(str(folder / "saved_model"), call_endpoint="serve")
    original = keras.models.load_model(folder / "model.keras")
    assert len(layer.weights) == len(original.weights)
    found = layer(batch)["final_result"]
    np.testing.assert_allclose(np.asarray(found), np.asarray(original(batch)), atol=1e-5)


def test_nodes_of_the_frozen_graph_have_one_order(folder: Path) -> None:
    import tensorflow as tf

    written = (folder / "retrained_graph.pb").read_bytes()
    graph = tf.compat.v1.GraphDef.FromString(written)
    shuffled = tf.compat.v1.GraphDef(versions=graph.versions)
    shuffled.node.extend(
        graph.node[i] for i in np.random.default_rng(0).permutation(len(graph.node))
    )
    assert shuffled.SerializeToString(deterministic=True) != written
    assert export.in_one_order(shuffled).SerializeToString(deterministic=True) == written
    seen: set[str] = set()
    for node in graph.node:
        assert {taken.lstrip("^").partition(":")[0] for taken in node.input} <= seen
        seen.add(node.name)


def test_frozen_graph_has_the_name_asked_for_and_no_other_output(
    folder: Path, batch: np.ndarray
) -> None:
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString((folder / "retrained_graph.pb").read_bytes())
    read = {name.split(":")[0] for node in definition.node for name in node.input}
    assert {node.name for node in definition.node} - read == {OUTPUT}
    with tf.compat.v1.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            found = session.run(f"{OUTPUT}:0", {"input:0": batch})
    seen = backbone.make_interpreter(folder / "model.tflite")(input=batch)
    np.testing.assert_allclose(found, seen["final_result"], atol=1e-5)


def test_int8_form_is_that_of_the_converter(
    folder: Path, batch: np.ndarray, tmp_path: Path
) -> None:
    import tensorflow as tf

    samples = [one[None] for one in batch]
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"), ["inspect"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (("inspect", {"input": one}) for one in samples)
    (tmp_path / "theirs.tflite").write_bytes(converter.convert())
    ours = quantize.to_int8((folder / "model.tflite").read_bytes(), samples)
    (tmp_path / "ours.tflite").write_bytes(ours)
    found, expected = (
        backbone.make_interpreter(tmp_path / f"{name}.tflite")(input=batch)
        for name in ("ours", "theirs")
    )
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.fixture(scope="module")
def for_mediapipe(folder: Path) -> bytes:
    return mediapipe_form.make((folder / "model.tflite").read_bytes(), CLASSES)


def test_form_for_mediapipe_gives_the_same_probabilities_and_nothing_else(
    folder: Path, for_mediapipe: bytes, batch: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "mediapipe.tflite").write_bytes(for_mediapipe)
    expected = backbone.make_interpreter(folder / "model.tflite")(input=batch)
    found = backbone.make_interpreter(tmp_path / "mediapipe.tflite")(input=batch)
    assert found.keys() == {"final_result"}
    np.testing.assert_array_equal(found["final_result"], expected["final_result"])


def test_form_for_mediapipe_holds_no_operation_that_its_output_does_not_need(
    for_mediapipe: bytes,
) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(for_mediapipe))
    (graph,) = model.subgraphs
    read = {tensor for operator in graph.operators for tensor in operator.inputs}
    made = {tensor for operator in graph.operators for tensor in operator.outputs}
    assert made - read == set(graph.outputs)
    assert len(graph.outputs) == 1


def test_form_for_mediapipe_has_its_weights_where_devices_read_them(for_mediapipe: bytes) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(for_mediapipe)
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    filled = [buffer for buffer in buffers if buffer.DataLength()]
    assert len(filled) > 20
    for buffer in filled:
        place = buffer._tab.Vector(buffer._tab.Offset(4))
        assert place % 16 == 0


def test_form_for_mediapipe_holds_labels_and_metadata(for_mediapipe: bytes) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    with zipfile.ZipFile(io.BytesIO(for_mediapipe)) as archive:
        (file,) = archive.infolist()
        assert (file.filename, file.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(file).decode() == "fly agaric\nSchäfchen\n0\n"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(for_mediapipe))
    (place,) = [entry.buffer for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    assert bytes(model.buffers[place].data)[4:8] == b"M001"


def test_form_for_mediapipe_is_the_same_each_time(folder: Path, for_mediapipe: bytes) -> None:
    again = mediapipe_form.make((folder / "model.tflite").read_bytes(), CLASSES)
    assert again == for_mediapipe


@pytest.fixture(scope="module")
def onnx(folder: Path) -> Path:
    onnx_form.write(folder, OUTPUT)
    return folder / "model.onnx"


def test_onnx_form_agrees(folder: Path, onnx: Path, batch: np.ndarray) -> None:
    from onnxruntime import InferenceSession

    session = InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    (given,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (given.name, scores.name) == ("input", "final_result")
    assert given.shape[1:] == list(batch.shape[1:])
    expected = backbone.make_interpreter(folder / "model.tflite")(input=batch)["final_result"]
    for some in (batch, batch[:1]):  # of any number of photos
        (found,) = session.run(["final_result"], {"input": some})
        np.testing.assert_allclose(found, expected[: len(some)], atol=1e-5)


def test_onnx_form_without_its_packages_is_told_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    onnx_form.check_packages("onnx")
    monkeypatch.setattr(onnx_form, "PACKAGES", ("no_such_package",))
    onnx_form.check_packages("none")
    with pytest.raises(InputError, match=r"no_such_package.*pip install 'wild-mushrooms\[onnx\]'"):
        onnx_form.check_packages("onnx")
