"""Step `retrain`: a new last layer for the pretrained network, and the model in all its forms."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.common import backbone, images, model, weights_sources
from components.common.bottlenecks import Bottlenecks
from components.common.convert import quiet_tensorflow
from components.common.errors import InputError
from components.common.files import atomic_directory, default_cache_dir, write_file
from components.common.splits import TEST, TRAINING, VALIDATION
from components.common.step import log, step
from components.common.weights import Weights
from components.retrain import artifact, calibrate, export
from components.retrain.artifact import Trained
from components.retrain.distort import Distortions
from components.retrain.export import KerasModels
from components.retrain.head import (
    Examples,
    Head,
    Look,
    Recipe,
    draw_batch,
    score,
    train,
)
from components.retrain.material import Material, gather, misclassified

if TYPE_CHECKING:
    from components.retrain.summaries import TensorBoardSummaries

MISCLASSIFIED_SHOWN = 12
THUMBNAIL_SIDE = 224


@dataclass(frozen=True)
class Extras:
    """What else is written or printed.

    Attributes:
        final_tensor_name: name of the frozen graph's output.
        intermediate_output_graphs_dir: where frozen graphs go while training is under way.
        intermediate_store_frequency: steps between two of them; 0 for none.
        print_misclassified_test_images: print the test photos that the head gets wrong.
        int8: also make and measure the int8 form.
    """

    final_tensor_name: str = model.SCORES
    intermediate_output_graphs_dir: str = ""
    intermediate_store_frequency: int = 0
    print_misclassified_test_images: bool = False
    int8: bool = True

    def check(self) -> None:
        """Raise `InputError` where an option makes no sense."""
        if self.intermediate_store_frequency < 0:
            value = self.intermediate_store_frequency
            raise InputError(f"--intermediate_store_frequency is {value}: expected 0 or more")
        if not self.final_tensor_name.replace("_", "").isalnum():
            raise InputError(
                f"--final_tensor_name is {self.final_tensor_name!r}: expected letters, digits and _"
            )


@step("retrain")
def retrain(
    training: Path,
    bottleneck_dir: Path,
    output: Path,
    summaries_dir: Path,
    *,
    recipe: Recipe = Recipe(),
    distortions: Distortions = Distortions(),
    extras: Extras = Extras(),
    weights: str = "",
    cache_dir: str = "",
) -> None:
    """Train the head on the training part and write the model.

    Args:
        training: dataset with training, validation and test parts.
        bottleneck_dir: bottlenecks of its photos.
        output: model directory to write.
        summaries_dir: TensorBoard logs to write, runs `train` and `validation`.
        recipe: how the head is trained.
        distortions: how copies of the training photos are distorted.
        extras: what else is written.
        weights: the weights file that the bottlenecks were computed with; found by default.
        cache_dir: where the pretrained weights are kept; by default the user's cache folder.

    Raises:
        InputError: an option that makes no sense, or artifacts that do not belong together.
    """
    recipe.check()
    distortions.check()
    extras.check()
    cache = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
    material = gather(training, bottleneck_dir, distortions, recipe.seed, weights, cache)
    pretrained = _pretrained(material.vectors, cache, weights)
    quiet_tensorflow()
    from components.retrain.summaries import TensorBoardSummaries

    classes, validation = material.dataset.labels, material.parts[VALIDATION]
    with (
        atomic_directory(output, what="the model", marker=model.DESCRIPTION) as model_folder,
        TensorBoardSummaries(summaries_dir, classes, recipe, validation) as summaries,
    ):
        graphs = _IntermediateGraphs(material.vectors, pretrained, extras)
        last = _train(material, recipe, [summaries.add, graphs])
        _report_test(last.head, material.parts[TEST], recipe)
        if extras.print_misclassified_test_images:
            _print_misclassified(last.head, material)
        artifact.write(
            model_folder,
            export.build(material.architecture, pretrained, last.head),
            material.architecture,
            material.dataset,
            material.vectors,
            _calibrated(material, recipe, last),
            final_tensor_name=extras.final_tensor_name,
            int8=extras.int8,
        )
        _finish(summaries, last, material, (model_folder / model.FROZEN).read_bytes())


class _IntermediateGraphs:
    """Writes `intermediate_<step>.pb` every so many steps."""

    def __init__(self, vectors: Bottlenecks, pretrained: Weights, extras: Extras) -> None:
        self._architecture = backbone.parse_architecture(vectors.key.architecture)
        self._pretrained = pretrained
        self._extras = extras
        self._models: KerasModels | None = None

    def __call__(self, look: Look) -> None:
        frequency = self._extras.intermediate_store_frequency
        if not frequency or not look.step or look.step % frequency:
            return
        if self._models is None:
            self._models = export.build(self._architecture, self._pretrained, look.head)
        self._models.set_head(look.head)
        name = self._extras.final_tensor_name
        graph = export.frozen_graph(self._models.classifier, self._architecture.size, name)
        folder = Path(self._extras.intermediate_output_graphs_dir)
        path = folder / f"intermediate_{look.step}.pb"
        write_file(path, graph, what="an intermediate graph")
        log.info("Save intermediate result to : %s", path)


def _train(material: Material, recipe: Recipe, listeners: Sequence[Callable[[Look], None]]) -> Look:
    """Train, and return the last look with the head that counts."""
    looks: list[Look] = []

    def report(seen: Look) -> None:
        looks[:] = [seen]
        for listener in listeners:
            listener(seen)
        log.info("Step %d: Train accuracy = %.1f%%", seen.step, seen.train_accuracy * 100)
        log.info("Step %d: Cross entropy = %f", seen.step, seen.train_cross_entropy)
        if seen.validation_count:
            log.info(
                "Step %d: Validation accuracy = %.1f%% (N=%d)",
                seen.step,
                seen.validation_accuracy * 100,
                seen.validation_count,
            )

    classes = len(material.dataset.labels)
    head = train(material.to_learn, material.parts[VALIDATION], classes, recipe, report)
    return dataclasses.replace(looks[0], head=head)


def _calibrated(material: Material, recipe: Recipe, last: Look) -> Trained:
    """Temperature and rule, from heads trained for as many steps as this one was."""
    groups = [photo.group or photo.sha256 for photo in material.learned]
    parts = [material.parts[TRAINING], material.parts[VALIDATION]]
    both = Examples(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    fold = calibrate.folds(both.labels, groups)
    if not fold.any():
        log.info("no temperature and no rule for unknown photos: a class has one photo only")
        return Trained(last.head, recipe, material.learned, None, None)
    same = dataclasses.replace(recipe, how_many_training_steps=last.step + 1)
    classes = len(material.dataset.labels)
    found = calibrate.out_of_fold(both, fold, classes, same, material.copies)
    fitted = calibrate.calibrate(found, groups)
    log.info(
        "Temperature %.3f: cross entropy of %d photos by heads that had not seen them %.4f, "
        "before %.4f; %.1f%% of them would be called unknown",
        fitted.temperature,
        fitted.photos,
        fitted.log_loss[1],
        fitted.log_loss[0],
        fitted.rejected * 100,
    )
    return Trained(last.head, recipe, material.learned, found, fitted)


def _report_test(head: Head, test: Examples, recipe: Recipe) -> None:
    batch = draw_batch(test, recipe.test_batch_size, np.random.default_rng(recipe.seed))
    if len(batch):
        accuracy = score(head, batch)[0] * 100
        log.info("Final test accuracy = %.1f%% (N=%d)", accuracy, len(batch))


def _print_misclassified(head: Head, material: Material) -> None:
    log.info("=== MISCLASSIFIED TEST IMAGES ===")
    for photo, given in misclassified(head, material, TEST):
        log.info("%70s  %s", photo.source_url or photo.path, given)


def _finish(
    summaries: "TensorBoardSummaries", last: Look, material: Material, frozen: bytes
) -> None:
    """What TensorBoard shows of the finished model."""
    from components.retrain import projector

    summaries.finish(last)
    summaries.add_graph(frozen, last.step)
    wrong = misclassified(last.head, material, VALIDATION)[:MISCLASSIFIED_SHOWN]
    for number, (photo, given) in enumerate(wrong):
        pixels = images.decode(images.thumbnail(material.dataset.read(photo), THUMBNAIL_SIDE))
        summaries.add_photo(number, f"{photo.label} taken for {given}", pixels, last.step)
    rows = material.vectors.rows(material.learned)
    projector.write(
        summaries.directory, material.dataset, material.learned, material.vectors.vectors[rows]
    )


def _pretrained(vectors: Bottlenecks, cache: Path, weights: str) -> Weights:
    architecture = backbone.parse_architecture(vectors.key.architecture)
    quiet_tensorflow()
    found = weights_sources.obtain(architecture, cache, weights)
    if found.sha256 != vectors.key.weights_sha256:
        raise InputError(
            "the bottlenecks were computed with other pretrained weights than those found now "
            f"({vectors.key.weights_sha256[:12]} and {found.sha256[:12]}): compute the "
            "bottlenecks again, or pass the same --weights"
        )
    return found
