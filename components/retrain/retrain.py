"""Step `retrain`: a new last layer for the pretrained network, and the model in all its forms."""

import collections
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Protocol

import numpy as np

from components import __version__
from components.common import attribution, backbone, bottlenecks, model, weights_sources
from components.common.bottlenecks import Bottlenecks
from components.common.convert import quiet_tensorflow
from components.common.dataset import MANIFEST, Dataset
from components.common.errors import InputError
from components.common.files import atomic_directory, default_cache_dir
from components.common.model import ModelDescription
from components.common.photo import RENDERED, Photo
from components.common.splits import TEST, TRAINING, VALIDATION
from components.common.step import log, step
from components.retrain import export
from components.retrain.head import Examples, Head, Measurement, Recipe, draw_batch, score, train


class Summaries(Protocol):
    """Where measurements go: the two runs that TensorBoard shows."""

    def add(self, measurement: Measurement) -> None:
        """Write one measurement."""


@step("retrain")
def retrain(
    training: Path,
    bottleneck_dir: Path,
    output: Path,
    summaries_dir: Path,
    *,
    recipe: Recipe = Recipe(),
    weights: str = "",
    cache_dir: str = "",
) -> None:
    """Train the head on the training part and write the model.

    Args:
        training: dataset with training, validation and test parts.
        bottleneck_dir: bottlenecks of its photos.
        output: model directory to write.
        summaries_dir: TensorBoard logs to write, runs `train` and `validation`.
        recipe: the options of retrain.py.
        weights: the weights file that the bottlenecks were computed with; found by default.
        cache_dir: where the pretrained weights are kept; by default the user's cache folder.

    Raises:
        InputError: an option that makes no sense, or artifacts that do not belong together.
    """
    check_recipe(recipe)
    dataset = Dataset(training)
    vectors = bottlenecks.load(bottleneck_dir)
    parts = examples(dataset.photos, dataset.labels, vectors)
    quiet_tensorflow()
    from components.retrain.summaries import TensorBoardSummaries

    with (
        atomic_directory(output, what="the model", marker=model.DESCRIPTION) as model_folder,
        TensorBoardSummaries(summaries_dir) as summaries,
    ):
        head = _train(parts, len(dataset.labels), recipe, summaries)
        _report_test(head, parts[TEST], recipe)
        architecture = backbone.parse_architecture(vectors.key.architecture)
        cache = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
        pretrained = weights_sources.obtain(architecture, cache, weights)
        if pretrained.sha256 != vectors.key.weights_sha256:
            raise InputError(
                "the bottlenecks were computed with other pretrained weights than those found now "
                f"({vectors.key.weights_sha256[:12]} and {pretrained.sha256[:12]}): compute the "
                "bottlenecks again, or pass the same --weights"
            )
        export.write(export.build(architecture, pretrained, head), architecture, model_folder)
        description = describe(dataset, vectors, recipe, head)
        (model_folder / model.LABELS).write_text("\n".join(description.classes) + "\n", "utf-8")
        written = attribution.render(dataset.photos)
        (model_folder / attribution.FILE_NAME).write_text(written, encoding="utf-8")
        text = json.dumps(dataclasses.asdict(description), indent=2, ensure_ascii=False)
        (model_folder / model.DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def check_recipe(recipe: Recipe) -> None:
    """Raise `InputError` where an option makes no sense."""
    for name in ("how_many_training_steps", "train_batch_size", "eval_step_interval"):
        if (value := getattr(recipe, name)) < 1:
            raise InputError(f"--{name} is {value}: expected 1 or more")
    if recipe.seed < 0:
        raise InputError(f"--seed is {recipe.seed}: expected 0 or more")
    if not 0 < recipe.learning_rate < float("inf"):
        raise InputError(f"--learning_rate is {recipe.learning_rate}: expected a positive number")


def examples(photos: list[Photo], classes: list[str], vectors: Bottlenecks) -> dict[str, Examples]:
    """The bottlenecks of the training, validation and test parts.

    Raises:
        InputError: a photo has no bottleneck, or a class has no training photo.
    """
    number = {label: index for index, label in enumerate(classes)}
    parts = {}
    for part in (TRAINING, VALIDATION, TEST):
        members = [photo for photo in photos if photo.split == part]
        labels = np.array([number[photo.label] for photo in members], dtype=np.int64)
        parts[part] = Examples(vectors.vectors[vectors.rows(members)], labels)
    present = set(parts[TRAINING].labels.tolist())
    missing = [label for label in classes if number[label] not in present]
    if missing or len(classes) < 2:
        raise InputError(
            f"no training photos of {missing}" if missing else f"only one class: {classes}"
        )
    return parts


def describe(
    dataset: Dataset, vectors: Bottlenecks, recipe: Recipe, head: Head
) -> ModelDescription:
    """What `model.json` will say."""
    counts: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for photo in sorted(dataset.photos, key=lambda photo: (photo.split, photo.label)):
        counts[photo.split][photo.label] = counts[photo.split].get(photo.label, 0) + 1
    head_bytes = head.weights.tobytes() + head.biases.tobytes()
    return ModelDescription(
        classes=tuple(dataset.labels),
        architecture=vectors.key.architecture,
        input_size=vectors.key.input_size,
        weights_sha256=vectors.key.weights_sha256,
        head_sha256=hashlib.sha256(head_bytes).hexdigest(),
        manifest_sha256=hashlib.sha256((dataset.path / MANIFEST).read_bytes()).hexdigest(),
        recipe=dataclasses.asdict(recipe),
        photos=dict(counts),
        rendered=any(RENDERED in photo.flags for photo in dataset.photos),
        version=__version__,
    )


def _train(parts: dict[str, Examples], classes: int, recipe: Recipe, summaries: Summaries) -> Head:
    def report(seen: Measurement) -> None:
        summaries.add(seen)
        log.info("Step %d: Train accuracy = %.1f%%", seen.step, seen.train_accuracy * 100)
        log.info("Step %d: Cross entropy = %f", seen.step, seen.train_cross_entropy)
        if seen.validation_count:
            accuracy = seen.validation_accuracy * 100
            log.info(
                "Step %d: Validation accuracy = %.1f%% (N=%d)",
                seen.step,
                accuracy,
                seen.validation_count,
            )

    return train(parts[TRAINING], parts[VALIDATION], classes, recipe, report)


def _report_test(head: Head, test: Examples, recipe: Recipe) -> None:
    batch = draw_batch(test, recipe.test_batch_size, np.random.default_rng(recipe.seed))
    if len(batch):
        accuracy = score(head, batch)[0] * 100
        log.info("Final test accuracy = %.1f%% (N=%d)", accuracy, len(batch))
