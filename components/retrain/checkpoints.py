"""Checkpoints of fine-tuning: one file, whole or absent, plain arrays and no pickle."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common import storage
from components.common.errors import InputError
from components.common.step import log, warn

FILE = "fine_tuning.npz"
# InceptionV3 with Adam's two moments takes 260 MB.
MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Checkpoint:
    """Where fine-tuning stands.

    Attributes:
        step: how many steps are done.
        weights: the trainable weights, in the order of the model.
        optimizer: the optimizer's variables, in its order.
    """

    step: int
    weights: Sequence[NDArray[np.float32]]
    optimizer: Sequence[NDArray[np.float32]]


class Checkpoints:
    """Keeps the last checkpoint of one training.

    Args:
        place: folder, or gs://… or s3://….
        fingerprint: of everything that the training depends on; a checkpoint with another one is
            of another training.
    """

    def __init__(self, place: str, fingerprint: str) -> None:
        self._file = f"{place.rstrip('/')}/{FILE}"
        self._fingerprint = fingerprint

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the last one.

        Raises:
            InputError: no permission, or no such bucket.
            WorkError: the disk is full, or the store cannot be reached.
        """
        buffer = io.BytesIO()
        arrays = {
            **{f"weights/{number}": array for number, array in enumerate(checkpoint.weights)},
            **{f"optimizer/{number}": array for number, array in enumerate(checkpoint.optimizer)},
        }
        np.savez(
            buffer,
            fingerprint=np.frombuffer(self._fingerprint.encode(), np.uint8),
            step=np.int64(checkpoint.step),
            **arrays,  # type: ignore[arg-type]
        )
        storage.write_place(self._file, buffer.getvalue(), what="a checkpoint")

    def load(self) -> Checkpoint | None:
        """The last one of this training, None where there is none that can be used.

        Raises:
            InputError: no permission.
            WorkError: the store cannot be reached.
        """
        data = storage.find_place(self._file, max_bytes=MAX_BYTES)
        if data is None:
            return None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                fingerprint = stored["fingerprint"].tobytes().decode()
                found = Checkpoint(
                    int(stored["step"]),
                    _numbered(stored, "weights"),
                    _numbered(stored, "optimizer"),
                )
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            warn(f"the checkpoint {self._file} is damaged ({error}): fine-tuning starts anew")
            return None
        if fingerprint != self._fingerprint:
            log.info("%s is of another training: fine-tuning starts anew", self._file)
            return None
        return found


def check_place(place: str) -> None:
    """Raise `InputError` where checkpoints cannot be kept."""
    if "://" in place and not storage.is_uri(place):
        raise InputError(f"--checkpoint_path is {place!r}: expected a folder, gs://… or s3://…")


def _numbered(stored: "np.lib.npyio.NpzFile", name: str) -> list[NDArray[np.float32]]:
    count = sum(key.startswith(f"{name}/") for key in stored.files)
    return [stored[f"{name}/{number}"] for number in range(count)]
