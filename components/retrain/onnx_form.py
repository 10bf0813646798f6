"""The ONNX form of the model, which tf2onnx makes of the frozen graph where it is asked for."""

import importlib.util
import logging
from pathlib import Path

from components.common.base.errors import InputError
from components.common.model import layout
from components.common.network.convert import INPUT
from components.retrain.options import ONNX

PACKAGES = ("onnx", "tf2onnx")
# Of the operators' definitions; ONNX Runtime reads it since 1.14 (2023).
OPERATOR_SET = 17


def check_packages(wanted: str) -> None:
    """Raise `InputError` where ONNX is wanted and a package that it takes is not installed.

    Args:
        wanted: the option `export`.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if wanted == ONNX and missing:
        raise InputError(
            f"--export {ONNX} needs {' and '.join(missing)}: install the extra onnx (pip install "
            "'wild-mushrooms[onnx]'), or leave out --export"
        )


def write(folder: Path, final_tensor_name: str) -> None:
    """Write `model.onnx` of the frozen graph that is in a model's folder.

    Its input is called `input`, float32 (N, size, size, 3), RGB, -1 to 1, and its output
    `final_result`: probabilities, float32 (N, classes).

    Args:
        folder: of the model.
        final_tensor_name: name of the frozen graph's output.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    graph = tf.compat.v1.GraphDef.FromString((folder / layout.FROZEN).read_bytes())
    given, scores = f"{INPUT}:0", f"{final_tensor_name}:0"
    model, _ = tf2onnx.convert.from_graph_def(
        graph,
        name="the frozen graph",
        input_names=[given],
        output_names=[scores],
        opset=OPERATOR_SET,
        tensors_to_rename={given: INPUT, scores: layout.SCORES},
    )
    (folder / layout.ONNX).write_bytes(model.SerializeToString(deterministic=True))
