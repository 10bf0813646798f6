"""curation.html: what curation found, for a person to look at and to overrule photo by photo."""

import collections
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import (
    DOUBTFUL_SUBJECT,
    FINAL_REASONS,
    IN_TWO_CLASSES,
    KEPT_BY_HAND,
    MOVED_BY_HAND,
    NO_MUSHROOM,
    OTHER_CLASS,
    QUALITY_FLAGS,
    RENDERED,
    short,
)
from components.common.pages import page
from components.common.photos import images, thumbnails
from components.common.photos.images import BadPhoto
from components.curate.facts import (
    CURATE,
    FUNNEL,
    UNUSABLE,
    USED,
    Entry,
    column,
    doubtful_in_words,
    totals,
)

Name = tuple[str, str, str]  # step, label, path

THUMBNAIL_SIDE = 160  # pixels
MAX_SHOWN = 240  # photos of a section
MAX_USED_SHOWN = 2000  # used photos of all classes together
MAX_THUMBNAIL_BYTES = 5_000_000  # of all together: a page of 2,000 photos has 9 MB
QUALITY = frozenset(QUALITY_FLAGS)
# Sections whose photos a person should decide on; the page counts what is left of them.
ASKING = (OTHER_CLASS, NO_MUSHROOM, IN_TWO_CLASSES)
# Names that a site gives to every photo: the folder before them tells photos apart.
_OF_EVERY_PHOTO = re.compile(r"(original|large|medium|small|image|photo|full)\.\w+")


@dataclass(frozen=True)
class Section:
    """One chapter of the page: groups of photos under a heading. The template has its words."""

    name: str
    groups: tuple[tuple[str, tuple[Entry, ...]], ...]  # heading, photos
    left_out: int = 0  # photos that do not fit on the page

    @property
    def count(self) -> int:
        """Photos of the section, shown or not."""
        return sum(len(entries) for _, entries in self.groups) + self.left_out

    @property
    def asks(self) -> bool:
        """Whether a person should decide on its photos."""
        return self.name in ASKING


@dataclass
class Shown:
    """What the page shows, and the thumbnails as they come in."""

    sections: tuple[Section, ...]
    small: dict[Name, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wanted = {
            _name(entry)
            for section in self.sections
            for _, entries in section.groups
            for entry in entries
        }

    def wants(self, entry: Entry) -> bool:
        """True for a photo that is shown."""
        return _name(entry) in self._wanted

    def add_thumbnail(self, entry: Entry, data: bytes) -> None:
        """Make the thumbnail of a photo that is shown; one that cannot be decoded has none."""
        if self.wants(entry) and _name(entry) not in self.small:
            self.small[_name(entry)] = _thumbnail(data, strict=entry.step == CURATE)


def choose(entries: Sequence[Entry]) -> Shown:
    """Sort photos into the page's sections, each photo where it needs a person most."""
    curated = [entry for entry in entries if entry.step == CURATE]
    unusable = [entry for entry in entries if column(entry.photo.reason) == UNUSABLE]
    other = sorted(
        _marked(curated, OTHER_CLASS), key=lambda entry: (entry.judged.margin or 0, _name(entry))
    )
    foreign = sorted(
        _marked(curated, NO_MUSHROOM, DOUBTFUL_SUBJECT),
        key=lambda entry: (entry.judged.odds or 0, _name(entry)),
    )
    in_two = [entry for entry in curated if entry.photo.reason == IN_TWO_CLASSES]
    flagged = [
        entry for entry in curated if not entry.photo.reason and QUALITY & set(entry.photo.flags)
    ]
    by_hand = [entry for entry in curated if entry.decision]
    sections = [
        _section(OTHER_CLASS, [("", other)]),
        _section(NO_MUSHROOM, [("", foreign)]),
        _section(IN_TWO_CLASSES, _by_group(in_two)),
        _section("copies", _by_group(_copies(curated))),
        _section(UNUSABLE, _grouped(unusable, lambda entry: short(entry.photo.reason))),
        _section("remarks", _grouped(flagged, _remarks)),
        _section("by-hand", _grouped(by_hand, lambda entry: entry.decision)),
    ]
    in_sections = {
        _name(entry) for section in sections for _, group in section.groups for entry in group
    }
    rest = [
        entry for entry in curated if not entry.photo.reason and _name(entry) not in in_sections
    ]
    sections.append(
        _section(USED, _grouped(rest, lambda entry: entry.photo.label), most=MAX_USED_SHOWN)
    )
    return Shown(tuple(section for section in sections if section.count))


def render(
    shown: Shown,
    content: Mapping[str, Any],
    by_hand: Decisions,
    known: ClassFacts = ClassFacts(),
    problems: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        shown: what to show, with thumbnails.
        content: of curation.json.
        by_hand: decisions made before; the export of the page holds them too.
        known: of the classes.
        problems: why these photos cannot be divided.
    """
    small = dict(
        zip(
            shown.small,
            thumbnails.fit(list(shown.small.values()), MAX_THUMBNAIL_BYTES),
            strict=True,
        )
    )
    entries = [
        entry for section in shown.sections for _, group in section.groups for entry in group
    ]
    columns = [name for name in FUNNEL if name == USED or totals(content["classes"])[name]]
    labels = list(content["classes"])

    def choices(entry: Entry) -> list[str]:
        return _choices(entry, several=len(labels) > 1)

    return page.render(
        __file__,
        script=True,
        rendered=any(RENDERED in entry.photo.flags for entry in entries),
        total=content["total"],
        facts=known,
        subject_judged=content["subject_judged"],
        kept_whole=content["kept_whole"],
        problems=problems,
        columns=[short(name) for name in columns],
        funnel=_funnel(content["classes"], columns),
        sections=shown.sections,
        thumbnail_of=lambda entry: small.get(_name(entry)),
        choices_of=choices,
        group_choices_of=lambda section, of: _group_choices(section, of, choices),
        name_of=original_name,
        short=short,
        other_class=OTHER_CLASS,
        not_remarked=(RENDERED, OTHER_CLASS, KEPT_BY_HAND, MOVED_BY_HAND),
        labels=labels,
        doubtful=doubtful_in_words(content["doubtful"]),
        moved=content["moved"],
        earlier=by_hand.to_json(),
    )


def _funnel(classes: Mapping[str, Mapping[str, int]], columns: Sequence[str]) -> list[list[object]]:
    """The way from the photos found to the photos used, of each class and of all together."""
    counts = list(classes.items())
    if len(counts) > 1:
        counts.append(("all classes", totals(classes)))
    return [[label, row["found"], *(row[name] for name in columns)] for label, row in counts]


def original_name(photo: Photo) -> str:
    """The name of the file under which a photo was found."""
    place = photo.source_url or photo.path
    if "://" not in place:
        return place.rpartition("/")[2]
    try:
        parts = [unquote(part) for part in urlsplit(place).path.split("/") if part]
    except ValueError:
        parts = []
    if not parts:
        return photo.title or photo.path.rpartition("/")[2]
    return "/".join(parts[-2:] if _OF_EVERY_PHOTO.fullmatch(parts[-1]) else parts[-1:])


def _choices(entry: Entry, *, several: bool) -> list[str]:
    """What a person can decide of a photo that changes something, or says that all is right so.

    Args:
        entry: the photo.
        several: whether there is another class that it could be moved to.
    """
    reason, flags = entry.photo.reason, set(entry.photo.flags)
    if reason in FINAL_REASONS and entry.decision != DROP:
        return []
    offered = [KEEP, DROP, MOVE] if several else [KEEP, DROP]
    if not reason and not flags - {RENDERED} and not entry.decision:
        offered.remove(KEEP)  # it is kept as it is
    if reason and reason not in ASKING and entry.decision != DROP:
        offered.remove(DROP)
    return offered


def _group_choices(
    section: Section, entries: Sequence[Entry], choices: Callable[[Entry], list[str]]
) -> list[tuple[str, int]]:
    """What can be decided of all photos of a group at once, and of how many of them."""
    if section.name == USED or len(entries) < 2:
        return []
    offered = collections.Counter(choice for entry in entries for choice in choices(entry))
    if section.name == IN_TWO_CLASSES and len({entry.photo.label for entry in entries}) > 1:
        del offered[KEEP]  # in both they cannot be
    return [(choice, offered[choice]) for choice in (KEEP, DROP, MOVE) if offered[choice] > 1]


def _section(
    name: str, groups: Iterable[tuple[str, Sequence[Entry]]], most: int = MAX_SHOWN
) -> Section:
    """A section, with a fair share of its groups where all are too many."""
    every = [(heading, tuple(entries)) for heading, entries in groups if entries]
    count = sum(len(entries) for _, entries in every)
    if count > most:
        share = max(4, most // len(every))
        every = [(heading, entries[:share]) for heading, entries in every][: most // 2]
    left_out = count - sum(len(entries) for _, entries in every)
    return Section(name, tuple(every), left_out)


def _marked(entries: Iterable[Entry], *words: str) -> list[Entry]:
    """Photos left out for such a reason, or used with such a flag."""
    return [
        entry
        for entry in entries
        if entry.photo.reason in words
        or (not entry.photo.reason and set(words) & set(entry.photo.flags))
    ]


def _copies(entries: Sequence[Entry]) -> list[Entry]:
    """Copies that were left out or kept by hand, after the photo they are copies of."""
    copied = {
        (entry.photo.label, entry.judged.best)
        for entry in entries
        if entry.judged.best and entry.judged.best != entry.photo.path
    }
    copies = [entry for entry in entries if (entry.photo.label, entry.judged.best) in copied]
    return sorted(copies, key=lambda entry: entry.judged.best != entry.photo.path)


def _grouped(
    entries: Iterable[Entry], heading: Callable[[Entry], str]
) -> list[tuple[str, list[Entry]]]:
    groups: dict[str, list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        groups[heading(entry)].append(entry)
    return sorted(groups.items())


def _remarks(entry: Entry) -> str:
    return ", ".join(sorted(QUALITY & set(entry.photo.flags)))


def _by_group(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    groups = _grouped(entries, lambda entry: entry.judged.best or entry.photo.group)
    return [("", members) for _, members in groups]


def _name(entry: Entry) -> Name:
    return entry.step, entry.photo.label, entry.photo.path


def _thumbnail(data: bytes, *, strict: bool) -> bytes:
    try:
        if not strict:
            data = images.to_clean_jpeg(data, strict=False).data
        return images.thumbnail(data, THUMBNAIL_SIDE)
    except BadPhoto:
        return b""
