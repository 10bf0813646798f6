"""Step `label_image`: which species is on this photo? On the demo photos, and on any photo."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from components.common.base.errors import InputError
from components.common.base.files import atomic_file, hash_file, write_file
from components.common.base.step import Progress, log, step, warn
from components.common.base.wording import counted
from components.common.base.worker_threads import cores, map_in_threads
from components.common.dataset.class_facts import ClassFacts
from components.common.model.learned import Learned
from components.common.model.model import BATCH, Model, Prediction, top_k
from components.common.network.backbone import THREADS
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.label_image.answers import (
    ONE_TOP_K,
    Guess,
    PhotoAnswer,
    answer,
    as_label_image_py,
    printable,
    writer,
)
from components.label_image.crew import Crew
from components.label_image.graph import Graph
from components.label_image.photos import STANDARD_INPUT, Reader, find, is_one, read_ahead
from components.label_image.stored import Unreadable

if TYPE_CHECKING:
    from components.common.dataset.photo import Photo
    from components.label_image.gallery import Gallery

THUMBNAIL_SIDE = 256  # pixels; cards are 200 to 260 wide


def label_photos(
    model: Model | Graph,
    places: Sequence[str],
    reader: Reader,
    stream: TextIO,
    *,
    form: str = "text",
    count: int | None = None,
    seen: Callable[[PhotoAnswer], None] | None = None,
) -> int:
    """Write the answer to each photo; those that fail are named on standard error.

    One photo as text reads as label_image.py's answer did.

    Args:
        model: that answers.
        places: files, folders, patterns, addresses, buckets and "-" (`photos.find`).
        reader: of the photos.
        stream: where the answers go.
        form: "text", "json" or "csv".
        count: how many classes are named; None for the format's own number.
        seen: is handed each answer too, for whoever counts them.

    Returns:
        How many photos failed.

    Raises:
        InputError: a place or an option makes no sense.
    """
    if count is not None and count < 1:
        raise InputError(f"--top_k is {count}: expected 1 or more")
    names = find(places)
    if form == "text" and len(places) == 1 and is_one(places[0]) and not seen:
        return _label_one(model, places[0], reader, count or ONE_TOP_K, stream)
    write = writer(form, model.classes, count, stream)
    # On a terminal the answers themselves are the progress.
    progress = Progress("label photos", verb="answered") if not stream.isatty() else None
    started, done, failed, learned = time.monotonic(), 0, 0, 0
    many: Crew | Graph
    many = Crew(model.directory, cores(), int8=model.int8) if isinstance(model, Model) else model
    facts = facts_of(model)
    shown = answers(many, model.classes, read_ahead(names, reader), count or ONE_TOP_K, facts)
    for labelled in shown:
        write(labelled)
        if seen:
            seen(labelled)
        done += 1
        learned += labelled.learned_from
        if labelled.error:
            failed += 1
            tell_failure(labelled)
        if progress:
            progress.advance()
    stream.flush()
    rate = done / max(time.monotonic() - started, 1e-9)
    leave = "" if not facts.states_edibility else "; never eat anything because of an answer"
    summary = f"{done - failed} labelled, {failed} failed, {rate:.0f} photos a second{leave}"
    progress = progress or Progress("label photos", verb="answered")
    progress.finish(summary)
    if learned:
        warn(
            f"the model was trained on {learned} of these {counted(done, 'photo')}: its answers to "
            "them do not show how good it is (--format csv or json names them)"
        )
    return failed


def answers(
    model: Crew | Graph,
    classes: Sequence[str],
    photos: Iterable[tuple[str, bytes | Unreadable]],
    count: int,
    facts: ClassFacts | None = None,
) -> Iterator[PhotoAnswer]:
    """The answer to each photo in order, with its `count` likeliest classes.

    Args:
        model: that answers.
        classes: of the model.
        photos: names with bytes, or with why there are none.
        count: of the classes.
        facts: what is known of the classes.
    """
    waiting: deque[tuple[str, str]] = deque()  # names, and why a photo could not be read

    def readable() -> Iterator[bytes]:
        for name, data in photos:
            failed = isinstance(data, Unreadable)
            waiting.append((name, str(data) if failed else ""))
            yield b"" if isinstance(data, Unreadable) else data

    for prediction in model.predict_each(readable()):
        name, unread = waiting.popleft()
        if isinstance(prediction, BadPhoto):
            yield PhotoAnswer(name, error=unread or _explained(prediction))
        else:
            yield answer(name, prediction, classes, count, facts)


def facts_of(model: Model | Graph) -> ClassFacts:
    """What is known of the classes; nothing of a bare graph's."""
    return model.description.facts if isinstance(model, Model) else ClassFacts()


def _explained(bad: BadPhoto) -> str:
    return f"not a usable photo ({bad})"


def tell_failure(failed: PhotoAnswer) -> None:
    """Name a photo without an answer on standard error, and why there is none."""
    name = "standard input" if failed.file == STANDARD_INPUT else failed.file
    log.error("label_image: %s: %s", printable(name), printable(failed.error))


def _label_one(model: Model | Graph, place: str, reader: Reader, count: int, stream: TextIO) -> int:
    """Answer one photo as label_image.py did; returns 1 where it fails."""
    try:
        prediction, seconds = _timed(model, reader.read(place))
    except (Unreadable, BadPhoto) as error:
        why = str(error) if isinstance(error, Unreadable) else _explained(error)
        tell_failure(PhotoAnswer(place, error=why))
        return 1
    labelled = answer(place, prediction, model.classes, count, facts_of(model))
    if labelled.error:
        tell_failure(labelled)
        return 1
    stream.write("\n".join(as_label_image_py(labelled, seconds)) + "\n")
    return 0


def _timed(model: Model | Graph, data: bytes) -> tuple[Guess, float]:
    """The answer to one photo, and how many seconds the network took.

    Raises:
        BadPhoto: it is no usable photo.
    """
    if isinstance(model, Graph):
        pixels = model.pixels(data)
        started = time.perf_counter()
        guess = model(pixels[np.newaxis])
        return guess, time.perf_counter() - started
    pixels = images.model_input(data, model.description.input_size)
    started = time.perf_counter()
    scores = model(pixels[np.newaxis])
    seconds = time.perf_counter() - started
    learned = Learned(model.directory, model.description)
    return Guess.of(model.judge(scores)[0], learned_from=learned.has(data)), seconds


@step("label_image")
def label_demo(model_dir: Path, demo: Path, predictions: Path, html: Path) -> "Gallery":
    """Label the held-out demo photos.

    Args:
        model_dir: the model.
        demo: dataset of demo photos.
        predictions: parquet file to write: path, label, predicted, unknown, probability,
            familiarity, right, probabilities, caution.
        html: self-contained gallery to write.

    Raises:
        InputError: no model or no dataset, or one of its photos is none.
    """
    # Not needed to label other photos, which shall begin at once.
    from components.common.dataset.dataset import MANIFEST, Dataset
    from components.common.model import activation
    from components.label_image.gallery import MAX_WITH_MAPS, Gallery, Labelled, render

    model = Model(model_dir)
    dataset = Dataset(demo)
    with_maps = len(dataset.photos) <= MAX_WITH_MAPS
    progress = Progress("label demo photos", len(dataset.photos), verb="answered")
    results = model.predict_each(dataset.read(photo) for photo in dataset.photos)

    def shown(answered: "tuple[Photo, Prediction | BadPhoto]") -> Labelled:
        photo, prediction = answered
        if isinstance(prediction, BadPhoto):
            raise InputError(f"{demo}: {photo.path!r} is not a usable photo ({prediction})")
        top = tuple(top_k(prediction.probabilities, model.classes, ONE_TOP_K))
        data = dataset.read(photo)
        why = b""
        if with_maps:
            where = model.activation_map(prediction, top[0][0])
            why = activation.spotlight(data, where, THUMBNAIL_SIDE)
        return Labelled(
            photo,
            top,
            images.thumbnail(data, THUMBNAIL_SIDE),
            why,
            prediction.unknown,
            prediction.familiarity,
            tuple(map(float, prediction.probabilities)),
        )

    answers = zip(dataset.photos, progress.over(results), strict=True)
    # Thumbnails are made while the next photos are looked at.
    labelled = tuple(map_in_threads(shown, answers, threads=THREADS, ahead=BATCH))
    result = Gallery(model.description, labelled)
    _write_predictions(result, predictions, hash_file(demo / MANIFEST))
    write_file(html, render(result), what="the gallery")
    return result


def _write_predictions(gallery: "Gallery", path: Path, manifest_sha256: str) -> None:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from components.common.model.predictions import KIND, SCHEMA

    photos = gallery.photos
    columns: dict[str, Sequence[object]] = {
        "path": [row.photo.path for row in photos],
        "label": [row.label for row in photos],
        "predicted": [row.predicted for row in photos],
        "unknown": [row.unknown for row in photos],
        "probability": [row.top[0][1] for row in photos],
        "familiarity": [row.familiarity for row in photos],
        "right": [row.right for row in photos],
        "probabilities": [row.probabilities for row in photos],
        "caution": [gallery.caution(row) for row in photos],
    }
    metadata = {
        **{name: str(value) for name, value in KIND.head.items()},
        # Whose probabilities they are, in their order.
        "classes": json.dumps(gallery.model.classes),
        "model_sha256": gallery.model.identity,
        "demo_manifest_sha256": manifest_sha256,
    }
    table = pa.table(columns, schema=SCHEMA.with_metadata(metadata))
    with atomic_file(path, what="the predictions") as new:
        pq.write_table(table, new, write_page_checksum=True)
