"""What a reader must know of the photos that a report is over, and where it is explained."""

from collections.abc import Iterable

from components.common.base.wording import joined
from components.common.dataset import licences
from components.common.dataset.class_facts import FUNGI, ClassFacts
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import DOUBTFUL_SUBJECT, OTHER_CLASS, SEEN_BY_BACKBONE
from components.evaluate.evaluation import Caution

# Parts of report.html, by their ids.
CLASSES, DOUBTFUL, PARTS = "classes", "doubtful", "parts"


def cautions(
    photos: Iterable[Photo],
    seen: int = 0,
    in_folder: int = 0,
    *,
    facts: ClassFacts = ClassFacts(),
) -> tuple[Caution, ...]:
    """What a reader must know of the photos that were measured on.

    Args:
        photos: that were measured on.
        seen: photos of the folder that the model learned from.
        in_folder: all photos of the folder.
        facts: what is known of the classes.
    """
    measured = list(photos)
    found = [
        _learned(seen, in_folder),
        _of_imagenet(measured),
        _doubtful(measured, facts),
        _non_commercial(measured),
    ]
    return tuple(caution for caution in found if caution)


def _learned(seen: int, photos: int) -> Caution | None:
    if not seen:
        return None
    if seen == photos:
        which = "the only photo" if photos == 1 else f"all {photos} photos"
        text = (
            f"The model learned from {which} of this folder. Such photos prove nothing: "
            "these figures do not say how good the model is. Give it photos that it never saw, "
            "such as the demo photos of its run."
        )
    else:
        text = (
            f"The model learned from {seen} of the {photos} photos of this folder. Such photos "
            f"prove nothing, so the folder's figures count only the other {photos - seen}. "
            "Copies of another size or quality are not recognised."
        )
    return Caution(text, PARTS)


def _of_imagenet(photos: list[Photo]) -> Caution | None:
    labels = sorted({photo.label for photo in photos if SEEN_BY_BACKBONE in photo.flags})
    if not labels:
        return None
    return Caution(
        f"The pretrained network was itself trained on ImageNet photos of {', '.join(labels)}: the "
        "figures of these classes are better than they would be on photos new to it.",
        CLASSES,
    )


def _doubtful(photos: list[Photo], facts: ClassFacts) -> Caution | None:
    """Photos that curation flagged in parts that it does not prune."""
    thing = "mushroom" if facts.subject == FUNGI else "such thing"
    kinds = [
        f"{count} may {words}"
        for flag, words in (
            (OTHER_CLASS, "belong to another class"),
            (DOUBTFUL_SUBJECT, f"show no {thing}"),
        )
        if (count := sum(flag in photo.flags for photo in photos))
    ]
    if not kinds:
        return None
    doubtful = sum(bool({OTHER_CLASS, DOUBTFUL_SUBJECT} & {*photo.flags}) for photo in photos)
    scored = "it is scored as labelled" if doubtful == 1 else "they are scored as labelled"
    return Caution(
        f"{doubtful} of these {len(photos)} photos {'is' if doubtful == 1 else 'are'} doubtful "
        f"({joined(kinds)}): {scored}.",
        DOUBTFUL,
    )


def _non_commercial(photos: list[Photo]) -> Caution | None:
    bound = sum(licences.is_non_commercial(photo.licence) for photo in photos)
    if not bound:
        return None
    which = "All" if bound == len(photos) else str(bound)
    return Caution(
        f"{which} of these {len(photos)} photos may be used for non-commercial purposes only.",
        PARTS,
        alarm=False,
    )
