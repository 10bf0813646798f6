"""The photos to choose from: read once, answered by the model, and without copies.

Of each photo about 7 KB stay in memory, and none of its bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import Progress, warn
from components.common.base.wording import counted
from components.common.base.worker_threads import OnePerThread, cores, map_in_threads
from components.common.dataset.copies import near_copies
from components.common.dataset.groups import group_photos
from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription, read_description
from components.common.model.layout import REFERENCES
from components.common.model.learned import Learned
from components.common.model.model import Model
from components.common.model.references import References
from components.common.network.architecture import parse_architecture
from components.common.photos import images
from components.common.photos.fingerprint import fingerprint
from components.common.photos.images import BadPhoto
from components.label_image.crew import AHEAD, MAX_THREADS
from components.label_image.photos import Reader, read_ahead
from components.label_image.stored import Unreadable


@dataclass(frozen=True)
class Candidate:
    """A photo that could be chosen.

    Attributes:
        name: as `components.label_image.photos.find` gives it.
        sha256: of its bytes.
        size: of its bytes.
        probabilities: float32, shape (classes,), calibrated.
        familiarity: which share of photos of the classes looks stranger, 0 to 1; None if not known.
        unknown: the model takes it for none of the classes.
        vector: float32, shape (D,), its bottleneck.
        fingerprint: uint8, shape (32, 32).
    """

    name: str
    sha256: str
    size: int
    probabilities: NDArray[np.float32]
    familiarity: float | None
    unknown: bool
    vector: NDArray[np.float32]
    fingerprint: NDArray[np.uint8]


@dataclass(frozen=True)
class Pool:
    """What there is to choose from.

    Attributes:
        candidates: different photos that the model does not know, by name.
        found: photos that were read, unusable ones among them.
        unusable: of these.
        copies: of other photos that were found.
        known: photos that the model was made of, and copies of those.
    """

    candidates: tuple[Candidate, ...]
    found: int
    unusable: int
    copies: int
    known: int


def gather(model_dir: Path, names: Iterable[str], reader: Reader) -> Pool:
    """Read the photos, and leave out what cannot be chosen.

    Args:
        model_dir: the model.
        names: of the photos.
        reader: of them.

    Raises:
        InputError: the model is damaged, or a store refuses us.
        WorkError: a store cannot be reached.
    """
    description = read_description(model_dir)
    learned = Learned(model_dir, description)
    usable: dict[str, Candidate] = {}
    found = unusable = copies = known = 0
    example = ""
    progress = Progress("look at photos", verb="looked at")
    for one in progress.over(_answered(model_dir, read_ahead(names, reader), learned)):
        found += 1
        if isinstance(one, str):
            unusable, example = unusable + 1, example or one
        elif one is None:
            known += 1
        elif one.sha256 in usable:
            copies += 1
        else:
            usable[one.sha256] = one
    if unusable:
        count = counted(unusable, "photo is not usable", "photos are not usable")
        warn(f"{count}, such as {example}")
    left, near, near_known = _different(list(usable.values()), description, model_dir)
    return Pool(tuple(left), found, unusable, copies + near, known + near_known)


def _answered(
    model_dir: Path, photos: Iterable[tuple[str, bytes | Unreadable]], learned: Learned
) -> Iterator[Candidate | str | None]:
    """Each photo with its answer; why it is not usable; or None where the model learned from it."""
    models = OnePerThread(lambda: Model(model_dir, threads=1))

    def answer(photo: tuple[str, bytes | Unreadable]) -> Candidate | str | None:
        name, data = photo
        if isinstance(data, Unreadable):
            return f"{name} ({data})"
        if learned.has(data):
            return None
        model = models()
        try:
            pixels = images.model_input(data, model.description.input_size)
        except BadPhoto as bad:
            return f"{name} ({bad})"
        found = model.judge(model(pixels[np.newaxis]))[0]
        if not np.isfinite(found.probabilities).all():
            return f"{name} (the model gives no finite probabilities for it)"
        return Candidate(
            name,
            hashlib.sha256(data).hexdigest(),
            len(data),
            found.probabilities.copy(),
            found.familiarity,
            found.unknown,
            found.bottleneck.copy(),
            fingerprint(pixels),
        )

    threads = min(cores(), MAX_THREADS)
    return map_in_threads(answer, photos, threads=threads, ahead=AHEAD * threads)


def _different(
    photos: Sequence[Candidate], description: ModelDescription, model_dir: Path
) -> tuple[list[Candidate], int, int]:
    """One photo of each that has copies, and none that is a copy of one that the model knows.

    Of several copies the largest file is taken.

    Returns:
        The photos by name, how many copies of them were left out, and how many of known photos.
    """
    if not photos:
        return [], 0, 0
    known = _known(description, model_dir)
    prints = np.stack([one.fingerprint for one in photos] + [small for small, _ in known])
    vectors = np.stack([one.vector for one in photos] + [vector for _, vector in known])
    architecture = parse_architecture(description.architecture)
    pairs = near_copies(prints, vectors, architecture.family.name, description.views)
    rows = [Photo("")] * len(prints)
    kept, copies, of_known = [], 0, 0
    for group in group_photos(rows, pairs):
        members = [photos[row] for row in group if row < len(photos)]
        if len(members) < len(group):
            of_known += len(members)
        else:
            kept.append(max(members, key=lambda one: (one.size, one.sha256)))
            copies += len(members) - 1
    return sorted(kept, key=lambda one: one.name), copies, of_known


def _known(
    description: ModelDescription, model_dir: Path
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Fingerprint and vector of the photos that the model shows as its references."""
    if not (model_dir / REFERENCES).is_file():
        return []
    references = References(description.check_file(model_dir, REFERENCES))
    known = []
    for thumbnail, vector in references.shown():
        try:
            pixels = images.model_input(thumbnail, description.input_size)
        except BadPhoto:
            continue
        known.append((fingerprint(pixels), vector))
    return known
