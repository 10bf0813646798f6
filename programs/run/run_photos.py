"""A few demo photos with the model's answers, for index.html."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.model import predictions
from components.common.photos import images

MOST, SIDE = 6, 320  # photos, and pixels of the longer side


@dataclass(frozen=True)
class Answered:
    """One demo photo with the answer.

    Attributes:
        photo: its row of the manifest, with the true class.
        thumbnail: JPEG.
        predicted: the likeliest class.
        probability: of that class, 0 to 1.
        unknown: it was called none of the classes.
    """

    photo: Photo
    thumbnail: bytes
    predicted: str
    probability: float
    unknown: bool

    @property
    def right(self) -> bool:
        """Whether the likeliest class is the true one."""
        return self.predicted == self.photo.label


def answered(demo: Path, answers: Path) -> tuple[Answered, ...]:
    """The first demo photo of each class, then the second of each, and so on, `MOST` in all.

    They are taken in the order of the dataset, whatever the answers are.

    Args:
        demo: dataset of the demo photos.
        answers: predictions.parquet of the step label_image, of these photos.

    Raises:
        InputError: a file is missing or damaged, or a photo has no answer.
    """
    dataset = Dataset(demo)
    chosen = _by_turns(dataset.photos)
    rows = predictions.read(answers, most_rows=len(dataset.photos)).to_pylist()
    known = {row["path"]: row for row in rows}
    found = []
    for photo in chosen:
        if photo.path not in known:
            raise InputError(f"{answers} has no answer for {photo.path!r:.160}, a photo of {demo}")
        row = known[photo.path]
        picture = images.thumbnail(dataset.read(photo), SIDE)
        found.append(Answered(photo, picture, row["predicted"], row["probability"], row["unknown"]))
    return tuple(found)


def _by_turns(photos: Sequence[Photo]) -> list[Photo]:
    by_class: dict[str, list[Photo]] = {}
    for photo in photos:
        by_class.setdefault(photo.label, []).append(photo)
    turns = zip_longest(*(by_class[label] for label in sorted(by_class)))
    return [photo for turn in turns for photo in turn if photo][:MOST]
