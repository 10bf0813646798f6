"""The pretrained ImageNet weights of MobileNet v1: where the cache keeps them, and their format.

In the cache they are one `.npz` per architecture: plain arrays named `<layer>/<index>` in the order
of `keras.layers.Layer.get_weights`, no pickle. Their sha256 is over the arrays, not over the file,
so the same weights have the same hash wherever they came from.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.common.errors import InputError
from components.common.files import write_file

if TYPE_CHECKING:
    import keras

WEIGHTS_MAX_BYTES = 256 * 1024 * 1024
KERAS_WIDTHS = {"1.0": "1_0", "0.75": "7_5", "0.50": "5_0", "0.25": "2_5"}


@dataclass(frozen=True)
class Weights:
    """Arrays per layer, in the order of `get_weights`."""

    layers: dict[str, list[NDArray[np.float32]]]
    sha256: str

    @classmethod
    def of(cls, layers: dict[str, list[NDArray[np.float32]]]) -> "Weights":
        """Hash the arrays: names, shapes and little-endian float32 bytes, sorted by layer."""
        digest = hashlib.sha256()
        for name in sorted(layers):
            for index, array in enumerate(layers[name]):
                digest.update(f"{name}/{index} {array.shape}\n".encode())
                digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
        return cls(layers, digest.hexdigest())


def keras_file_name(architecture: str) -> str:
    """The name under which keras.applications publishes the weights of this architecture."""
    _, alpha, size = architecture.split("_")
    return f"mobilenet_{KERAS_WIDTHS[alpha]}_{size}_tf.h5"


def cache_file(architecture: str, cache_dir: Path) -> Path:
    """Where the cache keeps the weights of this architecture."""
    return cache_dir / "weights" / f"{architecture}.npz"


def cached_file(architecture: str, cache_dir: Path, given: str) -> Path | None:
    """The `.npz` to use without asking TensorFlow or the network, None where there is none yet.

    Raises:
        InputError: `given` names a file that is not there.
    """
    if not given:
        cached = cache_file(architecture, cache_dir)
        return cached if cached.is_file() else None
    path = Path(given).expanduser()
    if not path.is_file():
        raise InputError(f"no weights file at {path}: expected {keras_file_name(architecture)}")
    if path.suffix == ".npz":
        return path
    converted = given_cache_file(path, architecture, cache_dir)
    return converted if converted.is_file() else None


def given_cache_file(path: Path, architecture: str, cache_dir: Path) -> Path:
    """Where the cache keeps what a given `.h5` file was read into, by the file's content.

    Raises:
        InputError: the file is larger than any MobileNet's weights.
    """
    if path.stat().st_size > WEIGHTS_MAX_BYTES:
        raise InputError(f"{path} is larger than {WEIGHTS_MAX_BYTES} bytes: no MobileNet weights")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return cache_dir / "weights" / f"{architecture}-{digest[:16]}.npz"


def save_weights(weights: Weights, path: Path) -> None:
    """Store weights as `.npz`, whole or not at all."""
    buffer = io.BytesIO()
    arrays = {
        f"{name}/{index}": array
        for name, layer in sorted(weights.layers.items())
        for index, array in enumerate(layer)
    }
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_file(path, buffer.getvalue(), what="the pretrained weights")


def read_weights(path: Path) -> Weights:
    """Read an `.npz` of `save_weights`.

    Raises:
        InputError: the file is damaged or is none of ours.
    """
    layers: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                name, _, index = key.rpartition("/")
                layer = layers.setdefault(name, [])
                if int(index) != len(layer):
                    raise ValueError(f"array {key!r} is out of order")
                layer.append(np.asarray(arrays[key], dtype=np.float32))
    except (
        ValueError,
        TypeError,
        KeyError,
        OSError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
    ) as error:
        raise InputError(f"{path} holds no weights ({error}): remove it and run again") from error
    return Weights.of(layers)


def from_keras(model: "keras.Model") -> Weights:
    """The weights of a Keras model, by layer."""
    return Weights.of(
        {
            layer.name: [np.asarray(array, dtype=np.float32) for array in layer.get_weights()]
            for layer in model.layers
            if layer.weights
        }
    )


def apply_to_keras(weights: Weights, model: "keras.Model", *, head: bool = True) -> None:
    """Set a Keras model's weights by layer name.

    Args:
        weights: what to set.
        model: `keras.applications.MobileNet` of the same width.
        head: False for a model without the ImageNet head (`conv_preds`).

    Raises:
        InputError: a layer is missing or has another shape.
    """
    for layer in model.layers:
        if not layer.weights or (layer.name == "conv_preds" and not head):
            continue
        arrays = weights.layers.get(layer.name, [])
        expected = [tuple(variable.shape) for variable in layer.weights]
        if [array.shape for array in arrays] != expected:
            raise InputError(
                f"these weights do not fit {model.name}: layer {layer.name!r} wants shapes "
                f"{expected}, the file has {[array.shape for array in arrays]}"
            )
        layer.set_weights(arrays)
