"""What the frozen layers make of each photo, computed once and kept while the layers above learn.

A frozen layer gives the same for the same pixels, BatchNorm too, since it works with its stored
statistics. So a step needs to run only the layers that learn. Of each photo that the steps will
draw, and of its mirror image where photos are mirrored, the frozen layers' output (activations) is
computed once: never more often than the steps would compute it.
"""

import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.common.base.files import is_disk_full
from components.common.base.step import Progress, log
from components.common.base.wording import counted
from components.common.dataset.photo import Photo
from components.retrain.export import KerasModels
from components.retrain.frozen_layers import split
from components.retrain.photo_batches import PREDICT_BATCH, Batch, NoRoom, PhotoBatches, Variant

if TYPE_CHECKING:
    import keras

MEMORY_BYTES = 512 * 1024**2  # of activations; more of them are in a temporary file
DISK_BYTES = 16 * 1024**3  # of that file, at most
DISK_SHARE = 0.5  # of what is free where it lies, at most


def keep(
    models: KerasModels, photos: PhotoBatches, steps: int
) -> "tuple[keras.Model, ActivationBatches] | None":
    """The layers that learn as a model of their own, and its batches.

    Args:
        models: of which the classifier's layers are frozen or not.
        photos: what the steps learn from.
        steps: of the whole training.

    Returns:
        None where the whole network has to run in every step; a line of the log says why.
    """
    if photos.distortions.by_amounts:
        reason = "photos are cropped, enlarged or brightened at random"
    elif not (parts := split(models)):
        reason = "its first layer learns, too"
    else:
        frozen, learning = parts
        kept = ActivationBatches(photos, frozen, steps)
        reason = "" if kept.size_bytes <= MEMORY_BYTES else _too_large(kept)
        if not reason:
            return learning, kept
    say_why_not(reason)
    return None


def say_why_not(reason: str) -> None:
    """Log that nothing is kept."""
    log.info("fine-tuning runs the whole network in every step: %s", reason)


def _too_large(kept: "ActivationBatches") -> str:
    """Why the activations cannot be in a file; empty where they can."""
    place = tempfile.gettempdir()
    most = min(DISK_BYTES, shutil.disk_usage(place).free * DISK_SHARE)
    if kept.size_bytes <= most:
        return ""
    return (
        f"activations of {counted(kept.count, 'photo')} would take {_gb(kept.size_bytes)}, and at "
        f"most {_gb(most)} of {place} are used"
    )


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


class ActivationBatches:
    """The same batches as those of photos, of what the frozen layers make of them.

    Args:
        photos: the batches.
        frozen: the frozen layers.
        steps: of the whole training.
    """

    def __init__(self, photos: PhotoBatches, frozen: "keras.Model", steps: int) -> None:
        self.validation: Sequence[Photo] = photos.validation
        self._photos = photos
        self._frozen = frozen
        # All steps' and not those to come: so a training that continues computes them in the same
        # batches.
        drawn = chain.from_iterable(photos.drawn(step)[0] for step in range(steps))
        self._variants: dict[Any, Variant] = {}
        for variant in chain(drawn, map(Variant, photos.validation)):
            self._variants.setdefault(variant.key, variant)
        self._row = {key: row for row, key in enumerate(self._variants)}
        self._kept: NDArray[Any] | None = None

    @property
    def count(self) -> int:
        """Photos and mirror images."""
        return len(self._variants)

    @property
    def size_bytes(self) -> int:
        """Of all activations."""
        return self.count * math.prod(self._shape) * self._kind.itemsize

    @property
    def batch_shapes(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """Shape and type of what `batches` gives."""
        count = self._photos.batch_size
        return ((count, *self._shape), self._kind.name), ((count,), "int64")

    def prepare(self) -> None:
        """Run the frozen layers.

        Raises:
            NoRoom: the disk is full.
        """
        progress = Progress("fine-tuning: frozen layers", self.count, verb="computed")
        activations = self._computed(progress)
        shape = (self.count, *self._shape)
        is_in_file = self.size_bytes > MEMORY_BYTES
        self._kept = (_in_file if is_in_file else _in_memory)(activations, shape, self._kind)
        place = (
            "memory" if self.size_bytes <= MEMORY_BYTES else f"a file in {tempfile.gettempdir()}"
        )
        what = counted(self.count, "photo")
        progress.finish(f"{what}, {self.size_bytes / 1e6:.0f} MB of activations in {place}")

    def batches(self, start: int, end: int) -> Iterator[Batch]:
        """Activations (N, …) and classes (N,) of each step from `start` to `end`."""
        for step in range(start, end):
            variants, labels = self._photos.drawn(step)
            yield self._of(variants), labels

    def validate(self, model: "keras.Model") -> tuple[float, float] | None:
        """Cross entropy and accuracy of the validation part; None where there is none."""
        variants = list(map(Variant, self.validation))
        starts = range(0, len(variants), PREDICT_BATCH)
        return self._photos.score(
            model, (self._of(variants[start : start + PREDICT_BATCH]) for start in starts)
        )

    @property
    def _shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._frozen.output_shape[1:]
        return shape

    @property
    def _kind(self) -> "np.dtype[Any]":
        """That in which the network computes: nothing is lost."""
        kind: np.dtype[Any] = np.dtype(self._frozen.outputs[0].dtype)
        return kind

    def _of(self, variants: Sequence[Variant]) -> NDArray[Any]:
        assert self._kept is not None, "prepare comes first"
        return np.asarray(self._kept[[self._row[variant.key] for variant in variants]])

    def _computed(self, progress: Progress) -> Iterator[NDArray[Any]]:
        for batch in self._photos.inputs(self._variants.values()):
            # Not predict_on_batch: on several GPUs that gives the whole batch to each.
            yield self._frozen.predict(batch, batch_size=PREDICT_BATCH, verbose=0)
            for _ in batch:
                progress.advance()


def _in_memory(
    batches: Iterable[NDArray[Any]], shape: tuple[int, ...], kind: "np.dtype[Any]"
) -> NDArray[Any]:
    kept, row = np.empty(shape, kind), 0
    for batch in batches:
        kept[row : row + len(batch)] = batch
        row += len(batch)
    return kept


def _in_file(
    batches: Iterable[NDArray[Any]], shape: tuple[int, ...], kind: "np.dtype[Any]"
) -> NDArray[Any]:
    """In a file without a name, of which nothing stays, however this process ends.

    It is written first and mapped then: where the disk becomes full, writing fails with an error,
    and a mapped page ends the process.
    """
    try:
        with tempfile.TemporaryFile() as file:
            for batch in batches:
                file.write(np.ascontiguousarray(batch, kind).data)
            file.flush()
            return np.memmap(file, kind, "r", shape=shape)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise NoRoom(f"{tempfile.gettempdir()} is full") from error
