"""The model directory: every form of the model, and what is known about it."""

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components import __version__
from components.common.base.step import doing, log, warn
from components.common.dataset import attribution
from components.common.dataset.dataset import MANIFEST
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import PARTS, RENDERED, TRAINING
from components.common.model import layout, learned, model, out_of_fold, references
from components.common.model.description import ModelDescription, write_description
from components.retrain import export, mediapipe_form, onnx_form, quantize
from components.retrain.calibrate import Calibration, OutOfFold
from components.retrain.cross_validation import Round
from components.retrain.export import KerasModels
from components.retrain.head import Head
from components.retrain.material import Material
from components.retrain.options import FineTuning, Recipe
from components.retrain.pool import Pool
from components.retrain.quantize import Int8


@dataclasses.dataclass(frozen=True)
class Trained:
    """What the training found.

    Attributes:
        head: the last layer.
        recipe: the options that it was trained with.
        learned: photos that the model is made of: weights, temperature and rule.
        vectors: their bottlenecks, float32 (N, D).
        scored: photos that heads scored which had not seen them, in the order of `found`.
        found: their scores; None where there were too few photos.
        calibration: None likewise.
        fine_tuning: its options; None where the backbone is as it was.
    """

    head: Head
    recipe: Recipe
    learned: list[Photo]
    vectors: NDArray[np.float32]
    scored: list[Photo]
    found: OutOfFold | None
    calibration: Calibration | None
    fine_tuning: FineTuning | None = None


@dataclasses.dataclass(frozen=True)
class Measured:
    """What is known of the recipe beside the final head.

    Attributes:
        pool: the photos of cross-validation; None where it was not made.
        rounds: its answers.
        tested: the head that did not learn from the test photos; None where the final head is it.
        final_fit: what the final head learned from, as the option has it.
    """

    pool: Pool | None = None
    rounds: Sequence[Round] = ()
    tested: Trained | None = None
    final_fit: str = TRAINING


def write_forms(
    folder: Path,
    models: KerasModels,
    material: Material,
    photos: Sequence[Photo],
    vectors: NDArray[np.float32],
    final_tensor_name: str,
    on_litert: Callable[[], None],
) -> None:
    """Write those forms of the model for which its weights are all that counts.

    Args:
        folder: where to; empty.
        models: the Keras models.
        material: what was trained on.
        photos: that the head learned from.
        vectors: their bottlenecks.
        final_tensor_name: name of the frozen graph's output.
        on_litert: called once the LiteRT form is there.
    """
    written: list[Future[None]] = []
    with ThreadPoolExecutor(1) as beside:

        def once_there() -> None:
            on_litert()
            # Thumbnails are made outside Python, and writing the forms is one thread's work.
            place = folder / layout.REFERENCES
            work = beside.submit(references.write, place, material.dataset, photos, vectors)
            written.append(work)

        doing("retrain: write the model")
        size = material.vectors.key.input_size
        name = final_tensor_name
        export.write(models, size, folder, final_tensor_name=name, on_litert=once_there)
    for work in written:
        work.result()


def write(
    folder: Path,
    material: Material,
    trained: Trained,
    measured: Measured,
    *,
    origin: Mapping[str, str],
    final_tensor_name: str,
    int8: Callable[[], quantize.Tried] | None,
    onnx: bool,
) -> ModelDescription:
    """Write what else a model directory holds.

    Args:
        folder: where `write_forms` has written.
        material: what was trained on.
        trained: what the training found.
        measured: what is known of the recipe beside it.
        origin: of the pretrained weights.
        final_tensor_name: name of the frozen graph's output.
        int8: gives the int8 form and what it sees on the photos that `trained` has scores of; None
            where it is not wanted.
        onnx: whether the ONNX form is wanted.
    """
    dataset = material.dataset
    coarse = _write_int8(folder / layout.INT8, int8, trained) if int8 else None
    mediapipe_form.write(folder, dataset.labels)
    if onnx:
        doing("retrain: write the ONNX model")
        onnx_form.write(folder, final_tensor_name)
    learned.write(folder / layout.LEARNED, trained.learned)
    description = describe(material, trained, measured, coarse, origin)
    _write_head(trained, folder / layout.HEAD, folder / layout.DISTANCES)
    if measured.tested:
        (folder / layout.MEASURED_HEAD).parent.mkdir()
        places = folder / layout.MEASURED_HEAD, folder / layout.MEASURED_DISTANCES
        _write_head(measured.tested, *places)
    if measured.pool and measured.rounds:
        out_of_fold.write(
            folder / layout.OUT_OF_FOLD,
            measured.pool.photos,
            np.stack([answers.probabilities for answers in measured.rounds]),
            np.stack([answers.temperature for answers in measured.rounds]),
            np.stack([_told(answers) for answers in measured.rounds]),
        )
    (folder / layout.LABELS).write_text("\n".join(description.classes) + "\n", "utf-8")
    written = attribution.render(dataset.photos)
    (folder / attribution.FILE_NAME).write_text(written, encoding="utf-8")
    return write_description(folder, description)  # last: it names the hash of every file


def _write_head(trained: Trained, head: Path, distances: Path) -> None:
    np.savez(head, weights=trained.head.weights, biases=trained.head.biases)
    if trained.calibration:
        distances.write_bytes(trained.calibration.distances.to_bytes())


def describe(
    material: Material,
    trained: Trained,
    measured: Measured,
    int8: Int8 | None,
    origin: Mapping[str, str],
) -> ModelDescription:
    """What `model.json` will say."""
    dataset, vectors = material.dataset, material.vectors
    distorted = dataclasses.asdict(material.distortions) if material.distortions else {}
    counts: dict[str, dict[str, int]] = collections.defaultdict(dict)
    used = [photo for photo in dataset.photos if photo.split in PARTS]
    for photo in sorted(used, key=lambda photo: (photo.split, photo.label)):
        counts[photo.split][photo.label] = counts[photo.split].get(photo.label, 0) + 1
    fitted = trained.calibration
    by_class = collections.Counter(photo.label for photo in trained.learned)
    return ModelDescription(
        classes=tuple(dataset.labels),
        architecture=vectors.key.architecture,
        input_size=vectors.key.input_size,
        views=vectors.key.views,
        weights_sha256=vectors.key.weights_sha256,
        **_of_head(trained),
        manifest_sha256=hashlib.sha256((dataset.path / MANIFEST).read_bytes()).hexdigest(),
        calibration=_facts(fitted) if fitted else None,
        int8=_facts(int8) if int8 else None,
        fine_tuning=dataclasses.asdict(trained.fine_tuning) if trained.fine_tuning else None,
        recipe={
            **dataclasses.asdict(trained.recipe),
            **distorted,
            "final_fit": measured.final_fit,
        },
        learned=dict(sorted(by_class.items())),
        measured=_of_head(measured.tested) if measured.tested else None,
        cross_validation=_cross_validated(measured),
        photos=dict(counts),
        weights=origin,
        rendered=any(RENDERED in photo.flags for photo in dataset.photos),
        facts=dataset.facts.of_classes(dataset.labels),
        version=__version__,
    )


def _of_head(trained: Trained) -> dict[str, Any]:
    """Hashes, temperature and rule."""
    fitted = trained.calibration
    return {
        "head_sha256": model.head_sha256(trained.head.weights, trained.head.biases),
        "distances_sha256": hashlib.sha256(fitted.distances.to_bytes()).hexdigest()
        if fitted
        else "",
        "temperature": fitted.temperature if fitted else None,
        "unknown": fitted.unknown if fitted else None,
    }


def _cross_validated(measured: Measured) -> dict[str, float] | None:
    """How the recipe does: evaluate has its figures, with their intervals."""
    if not measured.rounds:
        return None
    labels = measured.rounds[0].scored.examples.labels
    right = [
        float((answers.probabilities.argmax(axis=1) == labels).mean())
        for answers in measured.rounds
    ]
    return {
        "rounds": len(right),
        "folds": len(measured.rounds[0].learned),
        "photos": len(labels),
        "accuracy": sum(right) / len(right),
        "rule": all(answers.unknown is not None for answers in measured.rounds),
    }


def _told(answers: Round) -> NDArray[np.bool_]:
    """Which photos were called none of the classes; none of them where there was no rule."""
    if answers.unknown is None:
        return np.zeros(len(answers.probabilities), bool)
    return answers.unknown


def _facts(facts: Calibration | Int8) -> dict[str, object]:
    content = dataclasses.asdict(facts)
    for name in ("temperature", "unknown", "distances"):  # these have a place of their own
        content.pop(name, None)
    return content


def _write_int8(path: Path, int8: Callable[[], quantize.Tried], trained: Trained) -> Int8 | None:
    """Write the int8 form if it is good enough; None where there are too few photos to tell."""
    if trained.found is None:
        log.info("no int8 model: too few photos to measure it")
        return None
    doing("retrain: make and measure the int8 model")
    tried = int8()
    measured = quantize.measure(tried, trained.found)
    low, high = (100 * bound for bound in measured.interval)
    log.info(
        "int8 model: same answer on %.1f%% of %d photos, accuracy %.1f%% instead of %.1f%% "
        "(%.1f points lost, 95%% interval %.1f to %.1f)",
        100 * measured.agreement,
        measured.photos,
        100 * measured.accuracy,
        100 * measured.float_accuracy,
        100 * measured.loss,
        low,
        high,
    )
    if measured.shipped:
        path.write_bytes(tried.form)
    else:
        warn(
            f"no int8 model: it would lose {100 * measured.loss:.2f} points of accuracy "
            f"(95 % interval {low:.2f} to {high:.2f}, limit {100 * quantize.MAX_LOSS:.0f})"
        )
    return measured
