"""The form of the model for MediaPipe Tasks, on telephones and elsewhere.

MediaPipe's image classifier takes a LiteRT file with one output, and reads from the file's metadata
how to prepare a photo and what the classes are called.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from components.common.model import layout
from components.common.network.convert import INPUT
from components.retrain import litert_metadata

# From 0 to 255 to -1 to 1, as images.PREPROCESSING has it.
MEAN = DEVIATION = 127.5
ALIGNMENT = 16  # bytes; of every buffer's data, as TensorFlow's schema wants
FORMS = {layout.LITERT: layout.MEDIAPIPE, layout.INT8: layout.MEDIAPIPE_INT8}


def write(folder: Path, classes: Sequence[str]) -> None:
    """Write the form of each LiteRT file that is in a model's folder."""
    for source, target in FORMS.items():
        if (folder / source).is_file():
            (folder / target).write_bytes(make((folder / source).read_bytes(), classes))


def make(network: bytes, classes: Sequence[str]) -> bytes:
    """The same network with the probabilities as its only output, metadata and labels.

    Args:
        network: LiteRT with one signature, float32 or int8 within; its input is a photo.
        classes: in the order of the probabilities.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network))
    _keep_scores(model)
    metadata = litert_metadata.of_classifier(
        *(MEAN, DEVIATION),
        input_name=INPUT,
        output_name=layout.SCORES,
        description=f"Tells {len(classes)} classes apart.",
    )
    model.buffers.append(schema.BufferT(np.frombuffer(metadata, np.uint8)))
    entry = schema.MetadataT("TFLITE_METADATA", len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]
    builder = _AlignedBuilder(len(network) + len(metadata))
    builder.Finish(model.Pack(builder), b"TFL3")
    return litert_metadata.with_labels(bytes(builder.Output()), classes)


def _keep_scores(model: Any) -> None:
    """Take away every output but the probabilities, and the operations that only those needed."""
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    (scores,) = [output for output in signature.outputs if output.name == layout.SCORES.encode()]
    signature.outputs = [scores]
    graph.outputs = np.array([scores.tensorIndex], np.int32)
    needed = {scores.tensorIndex}
    kept = []
    for operator in reversed(graph.operators):  # each comes after those that it needs
        if not needed.isdisjoint(operator.outputs):
            kept.append(operator)
            needed.update(operator.inputs)
    graph.operators = kept[::-1]


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Puts numbers where the schema wants them, which its Python code forgets.

    Weights that are not at a multiple of 16 bytes are read slowly, or not at all, by some devices.
    """

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802
        """As the parent does."""
        self.Prep(ALIGNMENT, x.nbytes)
        return int(super().CreateNumpyVector(x))
