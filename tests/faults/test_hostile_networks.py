"""Networks of strangers: LiteRT files that are damaged or of another kind, graphs that do more."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, run_captured
from faults.damaged_networks import graph_of
from faults.faults import cases

from components.common.base.errors import InputError
from components.common.model import layout
from components.common.model.description import ModelDescription
from components.common.model.model import Model, head_sha256
from components.common.network import backbone

NETWORK = Path(__file__).parent / "corpus" / "network.tflite"  # photos of 8 x 8 to two classes


def test_small_network_answers(tmp_path: Path) -> None:
    shutil.copy(NETWORK, tmp_path / "n.tflite")
    found = graph_of(tmp_path / "n.tflite")(np.zeros((1, 8, 8, 3), np.float32))
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_damaged_litert_file_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    number = str(cases(150, 5000))
    # A process that has no threads yet, since it is forked for each file.
    done = run_captured(
        *("env", f"PYTHONPATH={ROOT}:{ROOT / 'tests'}", sys.executable),
        *("-m", "faults.damaged_networks", str(NETWORK), str(tmp_path / "n.tflite"), number),
        timeout_s=1800,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"done", "refused"}, found
    assert found["refused"] > found["done"]


def test_tensor_of_gigabytes_is_refused_before_it_is_made() -> None:
    # Found by the test above: LiteRT fills the input that the file asks for.
    with pytest.raises(InputError, match="its tensor 'serving_input:0' has 805306560 values"):
        backbone.make_interpreter(NETWORK.with_name("huge-input.tflite"))


def test_operator_without_an_input_is_refused_before_it_is_prepared() -> None:
    # Found by the test above, among 5,000: LiteRT sometimes ended the process, or found no memory.
    with pytest.raises(InputError, match="its operator CONV_2D lacks an input"):
        backbone.make_interpreter(NETWORK.with_name("missing-input.tflite"))


def description(**changes: Any) -> ModelDescription:
    weights, biases = np.ones((1024, 2), np.float32), np.zeros(2, np.float32)
    sound = ModelDescription(
        ("a", "b"), "mobilenet_1.0_128", 128, "", head_sha256(weights, biases), "", "1"
    )
    return ModelDescription(**{**asdict(sound), "format_version": 2, **changes})


def model_folder(folder: Path, network: bytes) -> Path:
    """A model whose network is this."""
    weights, biases = np.ones((1024, 2), np.float32), np.zeros(2, np.float32)
    np.savez(folder / layout.HEAD, weights=weights, biases=biases)
    (folder / layout.LITERT).write_bytes(network)
    content = asdict(description())
    unsealed = {name: content[name] for name in content if name not in ("files", "sha256")}
    (folder / layout.DESCRIPTION).write_text(json.dumps(unsealed))
    return folder


@pytest.mark.parametrize(
    "network",
    [b"", b"TFL3" * 100, bytes(100_000), b"\x1c\0\0\0TFL3" + b"\xff" * 1000, b"<html>"],
    ids=["empty", "its name", "zeros", "a false start", "a page"],
)
def test_what_is_no_network_is_refused(tmp_path: Path, network: bytes) -> None:
    with pytest.raises(InputError, match=r"model\.tflite is not a LiteRT model"):
        Model(model_folder(tmp_path, network))


def test_network_of_something_else_is_refused(tmp_path: Path) -> None:
    found = Model(model_folder(tmp_path, NETWORK.read_bytes()))
    with pytest.raises(InputError, match=r"model\.tflite is not the network of this model"):
        found(np.zeros((1, 128, 128, 3), np.float32))
    with pytest.raises(InputError, match="is not the network of this model: 'bottleneck'"):
        found(np.zeros((1, 8, 8, 3), np.float32))


def test_network_of_other_shapes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {
        layout.SCORES: np.ones((1, 2), np.float32),
        layout.BOTTLENECK: np.ones((1, 1024), np.float32),
        layout.FEATURES: np.ones((1, 4, 4, 1024), np.float32),
    }
    for name in outputs:
        odd = {**outputs, name: outputs[name][..., :-1]}
        monkeypatch.setattr(backbone, "make_interpreter", lambda *_, odd=odd: lambda **_: odd)
        with pytest.raises(InputError, match="other shapes"):
            Model(model_folder(tmp_path, b"x"))(np.zeros((1, 128, 128, 3), np.float32))
    monkeypatch.setattr(backbone, "make_interpreter", lambda *_: lambda **_: outputs)
    found = Model(model_folder(tmp_path, b"x"))(np.zeros((1, 128, 128, 3), np.float32))
    assert found.probabilities.tolist() == [[1, 1]]


def frozen(path: Path, change: Callable[[Any, Any], None]) -> Path:
    """A frozen graph of the mean, changed."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 3), name="input")
        weights = tf.constant(np.zeros((192, 2), np.float32), name="weights")
        tf.nn.softmax(tf.matmul(tf.reshape(given, (1, 192)), weights), name="final_result")
    definition = graph.as_graph_def()
    change(definition, {node.name: node for node in definition.node})
    path.write_bytes(definition.SerializeToString())
    return path


def hidden_twin(definition: Any, nodes: Any) -> None:
    """A node that reads a file, under the name of one that is harmless, before and after it."""
    for _ in range(2):
        twin = type(definition)()
        twin.node.add(name="weights", op="ReadFile", input=["path"])
        twin.node.add(name="path", op="Const")
        twin.node.extend(definition.node)
        definition.CopyFrom(twin)


def splat(definition: Any, nodes: Any) -> None:
    """A constant of forty gigabytes in a few bytes."""
    tensor = nodes["weights"].attr["value"].tensor
    tensor.ClearField("tensor_content")
    tensor.float_val[:] = [1.0]
    tensor.tensor_shape.dim[0].size, tensor.tensor_shape.dim[1].size = 192, 50_000_000
    nodes["final_result"].input[:] = ["MatMul"]


def filled(definition: Any, nodes: Any) -> None:
    """Forty gigabytes made of two numbers."""
    size = definition.node.add(name="size", op="Const")
    size.attr["dtype"].type = size.attr["value"].tensor.dtype = 3
    size.attr["value"].tensor.int_val[:] = [10, 1_000_000_000]
    size.attr["value"].tensor.tensor_shape.dim.add(size=2)
    value = definition.node.add(name="value", op="Const")
    value.attr["dtype"].type = value.attr["value"].tensor.dtype = 1
    value.attr["value"].tensor.float_val[:] = [1.0]
    value.attr["value"].tensor.tensor_shape.SetInParent()
    made = definition.node.add(name="made", op="Fill", input=["size", "value"])
    made.attr["T"].type, made.attr["index_type"].type = 1, 3
    nodes["final_result"].input.append("^made")


def circle(definition: Any, nodes: Any) -> None:
    again = definition.node.add(name="again", op="Add", input=["final_result", "final_result"])
    again.attr["T"].type = 1
    nodes["MatMul"].input.append("^again")


def beside(definition: Any, nodes: Any) -> None:
    definition.node.add(name="evil", op="WriteFile", input=["path", "path"])
    definition.node.add(name="path", op="Const")
    nodes["final_result"].input.append("^evil")


def of_python(definition: Any, nodes: Any) -> None:
    definition.node.add(name="evil", op="PyFunc", input=["input"])
    nodes["final_result"].input.append("^evil")


def of_a_library(definition: Any, nodes: Any) -> None:
    definition.library.function.add().signature.name = "hidden"
    definition.node.add(name="call", op="hidden", input=["input"])
    nodes["final_result"].input.append("^call")


def elsewhere(definition: Any, nodes: Any) -> None:
    nodes["final_result"].device = "/job:worker/task:0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (hidden_twin, "is not unique"),
        (splat, "makes 9600000000 values"),
        (filled, "makes 10000000000 values"),
        (circle, "depends on itself"),
        (beside, "was not run: .*'WriteFile'"),
        (of_python, "was not run: .*'PyFunc'"),
        (of_a_library, "was not run: .*'hidden'"),
        (elsewhere, "does not take 8 x 8 pixels"),
    ],
)
def test_graph_that_does_more_than_compute_is_not_run(
    tmp_path: Path, change: Callable[[Any, Any], None], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        graph_of(frozen(tmp_path / "g.pb", change))
    assert len(str(caught.value)) < 800


def test_harmless_graph_is_run(tmp_path: Path) -> None:
    found = graph_of(frozen(tmp_path / "g.pb", lambda *_: None))
    answer = found(np.ones((1, 8, 8, 3), np.float32))
    np.testing.assert_allclose(answer.probabilities, [0.5, 0.5])
