"""TensorBoard summaries: runs `train` and `validation`, with the tags of retrain.py, live."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import api as hparams_api
from tensorboard.plugins.pr_curve import summary as pr_curve
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from components.common.base.errors import InputError
from components.common.base.files import naming_full_disk
from components.common.model.model import softmax
from components.common.photos import images
from components.retrain import projector
from components.retrain.finetune import TunedLook
from components.retrain.head import Examples, Look
from components.retrain.listener import Listener
from components.retrain.material import Material, misclassified
from components.retrain.options import Recipe
from components.retrain.sweep import Trial

TRAIN, VALIDATION = "train", "validation"
RUNS = (TRAIN, VALIDATION)
SWEEP = "sweep"
FLUSH_MILLISECONDS = 2000
PROBE_BYTES = 16 * 1024  # a few pages, less than any look's
# Histograms take a millisecond each, a training step a tenth of that.
HISTOGRAMS = 40
PR_THRESHOLDS = 101
MISCLASSIFIED_SHOWN = 12
THUMBNAIL_SIDE = 224  # pixels
LAYER = "final_training_ops"


class TensorBoardSummaries(Listener):
    """Writes what TensorBoard shows, while training goes on.

    Args:
        directory: where the runs' folders go; each run of the program needs its own.
        classes: class names in the order of the scores.
        recipe: the options, for the page of hyperparameters.
        validation: the whole validation part.

    Raises:
        InputError: the directory holds the logs of another run.
    """

    def __init__(
        self, directory: Path, classes: Sequence[str], recipe: Recipe, validation: Examples
    ) -> None:
        self.directory = directory
        self._classes = classes
        self._recipe = recipe
        self._validation = validation
        looks = recipe.how_many_training_steps // recipe.eval_step_interval
        self._every = max(1, looks // HISTOGRAMS) * recipe.eval_step_interval
        if any((directory / run).exists() for run in RUNS):
            raise InputError(
                f"{directory} holds the TensorBoard logs of another run: give each run its own "
                "folder (--summaries_dir), so that the curves stay apart"
            )
        with naming_full_disk("the TensorBoard logs", directory):
            self._writers = {
                run: tf.summary.create_file_writer(
                    str(directory / run), flush_millis=FLUSH_MILLISECONDS
                )
                for run in RUNS
            }

    def add(self, look: Look) -> None:
        """Write one look at the training."""
        last = look.step == self._recipe.how_many_training_steps - 1
        histograms = look.step % self._every == 0 or last
        learned = _scalars(
            accuracy_1=look.train_accuracy,
            cross_entropy_1=look.train_cross_entropy,
            learning_rate=look.learning_rate,
        )
        if histograms:
            learned += [*_layer(look), *_activations(look.head.logits(look.batch.vectors))]
        self._write(TRAIN, look.step, learned)
        if not look.validation_count:
            return
        seen = _scalars(
            accuracy_1=look.validation_accuracy,
            cross_entropy_1=look.validation_cross_entropy,
        )
        if histograms:
            seen += _activations(look.head.logits(look.held_out.vectors))
            seen += self._recalls(look.head.logits(self._validation.vectors))
        self._write(VALIDATION, look.step, seen)

    def finish(self, look: Look, material: Material, graph: bytes) -> None:
        """Write what is shown of the finished model, as `Listener` describes it."""
        self._add_curves(look)
        self._add_graph(graph, look.step)
        wrong = misclassified(look.head, material, VALIDATION)[:MISCLASSIFIED_SHOWN]
        for number, (photo, predicted) in enumerate(wrong):
            pixels = images.decode(images.thumbnail(material.dataset.read(photo), THUMBNAIL_SIDE))
            with self._writers[VALIDATION].as_default(step=look.step):
                caption = f"{photo.label} taken for {predicted}"
                tf.summary.image(f"misclassified/{number} {caption}", pixels[None])
        # The projector looks in the folders of runs, not in the one above them.
        folder = self.directory / TRAIN
        projector.write(folder, material.dataset, material.learned, material.learned_vectors)

    def _add_curves(self, look: Look) -> None:
        """Write precision-recall curves and hyperparameters."""
        options = _options(self._recipe)
        metrics = [
            hparams_api.Metric("accuracy_1", display_name="accuracy"),
            hparams_api.Metric("cross_entropy_1", display_name="cross entropy"),
        ]
        with self._writers[VALIDATION].as_default(step=look.step):
            hparams_api.hparams_config([hparams_api.HParam(name) for name in options], metrics)
            hparams_api.hparams(options)
            if len(self._validation):
                probabilities = softmax(look.head.logits(self._validation.vectors))
                for number, name in enumerate(self._classes):
                    curve = pr_curve.pb(
                        f"precision_recall/{name}",
                        labels=self._validation.labels == number,
                        predictions=probabilities[:, number],
                        num_thresholds=PR_THRESHOLDS,
                    )
                    tf.summary.experimental.write_raw_pb(curve.SerializeToString())

    def _add_graph(self, graph: bytes, step: int) -> None:
        """Write a serialized GraphDef, without its weights."""
        definition = tf.compat.v1.GraphDef.FromString(graph)
        for node in definition.node:
            if node.op == "Const":
                node.attr.pop("value")
        with self._writers[TRAIN].as_default(step=step):
            tf.summary.graph(definition)

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """Write each trial of a sweep as a run of its own, for the page of hyperparameters."""
        for number, trial in enumerate(trials):
            folder = self.directory / f"{SWEEP}-{number:02d}"
            with tf.summary.create_file_writer(str(folder)).as_default(step=0):
                hparams_api.hparams(_options(trial.recipe))
                _record(_scalars(accuracy_1=trial.accuracy, cross_entropy_1=trial.cross_entropy))

    def add_tuned(self, look: TunedLook) -> None:
        """Write one look at fine-tuning."""
        for run, seen in ((TRAIN, look.train), (VALIDATION, look.validation)):
            if seen:
                with self._writers[run].as_default(step=look.step):
                    tf.summary.scalar("fine_tuning/cross_entropy", seen[0])
                    tf.summary.scalar("fine_tuning/accuracy", seen[1])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()
        if kind is None:
            # TensorFlow says nothing of what it could not write.
            with (
                naming_full_disk("the TensorBoard logs", self.directory),
                tempfile.TemporaryFile(dir=self.directory, buffering=0) as probe,
            ):
                probe.write(bytes(PROBE_BYTES))

    def _write(self, run: str, step: int, summaries: Sequence[Summary]) -> None:
        with self._writers[run].as_default(step=step):
            _record(summaries)

    def _recalls(self, logits: NDArray[np.float32]) -> list[Summary]:
        right = logits.argmax(axis=1) == self._validation.labels
        members = [self._validation.labels == number for number in range(len(self._classes))]
        return [
            scalar_pb(f"recall/{name}", float(right[of_class].mean()))
            for name, of_class in zip(self._classes, members, strict=True)
            if of_class.any()
        ]


def _record(summaries: Sequence[Summary]) -> None:
    """Write them as one event.

    tf.summary.histogram and .scalar say the same through a dozen TensorFlow operations each, which
    take ten times as long as the numbers.
    """
    # The bytes of messages one after another are their fields together.
    joined = b"".join(summary.SerializeToString() for summary in summaries)
    tf.summary.experimental.write_raw_pb(joined)


def _options(recipe: Recipe) -> dict[str, str | float]:
    return {
        name: value if isinstance(value, str) else float(value)
        for name, value in dataclasses.asdict(recipe).items()
    }


def _scalars(**values: float) -> list[Summary]:
    return [scalar_pb(name, value) for name, value in values.items()]


def _layer(look: Look) -> list[Summary]:
    """retrain.py's variable_summaries of the last layer."""
    summaries = []
    for name, values in (("weights", look.head.weights), ("biases", look.head.biases)):
        place = f"{LAYER}/{name}/summaries"
        summaries += [
            scalar_pb(f"{place}/mean", float(values.mean())),
            scalar_pb(f"{place}/stddev_1", float(values.std())),
            scalar_pb(f"{place}/max", float(values.max())),
            scalar_pb(f"{place}/min", float(values.min())),
            histogram_pb(f"{place}/histogram", values),
        ]
    return summaries


def _activations(logits: NDArray[np.float32]) -> list[Summary]:
    return [
        histogram_pb(f"{LAYER}/Wx_plus_b/pre_activations", logits),
        histogram_pb("activations", softmax(logits)),
    ]
