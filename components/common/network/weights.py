"""The pretrained ImageNet weights: where the cache keeps them, and their format.

In the cache they are one `.npz` per architecture: plain arrays named `<layer>/<index>` in the order
of `keras.layers.Layer.get_weights`, no pickle. Their sha256 is over the arrays, not over the file,
so the same weights have the same hash wherever they came from.
"""

import collections
import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.files import SECOND_CACHE_VARIABLE, write_file
from components.common.network.architecture import Architecture
from components.common.untrusted.arrays import read_npz

if TYPE_CHECKING:
    import keras

WEIGHTS_MAX_BYTES = 256 * 1024 * 1024
# Layers that Keras names by a count over the whole process.
_COUNTED = re.compile(r"(conv2d|batch_normalization)(_\d+)?")


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


def caches(cache_dir: Path) -> list[Path]:
    """Where weights and converted networks may lie: the cache, and one that is only read."""
    second = os.environ.get(SECOND_CACHE_VARIABLE)
    return [cache_dir, Path(second)] if second else [cache_dir]


def cache_file(architecture: Architecture, cache_dir: Path) -> Path:
    """Where the cache keeps the weights of this architecture."""
    return cache_dir / "weights" / f"{architecture.name}.npz"


def published_file(architecture: Architecture, cache_dir: Path) -> str:
    """The file of keras.applications that a person put into the cache folder, or ""."""
    path = cache_dir / architecture.weights_file
    return str(path) if path.is_file() else ""


def cached_file(architecture: Architecture, cache_dir: Path, weights_path: str) -> Path | None:
    """The `.npz` to use without asking TensorFlow or the network, None where there is none yet.

    Raises:
        InputError: `weights_path` names a file that is not there.
    """
    if not weights_path:
        own, *baked = [cache_file(architecture, folder) for folder in caches(cache_dir)]
        if own.is_file():
            return own
        weights_path = published_file(architecture, cache_dir)
        if not weights_path:
            return next((cached for cached in baked if cached.is_file()), None)
    path = Path(weights_path).expanduser()
    if not path.is_file():
        raise InputError(f"no weights file at {path}: expected {architecture.weights_file}")
    if path.suffix == ".npz":
        return path
    converted = given_cache_file(path, architecture, cache_dir)
    return converted if converted.is_file() else None


def given_cache_file(path: Path, architecture: Architecture, cache_dir: Path) -> Path:
    """Where the cache keeps what a given `.h5` file was read into, by the file's content.

    Raises:
        InputError: the file is larger than any of these networks' weights.
    """
    if path.stat().st_size > WEIGHTS_MAX_BYTES:
        raise InputError(
            f"{path} is larger than {WEIGHTS_MAX_BYTES} bytes: no weights of these networks"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return cache_dir / "weights" / f"{architecture.name}-{digest[:16]}.npz"


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
        for key, array in read_npz(path).items():
            name, _, index = key.rpartition("/")
            layer = layers.setdefault(name, [])
            if array.dtype.kind not in "fiu":
                raise ValueError(f"array {key!r:.80} holds no numbers")
            if int(index) != len(layer):
                raise ValueError(f"array {key!r:.80} is out of order")
            layer.append(np.asarray(array, dtype=np.float32))
        check_finite(layers)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} holds no weights ({error}): remove it and run again") from error
    return Weights.of(layers)


def check_finite(layers: dict[str, list[NDArray[np.float32]]]) -> None:
    """Raise `ValueError` where a number is none: every answer would be none either."""
    for name, arrays in layers.items():
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError(f"the layer {name!r:.80} has numbers that are not finite")


def from_keras(model: "keras.Model") -> Weights:
    """The weights of a Keras model, by layer."""
    return Weights.of(
        {
            name: [np.asarray(array, dtype=np.float32) for array in layer.get_weights()]
            for name, layer in _named_layers(model)
        }
    )


def apply_to_keras(weights: Weights, model: "keras.Model") -> None:
    """Set a Keras model's weights by layer name.

    Args:
        weights: what to set.
        model: of the same architecture, with its ImageNet classifier.

    Raises:
        InputError: a layer is missing or has another shape.
    """
    for name, layer in _named_layers(model):
        arrays = weights.layers.get(name, [])
        expected = [tuple(variable.shape) for variable in layer.weights]
        if [array.shape for array in arrays] != expected:
            raise InputError(
                f"these weights do not fit {model.name}: layer {name!r} wants shapes "
                f"{expected}, the file has {[array.shape for array in arrays]}"
            )
        layer.set_weights(arrays)


def _named_layers(model: "keras.Model") -> Iterator[tuple[str, "keras.Layer"]]:
    """Layers with weights, by names that are the same in every process."""
    counts: collections.Counter[str] = collections.Counter()
    for layer in model.layers:
        if layer.weights:
            counted = _COUNTED.fullmatch(layer.name)
            if counted:
                counts[counted[1]] += 1
            yield f"{counted[1]}_{counts[counted[1]]}" if counted else layer.name, layer
