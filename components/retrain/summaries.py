"""TensorBoard summaries: runs `train` and `validation`, with the tags of retrain.py, live."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import tensorflow as tf

from components.common.errors import InputError
from components.common.files import naming_full_disk
from components.retrain.head import Measurement

RUNS = ("train", "validation")
FLUSH_MILLISECONDS = 2000


class TensorBoardSummaries(AbstractContextManager["TensorBoardSummaries"]):
    """Writes scalars `accuracy_1` and `cross_entropy_1` while training goes on.

    Args:
        directory: where the runs' folders go; each run of the program needs its own.

    Raises:
        InputError: the directory holds the logs of another run.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
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

    def add(self, measurement: Measurement) -> None:
        """Write one measurement to both runs."""
        scalars = {
            "train": (measurement.train_accuracy, measurement.train_cross_entropy),
            "validation": (measurement.validation_accuracy, measurement.validation_cross_entropy),
        }
        for run, (accuracy, cross_entropy) in scalars.items():
            if run == "validation" and not measurement.validation_count:
                continue
            with self._writers[run].as_default(step=measurement.step):
                tf.summary.scalar("accuracy_1", accuracy)
                tf.summary.scalar("cross_entropy_1", cross_entropy)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()
