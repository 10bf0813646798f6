"""A network as retrain.py left it: a frozen graph, or a LiteRT file, with a file of labels."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.network import backbone
from components.common.photos.images import BadPhoto
from components.label_image.answers import Guess
from components.label_image.frozen_graph import MESSAGE_MAX, Run, load_frozen, some_names
from components.label_image.preprocessing import Preprocessing

GRAPH_MAX_BYTES = 512 * 1024**2  # InceptionV3 has 90 MB
LABELS_MAX_BYTES = 1024 * 1024
LABELS_FILE = "retrained_labels.txt"
LITERT_SUFFIXES = (".tflite", ".lite")


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
            self._run, self.pixels = load_frozen(path, *names, preprocessing)
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
                f"there is no {name!r:.80} in {path}: its signature has {some_names(known)}"
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
