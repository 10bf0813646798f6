"""TensorBoard summaries: runs `train` and `validation`, with the tags of retrain.py, live."""

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorboard.plugins.hparams import api as hparams_api
from tensorboard.plugins.pr_curve import summary as pr_curve

from components.common.errors import InputError
from components.common.files import naming_full_disk
from components.common.model import softmax
from components.retrain.finetune import TunedLook
from components.retrain.head import Examples, Look, Recipe
from components.retrain.sweep import Trial

TRAIN, VALIDATION = "train", "validation"
RUNS = (TRAIN, VALIDATION)
SWEEP = "sweep"
FLUSH_MILLISECONDS = 2000
# Histograms take a millisecond each, a training step a tenth of that.
HISTOGRAMS = 40
PR_THRESHOLDS = 101
LAYER = "final_training_ops"


class TensorBoardSummaries(AbstractContextManager["TensorBoardSummaries"]):
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
        with self._writers[TRAIN].as_default(step=look.step):
            _scalars(
                accuracy_1=look.train_accuracy,
                cross_entropy_1=look.train_cross_entropy,
                learning_rate=look.learning_rate,
            )
            if histograms:
                _layer(look)
                _activations(look.head.logits(look.batch.vectors))
        if not look.validation_count:
            return
        with self._writers[VALIDATION].as_default(step=look.step):
            _scalars(
                accuracy_1=look.validation_accuracy,
                cross_entropy_1=look.validation_cross_entropy,
            )
            if histograms:
                _activations(look.head.logits(look.held_out.vectors))
                self._recalls(look.head.logits(self._validation.vectors))

    def finish(self, look: Look) -> None:
        """Write what is shown of the trained head: precision-recall curves and hyperparameters."""
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

    def add_graph(self, graph: bytes, step: int) -> None:
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
                _scalars(accuracy_1=trial.accuracy, cross_entropy_1=trial.cross_entropy)

    def add_tuned(self, look: TunedLook) -> None:
        """Write one look at fine-tuning."""
        for run, seen in ((TRAIN, look.train), (VALIDATION, look.validation)):
            if seen:
                with self._writers[run].as_default(step=look.step):
                    tf.summary.scalar("fine_tuning/cross_entropy", seen[0])
                    tf.summary.scalar("fine_tuning/accuracy", seen[1])

    def add_photo(self, number: int, caption: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Write a misclassified photo, uint8 (height, width, 3), RGB."""
        with self._writers[VALIDATION].as_default(step=step):
            tf.summary.image(f"misclassified/{number} {caption}", pixels[None])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def _recalls(self, logits: NDArray[np.float32]) -> None:
        right = logits.argmax(axis=1) == self._validation.labels
        for number, name in enumerate(self._classes):
            members = self._validation.labels == number
            if members.any():
                tf.summary.scalar(f"recall/{name}", float(right[members].mean()))


def _options(recipe: Recipe) -> dict[str, str | float]:
    return {
        name: value if isinstance(value, str) else float(value)
        for name, value in dataclasses.asdict(recipe).items()
    }


def _scalars(**values: float) -> None:
    for name, value in values.items():
        tf.summary.scalar(name, value)


def _layer(look: Look) -> None:
    """retrain.py's variable_summaries of the last layer."""
    for name, values in (("weights", look.head.weights), ("biases", look.head.biases)):
        place = f"{LAYER}/{name}/summaries"
        tf.summary.scalar(f"{place}/mean", float(values.mean()))
        tf.summary.scalar(f"{place}/stddev_1", float(values.std()))
        tf.summary.scalar(f"{place}/max", float(values.max()))
        tf.summary.scalar(f"{place}/min", float(values.min()))
        tf.summary.histogram(f"{place}/histogram", values)


def _activations(logits: NDArray[np.float32]) -> None:
    tf.summary.histogram(f"{LAYER}/Wx_plus_b/pre_activations", logits)
    tf.summary.histogram("activations", softmax(logits))
