"""A frozen graph as retrain.py wrote it, checked before it runs: it may come from a stranger.

Only this needs TensorFlow, which is imported here and nowhere else in this step.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.label_image.preprocessing import Preprocessing

# Of a frozen graph; InceptionV3 has 1,000 nodes in a chain of 200. TensorFlow goes along a chain by
# calls within calls, for which its stack has an end.
MAX_NODES, MAX_CHAIN = 50_000, 5_000
MAX_VALUES = 2**26  # of one tensor; InceptionV3 has 1.4 million of a photo
MAX_ALL_VALUES = 2**28  # of all tensors together, most of which TensorFlow frees as it goes
# InceptionV3 as retrain.py's default wrote it, from 2015 to 2019.
DECODER, INCEPTION_INPUT = "DecodeJpeg", "Mul"
INCEPTION_OPTIONS = (
    f"--input_layer {INCEPTION_INPUT} --input_height 299 --input_width 299 --input_mean 128 "
    "--input_std 128"
)
SHOWN_NAMES = 5
MESSAGE_MAX = 500  # characters of TensorFlow's own words

# A graph is a program, and may come from a stranger: these only compute. What classifiers of photos
# are made of, from TensorFlow 1.0 on; reading and writing files is not among it.
_OPERATIONS = """
Abs Add AddN AddV2 AvgPool BatchNormWithGlobalNormalization BiasAdd Cast CheckNumerics Concat
ConcatV2 Const Conv2D DepthwiseConv2dNative Dequantize Div Elu Erf Erfc Exp ExpandDims
FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill
FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 GatherV2 Identity IdentityN LRN LeakyRelu
LogSoftmax MatMul Max
MaxPool MaxPoolV2 Maximum Mean MirrorPad Min Minimum Mul Neg NoOp Pack Pad PadV2 Placeholder
PlaceholderWithDefault Pow Prod RealDiv Relu Relu6 Reshape ResizeBicubic ResizeBilinear
ResizeNearestNeighbor Rsqrt Selu Shape Sigmoid Slice Softmax Softplus Split SplitV Sqrt Square
SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Tanh Tile Transpose Unpack
"""
HARMLESS = frozenset(_OPERATIONS.split())

Run = Callable[[NDArray[np.float32]], Any]


def load_frozen(
    path: Path, input_layer: str, output_layer: str, preprocessing: Preprocessing
) -> tuple[Run, Preprocessing]:
    """Read a graph from where a photo comes in to where the probabilities are.

    What lies before the input, and what the output does not need, is neither looked at nor run.

    Args:
        path: of the graph.
        input_layer: name of the input.
        output_layer: name of the output.
        preprocessing: of the photos.

    Returns:
        What answers to one photo, and the preprocessing for the graph's own size.

    Raises:
        InputError: it is no graph, does more than compute or too much, lacks a name, or does not
            fit the photos.
    """
    tf = _tensorflow()
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's own types differ by its version
        raise InputError(f"{path} is not a frozen graph: {error}") from error
    nodes = {node.name: node for node in definition.node}
    names = [name.removesuffix(":0") for name in (input_layer, output_layer)]
    inputs = [name for name, node in nodes.items() if node.op.startswith("Placeholder")]
    for option, name in zip(("input", "output"), names, strict=True):
        if name not in nodes:
            raise InputError(
                f"there is no {name!r} in {path} (--{option}_layer): its inputs are "
                f"{some_names(inputs)}, and its last node is {some_names(list(nodes)[-1:])}"
                f"{_of_inception(nodes)}"
            )
    needed = _needed(nodes, *names)
    _check_nodes(path, {name: nodes[name] for name in needed}, names)
    _check_chain(path, {name: nodes[name] for name in needed})
    # Only what the output needs: graphs of retrain.py also hold nodes for its training.
    small = tf.compat.v1.GraphDef(versions=definition.versions)
    small.node.extend(node for node in definition.node if node.name in needed - {names[0]})
    _take_defaults(small)
    fitted = _fitted(path, nodes[names[0]], preprocessing)
    height, width = fitted.size
    try:
        with tf.Graph().as_default() as graph:
            # One photo of a known size: TensorFlow then infers what becomes of it.
            photo = tf.compat.v1.placeholder(tf.float32, (1, height, width, 3))
            tf.import_graph_def(small, {names[0]: photo}, name="")
        session = tf.compat.v1.Session(graph=graph)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise InputError(
            f"{path} cannot be loaded, or does not take {height} x {width} pixels "
            f"(--input_height, --input_width): {str(error)[:MESSAGE_MAX]}"
        ) from error
    _check_sizes(path, graph)
    return lambda batch: session.run(f"{names[1]}:0", {photo: batch}), fitted


def _tensorflow() -> Any:
    from components.common.network.convert import quiet_tensorflow

    quiet_tensorflow()
    try:
        import tensorflow as tf
    except ImportError as error:
        raise InputError(
            f"--graph with a frozen graph needs TensorFlow, which is not installed ({error}): "
            "install it, or use --model_dir, or a .tflite file"
        ) from error
    return tf


def _needed(nodes: dict[str, Any], given: str, output: str) -> set[str]:
    """Names of the nodes that an output is computed from, its own, and what is given among them."""
    needed: set[str] = set()
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name in needed or name not in nodes:
            continue
        needed.add(name)
        if name == given:
            continue
        waiting += map(_source, nodes[name].input)
    return needed


def _source(place: str) -> str:
    """The node that an input comes from: `^name` waits for it, `name:1` is its second output."""
    return place.removeprefix("^").partition(":")[0]


def _of_inception(nodes: Mapping[str, Any]) -> str:
    """For a message: the options for a graph that decodes its photo before the network's input."""
    if INCEPTION_INPUT not in nodes or not any(node.op == DECODER for node in nodes.values()):
        return ""
    return (
        f"; it decodes the photo itself: retrain.py's Inception takes {INCEPTION_OPTIONS}, as "
        "label_image.py did"
    )


def _check_nodes(path: Path, nodes: Mapping[str, Any], names: list[str]) -> None:
    operations = {name: node.op for name, node in nodes.items()}
    if len(operations) > MAX_NODES:
        raise InputError(f"{path} has {len(operations)} nodes: expected at most {MAX_NODES}")
    harmful = sorted(set(operations.values()) - HARMLESS)
    if harmful:
        raise InputError(
            f"{path} was not run: it holds operations that a photo classifier does not need: "
            f"{some_names(harmful)}{_of_inception(nodes)}"
        )
    if names[0] == names[1]:
        raise InputError(f"--input_layer and --output_layer are both {names[0]!r:.80}")
    if names[0] not in operations:
        raise InputError(f"{path}: {names[1]!r} does not depend on {names[0]!r} (--input_layer)")


def _take_defaults(definition: Any) -> None:
    """Let placeholders that nobody fills be their defaults: retrain.py's has a size of its own."""
    for node in definition.node:
        if node.op == "PlaceholderWithDefault":
            node.op = "Identity"
            node.attr["T"].CopyFrom(node.attr["dtype"])
            del node.attr["dtype"], node.attr["shape"]


def _fitted(path: Path, given: Any, preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing for the input's own size.

    Raises:
        InputError: the input says itself that it takes no photos of this size.
    """
    dimensions = [int(dimension.size) for dimension in given.attr["shape"].shape.dim]
    if not dimensions:
        return preprocessing
    fitted = preprocessing.fitted(*dimensions[1:3]) if len(dimensions) == 4 else preprocessing
    wanted = (1, *fitted.size, 3)
    fits = len(dimensions) == len(wanted) and all(
        size in (-1, wish) for size, wish in zip(dimensions, wanted, strict=True)
    )
    if not fits:
        raise InputError(
            f"{path} does not take {wanted[1]} x {wanted[2]} pixels (--input_height, "
            f"--input_width): the shape of {given.name!r:.80} is {dimensions}"
        )
    return fitted


def _check_chain(path: Path, nodes: dict[str, Any]) -> None:
    """Raise `InputError` where nodes depend on themselves, or on each other in too long a chain."""
    sources = {
        name: {_source(place) for place in node.input} & set(nodes) for name, node in nodes.items()
    }
    try:
        ordered = list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise InputError(f"{path}: {error.args[1][0]!r:.80} depends on itself") from error
    length: dict[str, int] = {}
    for name in ordered:
        length[name] = 1 + max((length[source] for source in sources[name]), default=0)
    longest = max(length.values())
    if longest > MAX_CHAIN:
        raise InputError(
            f"{path} was not run: {longest} nodes follow each other, but at most {MAX_CHAIN} are "
            "allowed"
        )


def _check_sizes(path: Path, graph: Any) -> None:
    """Raise `InputError` where tensors become far larger than a photo's features, or may."""
    together = 0
    for operation in graph.get_operations():
        for output in operation.outputs:
            if not output.shape.is_fully_defined():
                raise InputError(
                    f"{path} was not run: the output size of {operation.name!r:.80} is known only "
                    "when it runs; expected a graph whose sizes follow from the photo's"
                )
            values = math.prod(output.shape.as_list())
            together += values
            if values > MAX_VALUES:
                raise InputError(
                    f"{path} was not run: {operation.name!r:.80} makes {values} values, but at "
                    f"most {MAX_VALUES} are allowed"
                )
    if together > MAX_ALL_VALUES:
        raise InputError(
            f"{path} was not run: it makes {together} values in total, but at most "
            f"{MAX_ALL_VALUES} are allowed"
        )


def some_names(names: Iterable[str]) -> str:
    """The first few of a file's names, for a message."""
    listed = [f"{name!r:.80}" for name in names]
    more = f" and {len(listed) - SHOWN_NAMES} more" if len(listed) > SHOWN_NAMES else ""
    return (", ".join(listed[:SHOWN_NAMES]) or "none") + more
