"""Convert a backbone to LiteRT, once.

`python -m components.common.network.convert mobilenet_1.0_224`

The only way from weights to features; a process of its own, so that steps which only run the
backbone never import TensorFlow.
"""

import argparse
import gc
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from components.common.base.files import atomic_directory, default_cache_dir
from components.common.base.options import refuse
from components.common.base.step import run_command
from components.common.network import backbone, weights_sources
from components.common.network.architecture import parse_architecture
from components.common.network.view_layers import pretrained_network
from components.common.network.views import VIEWS

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from tensorflow.types.experimental import ConcreteFunction

INPUT = "input"
PATTERN = re.compile(r"[][*?\\]")  # what TensorFlow takes for patterns in the path of a SavedModel
TEMPORARY_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - a folder of our own is made in it


def convert(
    architecture_name: str, cache_dir: Path, given_weights: str = "", views: int = 1
) -> Path:
    """Put the LiteRT form of an architecture into the cache and return its directory.

    The model's signature: `input` float32 (N, size, size, 3) to `bottleneck` float32 (N, D) and
    `imagenet` float32 (N, 1000), probabilities.

    Raises:
        InputError: unknown architecture or number of views, or wrong weights.
        WorkError: the weights are not to be had.
    """
    if views not in VIEWS:
        refuse("views", views, f"one of {', '.join(map(str, VIEWS))}")
    architecture = parse_architecture(architecture_name)
    pretrained = weights_sources.obtain(architecture, cache_dir, given_weights)
    key = backbone.key_of(architecture, pretrained.sha256, views)
    directory = backbone.key_directory(key, cache_dir)
    if directory.is_dir():
        return directory
    load_tensorflow()
    import keras

    seen = pretrained_network(architecture, pretrained, views, bottleneck="bottleneck")
    outputs = {"bottleneck": seen.bottleneck, "imagenet": seen.imagenet}
    model = keras.Model(seen.input, outputs)
    with atomic_directory(
        directory, what="the converted backbone", marker=backbone.DESCRIPTION_FILE
    ) as temporary:
        converted = to_litert(freeze(trace(model, key.input_size)), "features", temporary)
        (temporary / backbone.MODEL_FILE).write_bytes(converted)
        (temporary / backbone.HASH_FILE).write_text(hashlib.sha256(converted).hexdigest() + "\n")
        description = json.dumps(key.fields, indent=2, sort_keys=True)
        (temporary / backbone.DESCRIPTION_FILE).write_text(description + "\n")
    return directory


def trace(
    model: "keras.Model", size: int, names: Mapping[str, str] | None = None
) -> "ConcreteFunction":
    """The graph of a model: the one that all forms are made of, since tracing takes a while.

    Its input is called `input`, float32 (N, size, size, 3); its outputs are the model's, by name.

    Args:
        model: its output is a dictionary.
        size: pixels of the square input.
        names: of outputs that get an operation of another name in the graph.
    """
    import tensorflow as tf

    specification = tf.TensorSpec((None, size, size, 3), tf.float32, name=INPUT)

    def run(batch: "tf.Tensor") -> "dict[str, tf.Tensor]":
        outputs = dict(model(batch, training=False))
        for name, other_name in (names or {}).items():
            outputs[name] = tf.identity(outputs[name], name=other_name)
        return outputs

    # AutoGraph would look for Python control flow in Keras, where there is none to be found.
    return tf.function(run, [specification], autograph=False).get_concrete_function()


@dataclass(frozen=True)
class Frozen:
    """A graph with its weights as constants, and the names of its outputs in their order."""

    function: "ConcreteFunction"
    outputs: tuple[str, ...]


def freeze(traced: "ConcreteFunction") -> Frozen:
    """Copy the weights into the graph as they are now."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    # TensorFlow flattens a dictionary in the order of its keys.
    outputs = tuple(sorted(traced.structured_outputs))
    return Frozen(convert_variables_to_constants_v2(traced), outputs)


def to_litert(frozen: Frozen, endpoint: str, scratch: Path) -> bytes:
    """LiteRT with one signature, inputs and outputs under their names.

    The converter loads the SavedModel that it reads twice in Python. It is given one without
    variables and with a single function, whose loading takes next to nothing.

    Args:
        frozen: the graph.
        endpoint: name of the signature.
        scratch: folder for that SavedModel, which is gone at the end. It lies elsewhere where
            TensorFlow would take the folder's path for a pattern of file names.
    """
    import tensorflow as tf

    def run(batch: "tf.Tensor") -> "dict[str, tf.Tensor]":
        return dict(zip(frozen.outputs, frozen.function(batch), strict=True))

    shape = frozen.function.inputs[0].shape
    specification = tf.TensorSpec(shape, tf.float32, name=INPUT)
    signature = tf.function(run, [specification], autograph=False)
    with tempfile.TemporaryDirectory(dir=_without_pattern(scratch)) as folder:
        # Gradients nobody asks for here; those of swish cannot be saved without its variables.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(tf.Module(), folder, {endpoint: signature}, options)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, [endpoint])
        converted: bytes = converter.convert()
    return converted


def _without_pattern(folder: Path) -> str:
    """The folder, or the first temporary one whose path TensorFlow takes as it is."""
    places = (str(folder.resolve()), tempfile.gettempdir(), *TEMPORARY_FOLDERS)
    return next(place for place in places if not PATTERN.search(place))


def quiet_tensorflow() -> None:
    """Keep TensorFlow's chatter out of the log. Call before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Also one order of summation on every processor: the same weights give the same numbers.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # One process alone works with a file of HDF5 here, and network disks may refuse to lock it.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    warnings.filterwarnings("ignore", module="tensorflow|keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)


def load_tensorflow() -> None:
    """Import TensorFlow and Keras in half the processor time that a plain import takes."""
    quiet_tensorflow()
    if "tensorflow" in sys.modules:
        return
    collecting = gc.isenabled()
    # Keras looks for scikit-learn, for a wrapper that nothing here uses, and that loads SciPy.
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    hidden = "sklearn" not in modules
    if hidden:
        modules["sklearn"] = None  # as if it were not installed
    gc.disable()
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        if hidden:
            del modules["sklearn"]
        if collecting:
            gc.enable()
    # A million objects that stay: no later collection needs to look at them.
    gc.freeze()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("architecture")
    parser.add_argument("--cache_dir", type=Path, default=default_cache_dir())
    parser.add_argument("--weights", default="", help="a Keras .h5 or our .npz weights file")
    parser.add_argument("--views", type=int, default=1, help="of a photo")
    quiet_tensorflow()
    run_command(
        "convert",
        parser,
        lambda options: print(
            convert(options.architecture, options.cache_dir, options.weights, options.views)
        ),
    )


if __name__ == "__main__":
    main()
