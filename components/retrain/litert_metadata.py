"""What a LiteRT file says of its own input and output, for programs that prepare photos by it.

The metadata is a flatbuffer of the schema `mediapipe/tasks/metadata/metadata_schema.fbs` of
github.com/google-ai-edge/mediapipe (version 1.5.0, identifier M001), and the file of labels that it
names is in a ZIP archive after the network's own end. It is written here by hand: tflite-support,
which did this, had its last release in 2023, before Python 3.12, and MediaPipe's own writer comes
with all of MediaPipe. `make test-forms` tests that MediaPipe understands it.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import flatbuffers
import numpy as np
from numpy.typing import NDArray

IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"  # nothing of what came later is used
LABELS = "labels.txt"

# Values of the schema's enumerations and unions.
_TENSOR_AXIS_LABELS = 2  # AssociatedFileType
_FEATURES, _IMAGE = 1, 2  # ContentProperties
_RGB = 1  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions

_Value: TypeAlias = "int | str | NDArray[np.float32] | Sequence[_Table] | _Table"


@dataclass(frozen=True)
class _Table:
    """A table of the schema: values by the number of their field, which its order there gives.

    A number stands for one byte: an enumeration, or which kind a union holds, whose value is in the
    next field.
    """

    values: Mapping[int, _Value]


def of_classifier(
    mean: float, deviation: float, *, input_name: str, output_name: str, description: str
) -> bytes:
    """The metadata of a network that takes a photo and gives a probability for each label.

    Args:
        mean: subtracted from each of the photo's values, which are 0 to 255.
        deviation: what the difference is divided by.
        input_name: of the photo.
        output_name: of the probabilities.
        description: of the network, in a sentence.
    """
    scaling = _Table({0: _numbers(mean), 1: _numbers(deviation)})
    highest, lowest = (255 - mean) / deviation, (0 - mean) / deviation
    photo = _Table(
        {
            0: input_name,
            1: "The whole photo, upright, squeezed into the square.",
            3: _Table({0: _IMAGE, 1: _Table({0: _RGB})}),
            4: [_Table({0: _NORMALIZATION, 1: scaling})],
            5: _Table({0: _numbers(highest), 1: _numbers(lowest)}),
        }
    )
    labels = _Table({0: LABELS, 1: "The classes, one a line.", 2: _TENSOR_AXIS_LABELS})
    probabilities = _Table(
        {
            0: output_name,
            1: "The probability of each class, in the order of the labels.",
            3: _Table({0: _FEATURES, 1: _Table({})}),
            5: _Table({0: _numbers(1), 1: _numbers(0)}),
            6: [labels],
        }
    )
    network = _Table({2: [photo], 3: [probabilities]})
    model = _Table({0: "ImageClassifier", 1: description, 3: [network], 7: PARSER_VERSION})
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, model), IDENTIFIER)
    return bytes(builder.Output())


def with_labels(network: bytes, labels: Sequence[str]) -> bytes:
    """A LiteRT file with the labels behind it, as an archive that is not compressed.

    Readers of the network find its end by themselves, and those of archives their beginning.
    """
    archived = io.BytesIO()
    archived.write(network)
    with zipfile.ZipFile(archived, "a", zipfile.ZIP_STORED) as archive:
        file = zipfile.ZipInfo(LABELS)  # dated 1980: the same file every time
        archive.writestr(file, "".join(f"{label}\n" for label in labels))
    return archived.getvalue()


def _numbers(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def _write(builder: "flatbuffers.Builder", value: _Value) -> int:
    """Write what a field refers to, before the table of the field; return its place."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, np.ndarray):
        return int(builder.CreateNumpyVector(value))
    if isinstance(value, _Table):
        return _write_table(builder, value)
    assert not isinstance(value, int), "a number stands in its table"
    places = [_write(builder, item) for item in value]
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    return int(builder.EndVector())


def _write_table(builder: "flatbuffers.Builder", table: _Table) -> int:
    fields = {
        number: value if isinstance(value, int) else _write(builder, value)
        for number, value in table.values.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for number, written in fields.items():
        if isinstance(table.values[number], int):
            builder.PrependUint8Slot(number, written, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, written, 0)
    return int(builder.EndObject())
