"""A pretrained network as feature extractor on LiteRT: features and ImageNet scores, no TensorFlow.

A backbone is converted once (network/convert.py, in a process of its own because it needs
TensorFlow) and cached under the key of everything that its output depends on.
"""

import contextlib
import copy
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError, WorkError
from components.common.base.files import hash_file
from components.common.network import weights
from components.common.network.architecture import Architecture, parse_architecture
from components.common.network.views import VIEWS, input_size
from components.common.photos import images

ENGINE = "litert-fp32-xnnpack"
# Change it when convert.py makes something else of the same weights.
CONVERSION = "1"
MODEL_FILE = "backbone.tflite"
DESCRIPTION_FILE = "backbone.json"
HASH_FILE = "backbone.sha256"  # of backbone.tflite as it was written
HASH_DIGITS = 64
DESCRIPTION_MAX_BYTES = 64 * 1024
MAX_VALUES = 2**28  # of one tensor; InceptionV3 has 1.4 million of a photo
MESSAGE_MAX = 500  # characters of LiteRT's own words
THREADS = 2
CONVERT_TIMEOUT_S = 900


@dataclass(frozen=True)
class BackboneKey:
    """Everything that a bottleneck's value depends on, beside the photo: the cache key."""

    architecture: str
    input_size: int
    weights_sha256: str
    engine: str = ENGINE
    conversion: str = CONVERSION
    decoder: str = images.DECODER
    preprocessing: str = images.PREPROCESSING
    views: int = 1

    @property
    def fields(self) -> dict[str, str | int]:
        """What is written of it; without `views` where there is one, as before there were more."""
        content = asdict(self)
        if self.views == 1:
            del content["views"]
        return content

    @property
    def digest(self) -> str:
        """SHA-256 over the fields, for file names."""
        return hashlib.sha256(json.dumps(self.fields, sort_keys=True).encode()).hexdigest()


def read_key(path: Path) -> BackboneKey:
    """The key that a `backbone.json` holds.

    Raises:
        ValueError, TypeError, OSError: it is missing, too large, or no such description.
    """
    with open(path, "rb") as file:
        data = file.read(DESCRIPTION_MAX_BYTES + 1)
    if len(data) > DESCRIPTION_MAX_BYTES:
        raise ValueError(f"{path.name} has more than {DESCRIPTION_MAX_BYTES} bytes")
    try:
        return make_key(json.loads(data), path.name)
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error


def make_key(fields: Mapping[str, object], name: str) -> BackboneKey:
    """The key that the fields of a file of this name say.

    Raises:
        ValueError, TypeError: they are others than a key's, or of the wrong type.
    """
    key = BackboneKey(**fields)  # type: ignore[arg-type]
    numbers = (key.input_size, key.views)
    texts = [value for field, value in asdict(key).items() if field not in ("input_size", "views")]
    if {*map(type, numbers)} != {int} or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} holds values of the wrong type")
    if key.views not in VIEWS:
        raise ValueError(f"{name} names {key.views} views: expected one of {VIEWS}")
    return key


def make_interpreter(
    model: Path, threads: int = THREADS
) -> Callable[..., dict[str, NDArray[np.float32]]]:
    """Load a LiteRT model; returns its one signature as a function of named arrays.

    Outputs are read by name: their order in the file is not that of the model.

    Raises:
        InputError: the file is missing or is no LiteRT model.
    """
    from ai_edge_litert.interpreter import Interpreter

    if not model.is_file():
        raise InputError(f"{model} is missing: this is not a complete model directory")
    try:
        with without_notice(b"XNNPACK delegate"):
            interpreter = Interpreter(model_path=str(model), num_threads=threads)
            _check_sizes(interpreter)
            _check_operators(interpreter)
            interpreter.allocate_tensors()
            signature = interpreter.get_signature_runner()
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            f"{model} is not a LiteRT model that can be loaded: {str(error)[:MESSAGE_MAX]}"
        ) from error
    runner: Callable[..., dict[str, NDArray[np.float32]]] = signature
    return runner


def _check_sizes(interpreter: Any) -> None:
    """Raise `ValueError` where a tensor is far larger than any of a network that sees photos."""
    for tensor in interpreter.get_tensor_details():
        values = math.prod(int(size) for size in tensor["shape"])
        if not 0 <= values <= MAX_VALUES:
            raise ValueError(f"its tensor {tensor['name']!r:.80} has {values} values")


def _check_operators(interpreter: Any) -> None:
    """Raise `ValueError` where an operator lacks an input that LiteRT would read all the same.

    A layer without a bias has -1 for its third input; without one of the first two, LiteRT says so
    or ends the process, as the memory happens to lie.
    """
    for operator in interpreter._get_ops_details():  # there is no public way
        if min(operator["inputs"][:2], default=0) < 0:
            raise ValueError(f"its operator {operator['op_name']:.80} lacks an input")


@contextlib.contextmanager
def without_notice(text: bytes) -> Iterator[None]:
    """Hold back what LiteRT's C++ writes to standard error, and drop the lines with this text."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held.readlines():
                if text not in line:
                    os.write(2, line)


class Backbone:
    """A converted backbone, ready to run on the CPU.

    Args:
        directory: where `backbone.tflite` and `backbone.json` are.
        threads: that it computes with.

    Raises:
        InputError: a file is missing or damaged.
    """

    def __init__(self, directory: Path, threads: int = THREADS) -> None:
        self._directory = directory
        try:
            self.key = read_key(directory / DESCRIPTION_FILE)
        except (ValueError, TypeError, OSError) as error:
            raise InputError(
                f"{directory} holds no converted network ({DESCRIPTION_FILE} is damaged: {error}): "
                "remove it and run again"
            ) from error
        network, written = directory / MODEL_FILE, directory / HASH_FILE
        # Caches of earlier versions have none.
        if written.is_file() and network.is_file():
            with open(written, encoding="ascii", errors="replace") as file:
                expected = file.read(HASH_DIGITS)
            # It would compute something, and nobody would see that it is wrong.
            if hash_file(network) != expected:
                raise InputError(f"{network} is damaged: remove {directory} and run again")
        self.architecture = parse_architecture(self.key.architecture)
        self._run = make_interpreter(network, threads)

    def __call__(
        self, batch: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features and ImageNet probabilities of a batch.

        Args:
            batch: float32 array of shape (N, size, size, 3), RGB, -1 to 1.

        Returns:
            bottlenecks, float32 (N, D), and ImageNet probabilities, float32 (N, 1000).
        """
        outputs = self._run(input=batch)
        return outputs["bottleneck"], outputs["imagenet"]

    def for_one_thread(self) -> "Backbone":
        """The same network once more, for a thread of its own: the same results to the last bit."""
        # What is in the folder was checked when this one was made.
        other = copy.copy(self)
        other._run = make_interpreter(self._directory / MODEL_FILE, threads=1)
        return other


def load_backbone(
    architecture: str, cache_dir: Path, given_weights: str = "", views: int = 1
) -> Backbone:
    """The backbone from the cache, converted first where it is not there yet.

    Raises:
        InputError: unknown architecture, or `given_weights` is no weights file for it.
        WorkError: the weights are not to be had, or the conversion failed.
    """
    parsed = parse_architecture(architecture)
    directory = _converted(parsed, cache_dir, given_weights, views)
    if directory is None:
        _convert_in_another_process(parsed.name, cache_dir, given_weights, views)
        directory = _converted(parsed, cache_dir, given_weights, views)
    if directory is None:
        raise WorkError(f"the conversion of {architecture} left no network in {cache_dir}")
    return Backbone(directory)


def is_converted(
    architecture: str, cache_dir: Path, given_weights: str = "", views: int = 1
) -> bool:
    """Whether `load_backbone` finds the backbone in the cache."""
    found = _converted(parse_architecture(architecture), cache_dir, given_weights, views)
    return found is not None


def key_of(architecture: Architecture, weights_sha256: str, views: int) -> BackboneKey:
    """The cache key of an architecture with these weights and so many views."""
    size = input_size(architecture.size, views)
    return BackboneKey(architecture.name, size, weights_sha256, views=views)


def key_directory(key: BackboneKey, cache_dir: Path) -> Path:
    """Where the converted backbone of this key lives."""
    return cache_dir / "backbones" / f"{key.architecture}-{key.digest[:16]}"


def _converted(
    architecture: Architecture, cache_dir: Path, given_weights: str, views: int
) -> Path | None:
    """The folder of the converted backbone, None where there is none yet."""
    cached = weights.cached_file(architecture, cache_dir, given_weights)
    if cached is None:
        return None
    key = key_of(architecture, weights.read_weights(cached).sha256, views)
    folders = (key_directory(key, folder) for folder in weights.caches(cache_dir))
    return next((directory for directory in folders if directory.is_dir()), None)


def _convert_in_another_process(
    architecture: str, cache_dir: Path, given_weights: str, views: int
) -> None:
    command = [sys.executable, "-m", "components.common.network.convert", architecture]
    weights_path = str(Path(given_weights).expanduser().resolve()) if given_weights else ""
    command += ["--cache_dir", str(cache_dir.resolve()), "--weights", weights_path]
    command += ["--views", str(views)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=CONVERT_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        message = _error_message(done.stderr)
        raise (InputError if done.returncode == InputError.exit_status else WorkError)(message)


def _error_message(stderr: str) -> str:
    """The message after "convert: error:", or the last lines of whatever went wrong."""
    _, separator, message = stderr.rpartition("convert: error: ")
    if separator:
        return message.strip()
    return "the backbone could not be converted:\n" + "\n".join(stderr.strip().splitlines()[-8:])
