"""Step `retrain`: a new last layer for the pretrained network, and the model in all its forms."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from components.common.base.cache_place import cache_folder
from components.common.base.errors import InputError
from components.common.base.files import atomic_directory, write_file
from components.common.base.step import doing, log, step
from components.common.dataset.vocabulary import TEST, TRAINING, VALIDATION
from components.common.model import layout
from components.common.network import origin, weights_sources
from components.common.network.architecture import parse_architecture
from components.common.network.bottlenecks import Bottlenecks
from components.common.network.convert import freeze, load_tensorflow, quiet_tensorflow
from components.common.network.weights import Weights
from components.retrain import artifact, beside, calibrate, export, final, finetune, onnx_form
from components.retrain import sweep as sweeping
from components.retrain.artifact import Measured, Trained
from components.retrain.calibrate import Calibration, OutOfFold
from components.retrain.curves import Curves
from components.retrain.export import KerasModels
from components.retrain.finetune import TunedLook
from components.retrain.head import Examples, Head, Look, draw_batch, score, train
from components.retrain.listener import Listener
from components.retrain.live_logs import LiveLogs
from components.retrain.material import Material, gather, misclassified
from components.retrain.options import (
    ALL,
    ONNX,
    Distortions,
    Extras,
    FineTuning,
    Measuring,
    Recipe,
    RetrainOptions,
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
    fine_tuning: FineTuning = FineTuning(),
    options: RetrainOptions = RetrainOptions(),
    measuring: Measuring = Measuring(),
    extras: Extras = Extras(),
    logs_place: str = "",
) -> None:
    """Train the head on the training part and write the model.

    Args:
        training: dataset with training, validation and test parts.
        bottleneck_dir: bottlenecks of its photos.
        output: model directory to write.
        summaries_dir: TensorBoard logs to write, runs `train` and `validation`.
        recipe: how the head is trained.
        distortions: how copies of the training photos are distorted.
        fine_tuning: how the backbone is trained after the head.
        options: what else the training is told; its weights file is the one that the bottlenecks
            were computed with.
        measuring: cross-validation, and what the final head learns from.
        extras: what else is written.
        logs_place: gs://… or s3://… where the logs appear while training goes on.

    Raises:
        InputError: an option that makes no sense, or artifacts that do not belong together.
    """
    for group in (recipe, distortions, fine_tuning, options, measuring, extras):
        group.check()
    onnx_form.check_packages(options.export)
    quiet_tensorflow()
    if fine_tuning.require_gpu:
        finetune.check_gpu(required=True)
    cache = cache_folder(options.cache_dir)
    material = gather(
        *(training, bottleneck_dir, distortions, recipe.seed, options.weights, cache),
        copy_test=measuring != Measuring(),
    )
    pretrained = _pretrained(material.vectors, cache, options.weights)
    trials = sweeping.run(material, recipe) if options.sweep else []
    recipe = trials[0].recipe if trials else recipe
    classes, validation = material.dataset.labels, material.parts[VALIDATION]
    with (
        atomic_directory(output, what="the model", marker=layout.DESCRIPTION) as model_folder,
        LiveLogs(summaries_dir, logs_place),
        ExitStack() as opened,
    ):
        measure = partial(beside.measured, opened, material, measuring)
        # How many steps there are is known before training unless that stops by itself.
        begun = None if recipe.early_stopping_patience else measure(recipe)
        doing("retrain: load TensorFlow")
        load_tensorflow()
        from components.retrain.summaries import TensorBoardSummaries

        # Before TensorFlow computes anything.
        works = beside.prepare(opened, material, int8=extras.int8)
        curves = Curves(summaries_dir, material.dataset.facts.of_classes(classes))
        # Whoever else is to hear of the training comes into this list.
        listeners: list[Listener] = [
            TensorBoardSummaries(summaries_dir, classes, recipe, validation),
            curves,
            _IntermediateGraphs(material.vectors, pretrained, extras),
        ]
        for listener in listeners:
            opened.enter_context(listener)
            listener.add_trials(trials)
        doing("retrain: train the head")
        last = _train(material, recipe, listeners)
        same = replace(recipe, how_many_training_steps=last.step + 1)
        pool, rounds = begun or measure(same)
        whole = None
        if fine_tuning:
            doing("retrain: fine-tune the network")
            models = export.build(material.architecture, pretrained, last.head, material.views)
            place = options.checkpoint_path or str(cache / "checkpoints")
            models, material, head = _tuned(
                material, pretrained, last.head, recipe.seed, fine_tuning, place, listeners
            )
            last = replace(last, head=head)
            trained = _calibrated_after_tuning(material, recipe, head, fine_tuning)
            learned, vectors, scored = trained.learned, trained.vectors, trained.scored
        else:
            learned, vectors = material.learned, material.learned_vectors
            fit_all = pool if measuring.final_fit == ALL else None
            if fit_all:
                works.final_head.begin(fit_all, same)
            works.calibration.begin(same)
            doing("retrain: build the network")
            models = export.build(material.architecture, pretrained, last.head, material.views)
            if fit_all:
                whole = works.final_head.result()
                final.tell(whole, fit_all)
                models.set_head(whole.head)
                learned, vectors = whole.learned, whole.vectors
            scored = learned
        _report_test(last.head, material.parts[TEST], recipe)
        if extras.print_misclassified_test_images:
            _print_misclassified(last.head, material)
        curves.save(model_folder)
        name, size = extras.final_tensor_name, material.vectors.key.input_size
        litert = model_folder / layout.LITERT
        artifact.write_forms(
            *(model_folder, models, material, learned, vectors),
            final_tensor_name=name,
            on_litert=partial(works.int8.begin, litert, material.dataset, scored, size)
            if works.int8
            else lambda: None,
        )
        if not fine_tuning:
            trained = _calibrated(material, recipe, last, works.calibration.result())
        measured = Measured(pool, rounds())
        if whole and pool:
            measured = replace(measured, tested=trained, final_fit=ALL)
            trained = final.calibrated(whole, pool, same, measured.rounds)
        graph = (model_folder / layout.FROZEN).read_bytes()
        for listener in listeners:
            listener.finish(last, material, graph)
        artifact.write(
            model_folder,
            material,
            trained,
            measured,
            origin=origin.find(material.architecture, pretrained.sha256, cache, options.weights),
            final_tensor_name=name,
            int8=works.int8.result if works.int8 else None,
            onnx=options.export == ONNX,
        )


class _IntermediateGraphs(Listener):
    """Writes `intermediate_<step>.pb` every so many steps."""

    def __init__(self, vectors: Bottlenecks, pretrained: Weights, extras: Extras) -> None:
        self._architecture = parse_architecture(vectors.key.architecture)
        self._key = vectors.key
        self._pretrained = pretrained
        self._extras = extras
        self._models: KerasModels | None = None

    def add(self, look: Look) -> None:
        frequency = self._extras.intermediate_store_frequency
        if not frequency or not look.step or look.step % frequency:
            return
        if self._models is None:
            self._models = export.build(
                self._architecture, self._pretrained, look.head, self._key.views
            )
        self._models.set_head(look.head)
        name = self._extras.final_tensor_name
        traced = export.trace(self._models, self._key.input_size, name)
        graph = export.frozen_graph(freeze(traced), name)
        folder = Path(self._extras.intermediate_output_graphs_dir)
        path = folder / f"intermediate_{look.step}.pb"
        write_file(path, graph, what="an intermediate graph")
        log.info("Save intermediate result to : %s", path)


def _train(material: Material, recipe: Recipe, listeners: Sequence[Listener]) -> Look:
    """Train, and return the last look with the head that counts."""
    looks: list[Look] = []

    def report(seen: Look) -> None:
        looks[:] = [seen]
        for listener in listeners:
            listener.add(seen)
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
    return replace(looks[0], head=head)


def _calibrated(
    material: Material,
    recipe: Recipe,
    last: Look,
    fitted: tuple[OutOfFold, Calibration] | None,
) -> Trained:
    """The head of the training part, with the temperature and rule that were fitted for it."""
    learned = material.learned, material.learned_vectors, material.learned
    if fitted is None:
        log.info(calibrate.TOO_FEW)
        return Trained(last.head, recipe, *learned, None, None)
    calibrate.tell(fitted[1])
    return Trained(last.head, recipe, *learned, *fitted)


def _tuned(
    material: Material,
    pretrained: Weights,
    head: Head,
    seed: int,
    fine_tuning: FineTuning,
    checkpoint_path: str,
    listeners: Sequence[Listener],
) -> tuple[KerasModels, Material, Head]:
    """The tuned network, the photos as it sees them, and its tuned head."""

    def report(look: TunedLook) -> None:
        for listener in listeners:
            listener.add_tuned(look)

    models = finetune.fine_tune(
        partial(export.build, material.architecture, pretrained, views=material.views),
        head,
        material.dataset,
        fine_tuning,
        checkpoint_path=checkpoint_path,
        origin=_origin(material, pretrained),
        seed=seed,
        distortions=material.distortions,
        report=report,
    )
    photos = [photo for photo in material.dataset.photos if photo.split in material.parts]
    features, tuned = finetune.predict(models, material.dataset, photos)
    vectors = replace(
        material.vectors, sha256=tuple(photo.sha256 for photo in photos), vectors=features
    )
    return models, material.seen_by(vectors), tuned


def _origin(material: Material, pretrained: Weights) -> str:
    """What fine-tuning begins with; of one view as it was called before there were more."""
    views = f" {material.views} views" if material.views > 1 else ""
    return f"{material.architecture.name} {pretrained.sha256}{views}"


def _calibrated_after_tuning(
    material: Material, recipe: Recipe, head: Head, fine_tuning: FineTuning
) -> Trained:
    """Temperature and rule from the validation part, the only one that a tuned network can use."""
    validation = material.parts[VALIDATION]
    learned = material.learned, material.learned_vectors
    photos = [photo for photo in material.learned if photo.split == VALIDATION]
    if len(photos) < calibrate.MIN_HELD_OUT:
        log.info(
            "no temperature and no rule for unknown photos: after fine-tuning they are fitted on "
            "the validation part, which has %d photos: at least %d are needed",
            len(photos),
            calibrate.MIN_HELD_OUT,
        )
        return Trained(head, recipe, *learned, photos, None, None, fine_tuning)
    scored = calibrate.held_out(validation, head)
    fitted = calibrate.calibrate(scored, material.parts[TRAINING])
    calibrate.tell(fitted)
    return Trained(head, recipe, *learned, photos, scored, fitted, fine_tuning)


def _report_test(head: Head, test: Examples, recipe: Recipe) -> None:
    batch = draw_batch(test, recipe.test_batch_size, np.random.default_rng(recipe.seed))
    if len(batch):
        accuracy = score(head, batch)[0] * 100
        log.info("Final test accuracy = %.1f%% (N=%d)", accuracy, len(batch))


def _print_misclassified(head: Head, material: Material) -> None:
    log.info("=== MISCLASSIFIED TEST IMAGES ===")
    for photo, predicted in misclassified(head, material, TEST):
        log.info("%70s  %s", photo.source_url or photo.path, predicted)


def _pretrained(vectors: Bottlenecks, cache: Path, weights: str) -> Weights:
    architecture = parse_architecture(vectors.key.architecture)
    quiet_tensorflow()
    pretrained = weights_sources.obtain(architecture, cache, weights)
    if pretrained.sha256 != vectors.key.weights_sha256:
        raise InputError(
            "the bottlenecks were computed with other pretrained weights than those found now "
            f"({vectors.key.weights_sha256[:12]} and {pretrained.sha256[:12]}): compute the "
            "bottlenecks again, or pass the same --weights"
        )
    return pretrained
