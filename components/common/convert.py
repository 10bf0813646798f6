"""Convert a backbone to LiteRT, once: `python -m components.common.convert mobilenet_1.0_224`.

The only way from weights to features; a process of its own, so that steps which only run the
backbone never import TensorFlow.
"""

import argparse
import contextlib
import functools
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.common import backbone, weights, weights_sources
from components.common.architecture import parse_architecture
from components.common.files import atomic_directory, default_cache_dir
from components.common.step import run_command

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def convert(architecture_name: str, cache_dir: Path, given_weights: str = "") -> Path:
    """Put the LiteRT form of an architecture into the cache and return its directory.

    The model's signature: `input` float32 (N, size, size, 3) to `bottleneck` float32 (N, D) and
    `imagenet` float32 (N, 1000), probabilities.
    """
    architecture = parse_architecture(architecture_name)
    found = weights_sources.obtain(architecture, cache_dir, given_weights)
    key = backbone.key_of(architecture, found.sha256)
    directory = backbone.key_directory(key, cache_dir)
    if directory.is_dir():
        return directory
    import keras

    network = architecture.build()
    weights.apply_to_keras(found, network)
    features = network.get_layer(architecture.family.feature_layer).output
    outputs = {
        "bottleneck": keras.layers.GlobalAveragePooling2D(name="bottleneck")(features),
        "imagenet": network.output,
    }
    model = keras.Model(network.input, outputs)
    with atomic_directory(
        directory, what="the converted backbone", marker=backbone.DESCRIPTION_FILE
    ) as temporary:
        with tempfile.TemporaryDirectory() as folder:
            save_endpoints({"features": model}, architecture.size, Path(folder))
            converted = to_litert(Path(folder), "features")
        (temporary / backbone.MODEL_FILE).write_bytes(converted)
        description = json.dumps(asdict(key), indent=2, sort_keys=True)
        (temporary / backbone.DESCRIPTION_FILE).write_text(description + "\n")
    return directory


def save_endpoints(
    models: "Mapping[str, keras.Model]",
    size: int,
    directory: Path,
    functions: "Mapping[str, tuple[Callable[..., object], tf.TensorSpec]] | None" = None,
) -> None:
    """Write a SavedModel with one signature per model; the first is `serving_default` too.

    Each takes `input`, float32 (N, size, size, 3), and gives the model's outputs by their names.

    Args:
        models: by the names of their signatures.
        size: pixels of the square input.
        directory: where to.
        functions: further signatures: what they run on these models, and what they take.
    """
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    specification = tf.TensorSpec((None, size, size, 3), tf.float32, name="input")
    for name, model in models.items():
        archive.track(model)
        inference = functools.partial(model, training=False)
        archive.add_endpoint(name, inference, input_signature=[specification])
    for name, (function, taken) in (functions or {}).items():
        archive.add_endpoint(name, function, input_signature=[taken])
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every endpoint
        archive.write_out(str(directory), verbose=False)


def to_litert(
    saved_model: Path, endpoint: str, samples: "Iterable[NDArray[np.float32]] | None" = None
) -> bytes:
    """One endpoint of a SavedModel as LiteRT, outputs under their names.

    Args:
        saved_model: its directory.
        endpoint: the signature.
        samples: batches of one input each; given, weights and activations become int8 in the range
            that these show, while inputs and outputs stay float32.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=[endpoint]
    )
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            (endpoint, {"input": sample}) for sample in samples
        )
    with backbone.without_notice(b"fully_quantize"):
        converted: bytes = converter.convert()
    return converted


def quiet_tensorflow() -> None:
    """Keep TensorFlow's chatter out of the log. Call before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Also one order of summation on every processor: the same weights give the same numbers.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    warnings.filterwarnings("ignore", module="tensorflow|keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("architecture")
    parser.add_argument("--cache_dir", type=Path, default=default_cache_dir())
    parser.add_argument("--weights", default="", help="a Keras .h5 or our .npz weights file")
    quiet_tensorflow()
    run_command(
        "convert",
        parser,
        lambda options: print(convert(options.architecture, options.cache_dir, options.weights)),
    )


if __name__ == "__main__":
    main()
