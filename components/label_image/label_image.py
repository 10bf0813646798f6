"""Step `label_image`: which species is on this photo? On the demo photos, and on any photo."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.common import images
from components.common.errors import InputError
from components.common.files import naming_full_disk, write_file
from components.common.images import BadPhoto
from components.common.model import Model, Scores, top_k
from components.common.step import Progress, step
from components.label_image.gallery import Gallery, Labelled, render

TOP_K = 5
THUMBNAIL_SIDE = 200  # pixels
PHOTO_MAX_BYTES = 64 * 1024 * 1024


@step("label_image")
def label_demo(model_dir: Path, demo: Path, predictions: Path, html: Path) -> Gallery:
    """Label the held-out demo photos.

    Args:
        model_dir: the model.
        demo: dataset of demo photos.
        predictions: parquet file to write: path, label, predicted, probability, right.
        html: self-contained gallery to write.

    Raises:
        InputError: no model or no dataset.
    """
    from components.common.dataset import Dataset  # pyarrow: not needed to label one photo

    model = Model(model_dir)
    dataset = Dataset(demo)
    progress = Progress("label demo photos", len(dataset.photos))
    scores = progress.over(model.predict(dataset.read(photo) for photo in dataset.photos))
    labelled = []
    for photo, probabilities in zip(dataset.photos, scores, strict=True):
        top = top_k(probabilities, model.description.classes, TOP_K)
        small = images.thumbnail(dataset.read(photo), THUMBNAIL_SIDE)
        labelled.append(Labelled(photo, tuple(top), small))
    result = Gallery(model.description, tuple(labelled))
    _write_predictions(result, predictions)
    write_file(html, render(result), what="the gallery")
    return result


def label_photo(model_dir: Path, photo: Path, *, top: int = TOP_K) -> list[str]:
    """The answer to one photo, as lines: `label (score=0.89511)`, likeliest first.

    The first line tells how long the network took, as label_image.py did. Where the photo is
    probably none of the classes, a line before the labels says so.

    Raises:
        InputError: no model, or no photo that can be read.
    """
    data = read_photo(photo)
    model = Model(model_dir)
    try:
        pixels = images.model_input(data, model.description.input_size)
    except BadPhoto as bad:
        raise InputError(f"{photo} is no usable photo ({bad})") from bad
    started = time.perf_counter()
    scores = model(pixels[np.newaxis])
    seconds = time.perf_counter() - started
    answers = top_k(scores.probabilities[0], model.description.classes, top)
    return [
        f"Evaluation time (1-image): {seconds:.3f}s",
        "",
        *_unknown(model, scores),
        *(f"{label} (score={score:0.5f})" for label, score in answers),
    ]


def _unknown(model: Model, scores: Scores) -> list[str]:
    """A line where the photo is probably none of the classes."""
    rule = model.description.unknown
    alike = model.similarity(scores.bottlenecks)
    if rule is None or alike is None:
        return []
    probability = model.calibrated(scores.probabilities).max(axis=1)
    if not rule.rejects(probability, alike)[0]:
        return []
    if alike[0] < rule.min_similarity:
        why = f"similarity to the training photos {alike[0]:.2f}, below {rule.min_similarity:.2f}"
    else:
        why = f"probability {probability[0]:.2f}, below {rule.min_probability:.2f}"
    return [f"none of these ({why}); if one of them after all:"]


def read_photo(path: Path) -> bytes:
    """The bytes of a photo file.

    Raises:
        InputError: it is missing, no file, empty, or larger than any photo.
    """
    if not path.is_file():
        problem = f"{path} is a folder" if path.is_dir() else f"no photo at {path}"
        raise InputError(f"{problem}: expected a photo file")
    size = path.stat().st_size
    if not 0 < size <= PHOTO_MAX_BYTES:
        raise InputError(f"{path} has {size} bytes: expected 1 to {PHOTO_MAX_BYTES}")
    return path.read_bytes()


def _write_predictions(gallery: Gallery, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Sequence[object]] = {
        "path": [photo.photo.path for photo in gallery.photos],
        "label": [photo.label for photo in gallery.photos],
        "predicted": [photo.predicted for photo in gallery.photos],
        "probability": [photo.top[0][1] for photo in gallery.photos],
        "right": [photo.right for photo in gallery.photos],
    }
    types = [pa.string(), pa.string(), pa.string(), pa.float64(), pa.bool_()]
    arrays = [pa.array(values, kind) for values, kind in zip(columns.values(), types, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_full_disk("the predictions", path):
        temporary = path.with_name(f".{path.name}.partial")
        try:
            pq.write_table(pa.table(arrays, names=list(columns)), temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
