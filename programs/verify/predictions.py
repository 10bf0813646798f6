"""Are the predictions those of this model on these demo photos?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.base.wording import counted
from components.common.dataset import dangers
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.model import predictions
from components.common.model.description import ModelDescription, read_description
from components.common.pages import danger_words


def check(path: Path, demo: Path, model_dir: Path) -> str:
    """What fits.

    Args:
        path: predictions.parquet of the step label_image.
        demo: the dataset of demo photos.
        model_dir: the model.

    Raises:
        InputError: the file is missing or damaged, or is of other photos or of another model.
    """
    metadata = predictions.read_about(path)
    description = read_description(model_dir)
    known = {
        "model_sha256": description.identity,
        "demo_manifest_sha256": hash_file(demo / MANIFEST),
    }
    for name, value in known.items():
        if metadata.get(name, value) != value:
            raise InputError(f"{path} belongs to another model or other photos: its {name} differs")
    if description.is_sealed and not known.keys() <= metadata.keys():
        raise InputError(f"{path} does not name its model and photos")
    photos = {(photo.path, photo.label) for photo in Dataset(demo).photos}
    table = predictions.read(path, most_rows=len(photos))
    if set(zip(*table.select(("path", "label")).to_pydict().values(), strict=True)) != photos:
        raise InputError(f"{path} does not answer the photos of {demo}")
    _check_answers(path, table, description)
    return f"{counted(len(table), 'answer')} of this model, one for each demo photo"


def _check_answers(path: Path, table: pa.Table, model: ModelDescription) -> None:
    """Raise `InputError` unless each row's answer follows from its probabilities."""
    classes = list(model.classes)
    for row in table.to_pylist():
        probabilities = row["probabilities"]
        if len(probabilities) != len(classes):
            raise InputError(f"{path}: {row['path']!r} does not have a probability for each class")
        largest = max(probabilities)
        if (
            row["probability"] != largest
            or row["predicted"] != classes[probabilities.index(largest)]
            or row["right"] != (row["predicted"] == row["label"])
            or row.get("caution") not in (None, _caution(row, model))
        ):
            raise InputError(
                f"{path}: the answer to {row['path']!r} does not follow from its probabilities"
            )


def _caution(row: Mapping[str, Any], model: ModelDescription) -> str:
    """What is to be said of the dangers of an answer."""
    possible = dangers.possible(row["probabilities"], model.classes, model.facts)
    return danger_words.caution(possible, None if row["unknown"] else row["predicted"])
