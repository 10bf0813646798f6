"""Checkpoints of fine-tuning: one file, whole or absent, plain arrays and no pickle."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import log, warn
from components.common.store import storage

# The SHA-256 of the arrays, then the arrays as numpy's .npz.
FILE = "fine_tuning.checkpoint"
DIGEST_BYTES = 32
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
        self._frozen = False

    def keep_the_last(self) -> None:
        """Let what is there stay: from now on `save` does nothing."""
        self._frozen = True

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the last one, unless that is to stay.

        Raises:
            InputError: no permission, or no such bucket.
            WorkError: the disk is full, or the store cannot be reached.
        """
        if self._frozen:
            return
        arrays = {
            **{f"weights/{number}": array for number, array in enumerate(checkpoint.weights)},
            **{f"optimizer/{number}": array for number, array in enumerate(checkpoint.optimizer)},
        }
        buffer = io.BytesIO()
        np.savez(
            buffer,
            fingerprint=np.frombuffer(self._fingerprint.encode(), np.uint8),
            step=np.int64(checkpoint.step),
            **arrays,  # type: ignore[arg-type]
        )
        data = buffer.getvalue()
        storage.write_place(self._file, _digest(data) + data, what="a checkpoint")

    def load(self) -> Checkpoint | None:
        """The last one of this training, None where there is none that can be used.

        Raises:
            InputError: no permission.
            WorkError: the store cannot be reached.
        """
        data = storage.find_place(self._file, max_bytes=MAX_BYTES)
        if data is None:
            return None
        content = data[DIGEST_BYTES:]
        if _digest(content) != data[:DIGEST_BYTES]:
            warn(f"the checkpoint {self._file} is damaged: fine-tuning starts over")
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            fingerprint = stored["fingerprint"].tobytes().decode()
            if fingerprint != self._fingerprint:
                log.info("%s belongs to another training: fine-tuning starts over", self._file)
                return None
            return Checkpoint(
                int(stored["step"]), _numbered(stored, "weights"), _numbered(stored, "optimizer")
            )


def _numbered(stored: "np.lib.npyio.NpzFile", name: str) -> list[NDArray[np.float32]]:
    count = sum(key.startswith(f"{name}/") for key in stored.files)
    return [stored[f"{name}/{number}"] for number in range(count)]


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
