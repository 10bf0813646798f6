"""The words of a manifest: parts, reasons and flags, in one place.

A reason says why a photo was left out; a flag says something of a photo, used or not. What each
means in words, who gives it and what a person may overrule stands in `WORDS` and nowhere else: to
add one is to add an entry there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

TRAINING, VALIDATION, TEST, DEMO, SURPLUS = "training", "validation", "test", "demo", "surplus"
PARTS = (TRAINING, VALIDATION, TEST, DEMO)

NOTHING_NEW = "Nothing new"  # how the page of a run begins that ended early

# Reasons why a file of a folder is not taken for a photo (photo_files.py).
HIDDEN, NO_FILE, TOO_LARGE, UNREADABLE = "hidden", "no_file", "too_large", "unreadable"
UNKNOWN_TYPE = "unknown_type"  # the decoder's too
LEFT_OUT = frozenset((HIDDEN, NO_FILE, TOO_LARGE, UNREADABLE, UNKNOWN_TYPE))
# Reasons of `clean`, beside those of the decoder (photos/images.py).
EXACT_DUPLICATE, QUARANTINED = "exact_duplicate", "quarantined"
# Reasons of `curate`.
IN_TWO_CLASSES, NEAR_DUPLICATE = "in_two_classes", "near_duplicate"
NO_MUSHROOM, OTHER_CLASS, DROPPED = "no_mushroom", "other_class", "dropped"
# Flags of `clean`.
SMALL, ODD_ASPECT_RATIO, BLANK, DARK = "small", "odd_aspect_ratio", "blank", "dark"
BRIGHT, BLURRED, GREY = "bright", "blurred", "grey"
KEPT_BY_HAND, TRUNCATED = "kept_by_hand", "truncated"
# Flags of `curate`, beside `OTHER_CLASS`.
DOUBTFUL_SUBJECT, MOVED_BY_HAND = "doubtful_subject", "moved_by_hand"
# Flags of photos that are used but doubtful.
DOUBTS = (OTHER_CLASS, DOUBTFUL_SUBJECT)
# Flags of photos that a person wants in their class: what looks doubtful of them counts no more.
VOUCHED = frozenset((KEPT_BY_HAND, MOVED_BY_HAND))
# Flags of `download`.
RENDERED, IMAGENET, SEEN_BY_BACKBONE = "rendered", "imagenet", "seen_by_backbone"


@dataclass(frozen=True)
class Word:
    """A reason or flag, or both.

    Attributes:
        name: in the manifest.
        meaning: what it says of the photo.
        short: a few words, for headings and beside pictures; empty for the name itself.
        many: what follows a number above 1 in a sentence; empty for `short`.
        reason: photos are left out for it.
        flag: photos are flagged with it.
        quality: a flag of `clean` that --strict makes a reason of.
        final: a reason that no person can overrule: there is no picture, or no need.
        origin: a flag that says where a photo comes from or what was done to it, and nothing
            against it.
    """

    name: str
    meaning: str
    short: str = ""
    reason: bool = False
    flag: bool = False
    quality: bool = False
    final: bool = False
    origin: bool = False
    many: str = ""


_reason = partial(Word, reason=True)
_quality = partial(Word, reason=True, flag=True, quality=True)
_origin = partial(Word, flag=True, origin=True)

_WORDS = (
    _reason(UNREADABLE, "it could not be read: no permission, or a faulty disk", final=True),
    _reason(
        "placeholder",
        "a notice in place of a photo that is gone, or a blank picture",
        many="placeholders",
    ),
    _reason("suspicious_size", "too small a file to be a photo at all"),
    _reason("too_few_bytes", "a file below --min_bytes: most that are so small show too little"),
    _reason(
        EXACT_DUPLICATE, "the very same photo is there already", final=True, many="exact copies"
    ),
    _reason("html", "a web page, saved under the name of a photo", "a web page", final=True),
    _reason(UNKNOWN_TYPE, "no picture of a known type", final=True),
    _reason(HIDDEN, "its name begins with a dot: a system's or a program's own file", final=True),
    _reason(NO_FILE, "no regular file, or a link to nothing", "no file", final=True),
    _reason(TOO_LARGE, "a file of more than 64 MB", "too large a file", final=True),
    _reason("damaged_header", "damaged: its beginning describes no picture", final=True),
    _reason("damaged", "damaged: cut off, or with data that is no picture", final=True),
    _reason("too_many_pixels", "more than 100 megapixels", final=True),
    _reason("too_many_scans", "more scans than any camera writes", final=True),
    _reason("too_few_pixels", "a side below 32 pixels", final=True),
    _reason(QUARANTINED, "it can be shown, but its data has holes: a part may be grey or shifted"),
    _reason(
        IN_TWO_CLASSES,
        "the same or nearly the same picture, or one of the same observation, is in another class "
        "too",
    ),
    _reason(NEAR_DUPLICATE, "a copy of another photo, which is used instead", many="near copies"),
    _reason(
        NO_MUSHROOM, "the pretrained network sees no mushroom in it", many="without a mushroom"
    ),
    _reason(
        OTHER_CLASS,
        "it looks more like another of the classes",
        flag=True,
        many="like another class",
    ),
    _reason(DROPPED, "a person decided to drop it", "dropped by hand"),
    _reason(SURPLUS, "good, but there were enough photos of its class", final=True),
    _quality(SMALL, "a side below 128 pixels"),
    _quality(ODD_ASPECT_RATIO, "more than three times as long as wide: squeezing distorts it"),
    _quality(BLANK, "nearly the same tone everywhere"),
    _quality(DARK, "even its brightest parts are dark"),
    _quality(BRIGHT, "even its darkest parts are bright"),
    _quality(BLURRED, "blurred all over"),
    _quality(GREY, "without colours"),
    Word(
        DOUBTFUL_SUBJECT,
        "the pretrained network doubts that a mushroom is in it",
        "perhaps no mushroom",
        flag=True,
    ),
    _origin(KEPT_BY_HAND, "a person decided to keep it"),
    _origin(MOVED_BY_HAND, "it was found in another class, and a person moved it to this one"),
    _origin(TRUNCATED, "only its first bytes, or none, are stored"),
    _origin(RENDERED, "a drawing, no photograph"),
    _origin(IMAGENET, "under the terms of ImageNet", "from ImageNet"),
    _origin(
        SEEN_BY_BACKBONE, "the pretrained network learned from such photos", "seen by the backbone"
    ),
)
WORDS: Mapping[str, Word] = {word.name: word for word in _WORDS}
# In this order a photo's flags of quality are listed, and --strict takes the first as the reason.
QUALITY_FLAGS = tuple(word.name for word in _WORDS if word.quality)
FINAL_REASONS = frozenset(word.name for word in _WORDS if word.final)


def short(name: str) -> str:
    """A reason, flag or other name of the manifest in a few words."""
    return (name in WORDS and WORDS[name].short) or name.replace("_", " ")


def meaning(name: str) -> str:
    """What a reason or flag says of a photo."""
    return WORDS[name].meaning if name in WORDS else short(name)


def in_words(counts: Mapping[str, int]) -> str:
    """As `listed`, with plurals: "5 placeholders, 1 damaged"."""
    many = {name: (name in WORDS and WORDS[name].many) or short(name) for name in counts}
    return ", ".join(
        f"{count} {many[name] if count > 1 else short(name)}" for name, count in counts.items()
    )


def listed(counts: Mapping[str, int]) -> str:
    """How many photos have which reason or flag, in the order of `counts`: "2 dark, 1 damaged"."""
    return ", ".join(f"{count} {short(name)}" for name, count in counts.items())
