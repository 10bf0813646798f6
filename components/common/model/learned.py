"""learned.npy of a model: which photos it learned from, to recognise one by its content.

An answer about such a photo says nothing about how good the model is. references.parquet has these
hashes too, but takes longer to read than a photo takes to be labelled.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from components.common.base.errors import InputError
from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription
from components.common.model.layout import LEARNED, REFERENCES
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.common.untrusted.arrays import read_npy

DIGEST_BYTES = 32  # of a SHA-256


def write(path: Path, photos: Iterable[Photo]) -> None:
    """Write the file: uint8, shape (N, 32), sorted, SHA-256 of each photo as stored and as found.

    A photo that was converted when it was stored is recognised by the bytes as found: to convert
    it again would take several times as long as to label it.
    """
    digests = sorted({one for photo in photos for one in (photo.sha256, photo.source_sha256)})
    data = b"".join(map(bytes.fromhex, digests))
    np.save(path, np.frombuffer(data, np.uint8).reshape(-1, DIGEST_BYTES))


class Learned:
    """The photos that a model learned from, by their content.

    Args:
        directory: the model.
        description: of it. A model of before there was `learned.npy` is asked for its references;
            one without either knows of no photo.

    Raises:
        InputError: the file is damaged, or of another model.
    """

    def __init__(self, directory: Path, description: ModelDescription) -> None:
        self._digests: frozenset[bytes] = frozenset()
        self._as_stored_only = False
        if (directory / LEARNED).is_file():
            self._digests = _read(description.check_file(directory, LEARNED))
        elif (directory / REFERENCES).is_file():
            from components.common.model.references import References

            found = References(description.check_file(directory, REFERENCES)).photos
            self._digests = frozenset(bytes.fromhex(photo.sha256) for photo in found)
            self._as_stored_only = True

    def has(self, data: bytes) -> bool:
        """True for the bytes of a photo, as found or as stored, that the model learned from.

        A copy of another size or quality is another photo.
        """
        if not self._digests:
            return False
        if self._has(data):
            return True
        stored = images.stripped(data)
        if stored is None and self._as_stored_only:
            try:
                stored = images.to_clean_jpeg(data).data
            except BadPhoto:
                return False
        return stored is not None and self._has(stored)

    def _has(self, data: bytes) -> bool:
        return hashlib.sha256(data).digest() in self._digests


def _read(path: Path) -> frozenset[bytes]:
    try:
        digests = read_npy(path)
        if digests.dtype != np.uint8 or digests.ndim != 2 or digests.shape[1] != DIGEST_BYTES:
            raise ValueError(f"it holds {digests.dtype} of the shape {digests.shape}")
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return frozenset(row.tobytes() for row in digests)
