"""The consumers of `benchmarks.forms`, each run by the Python of its own virtual environment.

Writes the probabilities that a form of the model gives for each photo, as a NumPy file. All but
MediaPipe are given the network's input; MediaPipe opens, resizes and scales the photos itself.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 20
Array = Any  # of float32; numpy.typing differs among the versions that this runs with


def batches(inputs: Path) -> Iterator[Array]:
    """The photos as the network's input, some at a time."""
    given = np.load(inputs, mmap_mode="r")
    for start in range(0, len(given), BATCH):
        yield np.array(given[start : start + BATCH])


def mediapipe(form: Path, photos: Path) -> Array:
    """By MediaPipe Tasks; the labels that it shows must be those of the model."""
    from mediapipe import Image
    from mediapipe.tasks.python import BaseOptions, vision

    labels = form.with_name("retrained_labels.txt").read_text(encoding="utf-8").splitlines()
    options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=str(form)))
    found = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for photo in photos.read_text(encoding="utf-8").splitlines():
            answer = classifier.classify(Image.create_from_file(photo)).classifications[0]
            scores = {category.index: category for category in answer.categories}
            assert [scores[place].category_name for place in range(len(scores))] == labels
            found.append([scores[place].score for place in range(len(scores))])
    return np.array(found, np.float32)


def onnxruntime(form: Path, inputs: Path) -> Array:
    """By ONNX Runtime, on the processor."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(form), providers=["CPUExecutionProvider"])
    return np.concatenate(
        [session.run(["final_result"], {"input": batch})[0] for batch in batches(inputs)]
    )


def litert(form: Path, inputs: Path) -> Array:
    """By LiteRT, or by the TensorFlow Lite of an older TensorFlow."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter

    run = Interpreter(str(form)).get_signature_runner()
    return np.concatenate([run(input=batch)["final_result"] for batch in batches(inputs)])


def keras(form: Path, inputs: Path) -> Array:
    """By Keras."""
    from keras.models import load_model

    model = load_model(form)
    return np.concatenate([np.asarray(model(batch)) for batch in batches(inputs)])


def saved_model(form: Path, inputs: Path) -> Array:
    """By TensorFlow, the SavedModel's default signature."""
    import tensorflow as tf

    run = tf.saved_model.load(str(form)).signatures["serving_default"]
    found = [run(input=tf.constant(batch))["final_result"].numpy() for batch in batches(inputs)]
    return np.concatenate(found)


def frozen(form: Path, inputs: Path) -> Array:
    """By TensorFlow, in a session as in 2017."""
    from tensorflow import compat

    graph = compat.v1.GraphDef.FromString(form.read_bytes())
    with compat.v1.Graph().as_default(), compat.v1.Session() as session:
        compat.v1.import_graph_def(graph, name="")
        found = [session.run("final_result:0", {"input:0": batch}) for batch in batches(inputs)]
    return np.concatenate(found)


CONSUMERS: dict[str, Callable[[Path, Path], Array]] = {
    run.__name__: run for run in (mediapipe, onnxruntime, litert, keras, saved_model, frozen)
}


def main() -> None:
    """`forms_peers.py CONSUMER FORM PHOTOS OUTPUT`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    name, form, photos, output = sys.argv[1:]
    np.save(output, CONSUMERS[name](Path(form), Path(photos)))


if __name__ == "__main__":
    main()
