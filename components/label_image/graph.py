"""A network as retrain.py left it: a frozen graph, or a LiteRT file, with a file of labels.

Only a frozen graph (.pb) needs TensorFlow, which is imported here and nowhere else in this step.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.network import backbone
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.label_image.answers import Guess

GRAPH_MAX_BYTES = 512 * 1024**2  # InceptionV3 has 90 MB
LABELS_MAX_BYTES = 1024 * 1024
LABELS_FILE = "retrained_labels.txt"
LITERT_SUFFIXES = (".tflite", ".lite")
MAX_SIDE = 4096  # pixels of the network's input
USUAL_SIDE = 224  # where neither the network nor a person says it
# Of a frozen graph; InceptionV3 has 1,000 nodes in a chain of 200. TensorFlow goes along a chain by
# calls within calls, for which its stack has an end.
MAX_NODES, MAX_CHAIN = 50_000, 5_000
MAX_VALUES = 2**26  # of one tensor; InceptionV3 has 1.4 million of a photo
MAX_ALL_VALUES = 2**28  # of all tensors together, most of which TensorFlow frees as it goes
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


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input.

    Attributes:
        height, width: pixels; None for what the network says of itself, else `USUAL_SIDE`.
        mean: subtracted from each value, which is 0 to 255.
        std: what the difference is divided by.
    """

    height: int | None = None
    width: int | None = None
    mean: float = 127.5
    std: float = 127.5

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if side is not None and not 1 <= side <= MAX_SIDE:
                raise InputError(f"--input_{name} is {side}: expected 1 to {MAX_SIDE} pixels")
        if not (np.isfinite(self.mean) and np.isfinite(self.std) and self.std):
            raise InputError(
                f"--input_mean is {self.mean} and --input_std {self.std}: expected numbers, and "
                "--input_std not 0"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height or USUAL_SIDE, self.width or USUAL_SIDE

    def fitted(self, height: int, width: int) -> "Preprocessing":
        """The same for a network that says its height and width; -1 where it takes any."""
        return replace(
            self,
            height=self.height or (height if 0 < height <= MAX_SIDE else None),
            width=self.width or (width if 0 < width <= MAX_SIDE else None),
        )

    def __call__(self, data: bytes) -> NDArray[np.float32]:
        """An encoded photo as float32 of shape (height, width, 3), RGB.

        Raises:
            BadPhoto: it is no photo, or it is damaged.
        """
        height, width = self.size
        pixels = images.decode(data, max(height, width))
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        scaled: NDArray[np.float32] = resized.astype(np.float32) - np.float32(self.mean)
        return scaled / np.float32(self.std)


class Graph:
    """A frozen graph or LiteRT file, ready to run.

    Args:
        path: of the .pb or .tflite file.
        labels: file with one class name a line; by default `retrained_labels.txt` beside `path`.
        preprocessing: of the photos.
        input_layer: name of the network's input.
        output_layer: name of its output, the probabilities of the classes.
        threads: that a LiteRT file may use.

    Raises:
        InputError: a file is missing or damaged, a name is not in it, the network does not fit the
            labels or the size of the input, or TensorFlow is missing.
    """

    def __init__(
        self,
        path: Path,
        labels: Path | None,
        preprocessing: Preprocessing,
        *,
        input_layer: str,
        output_layer: str,
        threads: int = backbone.THREADS,
    ) -> None:
        _check_size(path)
        self.classes = read_labels(_labels_file(path, labels))
        self._name = str(path)
        names = (input_layer, output_layer)
        if path.suffix.lower() in LITERT_SUFFIXES:
            self._run, self.pixels = _litert(path, *names, threads, preprocessing)
        else:
            self._run, self.pixels = _frozen(path, *names, preprocessing)
        # Once on nothing: what does not fit is told before the first photo is read.
        self(np.zeros((1, *self.pixels.size, 3), np.float32))

    def __call__(self, batch: NDArray[np.float32]) -> Guess:
        """The answer to one photo, float32 of shape (1, height, width, 3)."""
        try:
            scores = np.asarray(self._run(batch))
        except Exception as error:  # of many types, LiteRT's and TensorFlow's
            height, width = batch.shape[1:3]
            short = str(error).strip().partition("\n")[0][:MESSAGE_MAX]
            raise InputError(
                f"{self._name} does not take {height} x {width} pixels (--input_height, "
                f"--input_width): {short}"
            ) from error
        if scores.size != len(self.classes) or scores.dtype.kind != "f":
            raise InputError(
                f"{self._name} gives {scores.size} numbers of type {scores.dtype} for a photo, but "
                f"the labels name {counted(len(self.classes), 'class', 'classes')}: expected "
                "a probability for each"
            )
        return Guess(scores.reshape(-1).astype(np.float32))

    def predict_each(self, photos: Iterable[bytes]) -> Iterator[Guess | BadPhoto]:
        """The answer to each encoded photo in order, or why it is no usable photo."""
        for data in photos:
            try:
                pixels = self.pixels(data)
            except BadPhoto as bad:
                yield bad
            else:
                # Graphs of retrain.py take one photo at a time.
                yield self(pixels[np.newaxis])


def read_labels(path: Path) -> tuple[str, ...]:
    """The class names of a file with one a line.

    Raises:
        InputError: it is missing, too large, no text, or names no class.
    """
    if not path.is_file() or path.stat().st_size > LABELS_MAX_BYTES:
        raise InputError(
            f"the labels {path} are missing or larger than {LABELS_MAX_BYTES} bytes: expected a "
            "text file with one class a line"
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"the labels {path} are not UTF-8 text: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise InputError(f"the labels {path} name no class: expected one a line")
    return labels


def _labels_file(graph: Path, labels: Path | None) -> Path:
    beside = graph.with_name(LABELS_FILE)
    if labels is None and not beside.is_file():
        raise InputError(f"--graph needs --labels: there is no {LABELS_FILE} beside {graph}")
    return labels or beside


def _check_size(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"there is no file at {path}: --graph takes a .pb or .tflite file")
    if not 0 < path.stat().st_size <= GRAPH_MAX_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes: expected 1 to {GRAPH_MAX_BYTES}")


def _litert(
    path: Path, input_layer: str, output_layer: str, threads: int, preprocessing: Preprocessing
) -> tuple[Run, Preprocessing]:
    runner: Any = backbone.make_interpreter(path, threads)
    try:
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    except (ValueError, RuntimeError, TypeError) as error:  # names that are no text
        raise InputError(f"{path} cannot be loaded as a LiteRT model: {error}") from error
    for name, known in ((input_layer, inputs), (output_layer, outputs)):
        if name not in known:
            raise InputError(
                f"there is no {name!r:.80} in {path}: its signature has {_some(known)}"
            )

    shape = tuple(inputs[input_layer]["shape_signature"])
    if len(shape) != 4 or shape[3] != 3:
        raise InputError(f"{path} takes no photos: the shape of {input_layer!r:.80} is {shape}")
    height, width = map(int, shape[1:3])
    fitted = preprocessing.fitted(height, width)
    # LiteRT would take any size and answer nonsense; -1 stands for any.
    if {height, width} != {-1} and (height, width) != fitted.size:
        raise InputError(
            f"{path} takes photos of {height} x {width} pixels: set --input_height {height} and "
            f"--input_width {width}"
        )

    return lambda batch: runner(**{input_layer: batch})[output_layer], fitted


def _frozen(
    path: Path, input_layer: str, output_layer: str, preprocessing: Preprocessing
) -> tuple[Run, Preprocessing]:
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
                f"{_some(inputs)}, and its last node is {_some(list(nodes)[-1:])}"
            )
    needed = _needed(nodes, *names)
    _check_nodes(path, [nodes[name] for name in needed], names)
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


def _check_nodes(path: Path, nodes: Iterable[Any], names: list[str]) -> None:
    operations = {node.name: node.op for node in nodes}
    if len(operations) > MAX_NODES:
        raise InputError(f"{path} has {len(operations)} nodes: expected at most {MAX_NODES}")
    harmful = sorted(set(operations.values()) - HARMLESS)
    if harmful:
        raise InputError(
            f"{path} was not run: it holds operations that a photo classifier does not need: "
            f"{_some(harmful)}"
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


def _some(names: Iterable[str]) -> str:
    """The first few names for a message; they come from the file."""
    listed = [f"{name!r:.80}" for name in names]
    more = f" and {len(listed) - SHOWN_NAMES} more" if len(listed) > SHOWN_NAMES else ""
    return (", ".join(listed[:SHOWN_NAMES]) or "none") + more
