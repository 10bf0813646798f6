"""gallery.html: the demo photos with the model's answers, for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from components.common.dataset import dangers
from components.common.dataset.dangers import Danger
from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription
from components.common.model.model import TOP_K
from components.common.model.model_place import version_of
from components.common.pages import danger_words, page
from components.common.photos import thumbnails as page_thumbnails

# A page of 1,500 photos stays below 5 MB; twice as many pictures would be too small to be seen.
MAX_WITH_MAPS = 400
MAX_WIDE = 250  # more photos, smaller cards
# The cards of so many photos take 0.6 MB; their pictures grow by a third in base64.
PICTURES_MAX_BYTES = 3_200_000

# A photo's state: the answer "none of these" is neither right nor wrong.
RIGHT, WRONG, UNKNOWN = "right", "wrong", "unknown"
WORDS = {RIGHT: "Right", WRONG: "Wrong", UNKNOWN: "None of these"}


@dataclass(frozen=True)
class Labelled:
    """One photo with the answer.

    Attributes:
        photo: its row of the manifest, with the true class.
        top: likeliest classes with probabilities, likeliest first.
        thumbnail: JPEG.
        why: JPEG, the same with what spoke for the likeliest class; empty without.
        unknown: True where the model says that it is probably none of the classes.
        familiarity: which share of photos of the classes looks stranger, 0 to 1; None if not known.
        probabilities: of all classes, in the model's order.
    """

    photo: Photo
    top: tuple[tuple[str, float], ...]
    thumbnail: bytes
    why: bytes = b""
    unknown: bool = False
    familiarity: float | None = None
    probabilities: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The true class."""
        return self.photo.label

    @property
    def predicted(self) -> str:
        """The likeliest class."""
        return self.top[0][0]

    @property
    def answer(self) -> str | None:
        """The class that was answered; None for "none of these"."""
        return None if self.unknown else self.predicted

    @property
    def right(self) -> bool:
        """True where the likeliest class is the true one, whatever the rule for unknown says."""
        return self.predicted == self.label

    @property
    def state(self) -> str:
        """What the answer is: `UNKNOWN` where it is "none of these", else `RIGHT` or `WRONG`."""
        if self.unknown:
            return UNKNOWN
        return RIGHT if self.right else WRONG


@dataclass(frozen=True)
class Gallery:
    """What gallery.html shows."""

    model: ModelDescription
    photos: tuple[Labelled, ...]

    def caution(self, photo: Labelled) -> str:
        """What is to be said of the dangers of an answer, in one phrase; empty where nothing is."""
        return danger_words.caution(self._dangers(photo), photo.answer)

    def could_also_be(self, photo: Labelled) -> str:
        """The dangerous classes beside the answer, in one phrase; empty where there are none."""
        return danger_words.could_also_be(self._dangers(photo), photo.answer)

    def is_dangerous(self, photo: Labelled) -> bool:
        """Whether the answer takes a dangerous class for an edible one."""
        return dangers.is_confusion(
            photo.label, photo.predicted, self.model.facts, unknown=photo.unknown
        )

    def _dangers(self, photo: Labelled) -> tuple[Danger, ...]:
        if not photo.probabilities:
            return ()
        return dangers.possible(photo.probabilities, self.model.classes, self.model.facts)


def render(gallery: Gallery) -> str:
    """The gallery as one self-contained HTML file."""
    model, photos = gallery.model, gallery.photos
    fitted, dense = _fitted(photos)
    counts = Counter(photo.state for photo in photos)
    return page.render(
        __file__,
        script=bool(photos),
        model=model,
        version=version_of(model),
        photos=fitted,
        dense=dense,
        total=len(photos),
        right=sum(photo.right for photo in photos),
        right_among_unknown=sum(photo.right for photo in photos if photo.unknown),
        states={state: counts[state] for state in WORDS},
        words=WORDS,
        gallery=gallery,
        confused=sum(map(gallery.is_dangerous, photos)),
        with_danger=partial(danger_words.with_danger, facts=model.facts),
        with_maps=any(photo.why for photo in fitted),
        most_with_maps=MAX_WITH_MAPS,
        top_k=TOP_K,
    )


def _fitted(photos: Sequence[Labelled]) -> tuple[list[Labelled], bool]:
    """The photos with pictures that fit a page, and whether the cards shall be small."""
    with_maps = len(photos) <= MAX_WITH_MAPS
    pictures = [photo.thumbnail for photo in photos]
    if with_maps:
        pictures += [photo.why for photo in photos]
        fitted = page_thumbnails.fit(pictures, PICTURES_MAX_BYTES)
    else:
        fitted = page_thumbnails.fit(pictures)
    thumbnails = fitted[: len(photos)]
    maps = fitted[len(photos) :] if with_maps else [b""] * len(photos)
    small = [
        replace(photo, thumbnail=thumbnail, why=why)
        for photo, thumbnail, why in zip(photos, thumbnails, maps, strict=True)
    ]
    return small, fitted is not pictures and len(photos) > MAX_WIDE
