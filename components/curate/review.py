"""curation.html: what curation found, for a person to look at and to overrule photo by photo."""

import collections
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.common.dataset import decisions, vocabulary
from components.common.dataset.decisions import Decisions
from components.common.dataset.vocabulary import (
    DOUBTFUL_SUBJECT,
    EXACT_DUPLICATE,
    FINAL_REASONS,
    IN_TWO_CLASSES,
    KEPT_BY_HAND,
    NO_MUSHROOM,
    OTHER_CLASS,
    QUALITY_FLAGS,
    RENDERED,
)
from components.common.pages.report import (
    attribution,
    class_name,
    escape,
    notices,
    page,
    picture,
    table,
)
from components.common.photos import images, thumbnails
from components.common.photos.images import BadPhoto
from components.curate.facts import CLEAN, CURATE, FUNNEL, USED, Entry, totals
from components.curate.review_script import CSS, SCRIPT

Name = tuple[str, str, str]  # step, label, path

THUMBNAIL_SIDE = 160  # pixels
MAX_SHOWN = 240  # photos of a section
MAX_USED_SHOWN = 1500  # used photos of all classes together
QUALITY = frozenset(QUALITY_FLAGS)


@dataclass(frozen=True)
class Section:
    """One chapter of the page: groups of photos under a heading."""

    name: str
    title: str
    text: str
    groups: tuple[tuple[str, tuple[Entry, ...]], ...]  # heading, photos
    left_out: int = 0  # photos that do not fit on the page

    @property
    def count(self) -> int:
        """Photos of the section, shown or not."""
        return sum(len(entries) for _, entries in self.groups) + self.left_out


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
    mine = [entry for entry in entries if entry.step == CURATE]
    other = _marked(mine, OTHER_CLASS)
    foreign = _marked(mine, NO_MUSHROOM, DOUBTFUL_SUBJECT)
    sections = [
        _section(
            OTHER_CLASS,
            "Another class?",
            "These look more like another of the classes than like their own. Of the training part "
            "the clear ones were left out; the others, and those of the other parts, were kept, "
            "and the accuracy counts them. The clearest come first.",
            [("", sorted(other, key=lambda one: (one.judged.margin or 0, _name(one))))],
        ),
        _section(
            NO_MUSHROOM,
            "No mushroom?",
            "The pretrained network sees no fungus here. What it is sure of was left out of every "
            "part; where it doubts, the photo was kept. The surest come first.",
            [("", sorted(foreign, key=lambda one: (one.judged.odds or 0, _name(one))))],
        ),
        _section(
            IN_TWO_CLASSES,
            "In two classes",
            "The same or nearly the same picture, or photos of one observation, under two labels: "
            "out of both. Keep it where it belongs.",
            _by_group(one for one in mine if one.photo.reason == IN_TWO_CLASSES),
        ),
        _section(
            "copies",
            "Copies",
            "Resized, recompressed, cut, mirrored or brightened copies of one photo. The largest "
            "is used.",
            _by_group(_copies(mine)),
        ),
        _section(
            "unusable",
            "Unusable files",
            "What the cleaning rejected. Quarantined files can be shown, but their data has holes.",
            _by_reason(
                one for one in entries if one.step == CLEAN and one.photo.reason != EXACT_DUPLICATE
            ),
        ),
        _section(
            "remarks",
            "Used in spite of a remark",
            "Dark, bright, blurred, blank, grey, small or oddly shaped photos; --strict drops them "
            "all.",
            _by_remark(mine),
        ),
        _section(
            "by-hand",
            "Decided by hand",
            "What earlier decisions dropped or kept.",
            _by_decision(mine),
        ),
    ]
    shown = {_name(one) for part in sections for _, group in part.groups for one in group}
    rest = [one for one in mine if not one.photo.reason and _name(one) not in shown]
    sections.append(
        _section(
            USED,
            "Used, and nothing against them",
            "All other photos that are used.",
            _by_class(rest),
            most=MAX_USED_SHOWN,
        )
    )
    return Shown(tuple(section for section in sections if section.count))


def render(shown: Shown, content: Mapping[str, Any], by_hand: Decisions) -> str:
    """The page.

    Args:
        shown: what to show, with thumbnails.
        content: of curation.json.
        by_hand: decisions made before; the export of the page holds them too.
    """
    small = dict(zip(shown.small, thumbnails.fit(list(shown.small.values())), strict=True))
    photos = [one for part in shown.sections for _, group in part.groups for one in group]
    labels = list(content["classes"])
    body = [
        notices(rendered=False, cautions=_cautions(photos)),
        _headline(content),
        _funnel(content["classes"]),
        _contents(shown.sections),
        *(_render_section(section, small, labels) for section in shown.sections),
        _bar(labels),
        _data("earlier", _exported(by_hand)),
        _data("labels", labels),
    ]
    title = "Which photos are used, and why?"
    subtitle = "Look, overrule, export your decisions, and run again."
    return page(title, subtitle, "\n".join(body), script=SCRIPT, css=CSS)


def _cautions(photos: Iterable[Entry]) -> list[str]:
    said = []
    if any(RENDERED in entry.photo.flags for entry in photos):
        said.append("These pictures are rendered, not photographs.")
    return said


def _headline(content: Mapping[str, Any]) -> str:
    total = content["total"]
    unjudged = (
        ""
        if content["subject_judged"]
        else "<p>Whether there is a mushroom at all was not judged: the pretrained network sees no "
        "fungus on most of these photos, or there are too few of them.</p>\n"
    )
    return f"""<section class="panel hero" aria-label="Result">
<p><strong>{total[USED]} of {total["found"]} photos are used</strong></p>
{unjudged}<p class="scale">Every photo stands in photos.parquet, these counts in curation.json: both
are in <code>facts/</code> of the run's folder, which is the step's output <code>facts</code>.</p>
</section>"""


def _funnel(classes: Mapping[str, Mapping[str, int]]) -> str:
    columns = [name for name in FUNNEL if name == USED or totals(classes)[name]]
    rows = [
        (class_name(label), str(counts["found"]), *(str(counts[name]) for name in columns))
        for label, counts in classes.items()
    ]
    if len(rows) > 1:
        every = totals(classes)
        rows.append(("all classes", str(every["found"]), *(str(every[name]) for name in columns)))
    headers = ["class", "found", *map(vocabulary.short, columns)]
    return table("From the photos found to the photos used", headers, rows)


def _contents(sections: Sequence[Section]) -> str:
    links = " · ".join(
        f'<a href="#{section.name}">{escape(section.title)}</a> {section.count}'
        for section in sections
    )
    return f"<nav><p>{links}</p></nav>"


def _render_section(section: Section, small: Mapping[Name, bytes], labels: Sequence[str]) -> str:
    groups = "\n".join(
        _render_group(heading, [_card(one, small, labels) for one in entries])
        for heading, entries in section.groups
    )
    more = ""
    if section.left_out:
        more = f'<p class="muted">{section.left_out} more are in facts/photos.parquet.</p>'
    return f"""<section class="chapter" id="{section.name}">
<h2>{escape(section.title)} <small>{section.count}</small></h2>
<p>{escape(section.text)}</p>
{groups}
{more}
</section>"""


def _render_group(heading: str, cards: Sequence[str]) -> str:
    title = f"<h3>{escape(heading)}</h3>" if heading else ""
    listed = "\n".join(cards)
    return f'<div class="group">{title}\n<ul class="cards tiles dense">\n{listed}\n</ul></div>'


def _card(entry: Entry, small: Mapping[Name, bytes], labels: Sequence[str]) -> str:
    photo = entry.photo
    thumbnail = small.get(_name(entry), b"")
    used = "" if photo.reason else " used"
    return (
        f'<li class="card photo{used}" data-class="{labels.index(photo.label)}" '
        f'data-sha="{escape(photo.source_sha256)}">'
        f"{picture(thumbnail, f'Photo of {photo.label}')}<div>"
        f"<h4>{class_name(photo.label)}</h4><p>{_state(entry)}</p>{_choice(entry)}"
        f"{attribution(photo)}</div></li>"
    )


def _state(entry: Entry) -> str:
    """In a few words: where the photo is, or why not, and what speaks against it."""
    photo, judged = entry.photo, entry.judged
    words = [f"<b>{_words(photo.reason or photo.split)}</b>"]
    if judged.nearest and OTHER_CLASS in (photo.reason, *photo.flags):
        words.append(f"looks like {class_name(judged.nearest)}")
    flags = [flag for flag in photo.flags if flag not in (RENDERED, OTHER_CLASS, KEPT_BY_HAND)]
    words += map(_words, flags)
    if entry.decision:
        words.append(f"by hand: {escape(entry.decision)}")
    return ", ".join(words)


def _words(name: str) -> str:
    """A name of the manifest as words, for people."""
    return escape(vocabulary.short(name))


def _choice(entry: Entry) -> str:
    """The buttons, hidden until the script, which they need, shows them."""
    if entry.photo.reason in FINAL_REASONS and entry.decision != decisions.DROP:
        return ""
    offered = [decisions.KEEP, decisions.DROP]
    if not entry.photo.reason and not set(entry.photo.flags) - {RENDERED} and not entry.decision:
        offered.remove(decisions.KEEP)  # it is kept as it is
    if entry.photo.reason and entry.decision != decisions.DROP:
        offered.remove(decisions.DROP)
    buttons = "".join(
        f'<button type="button" value="{value}" aria-pressed="false">{value}</button>'
        for value in offered
    )
    return f'<p class="choice" hidden>{buttons}</p>'


def _bar(labels: Iterable[str]) -> str:
    options = "".join(
        f'<option value="{index}">{escape(label)}</option>' for index, label in enumerate(labels)
    )
    return f"""<div class="filter decide" id="bar" role="region" aria-label="Decisions" hidden>
<label><span class="spare">Class</span>
<select aria-label="Class"><option value="">all classes</option>{options}</select></label>
<output aria-live="polite"></output>
<a class="export" download="decisions.json">Export<span class="spare"> decisions.json</span></a>
<details><summary>As text</summary>
<textarea readonly rows="8" aria-label="decisions.json"></textarea>
<p>Then <code>make run IMAGES=… DECISIONS=~/Downloads/decisions.json</code>: with the same IMAGES,
SOURCE and ARGS as this run, or it runs on other photos.</p></details>
</div>"""


def _exported(by_hand: Decisions) -> dict[str, Any]:
    """The decisions made before, as the page exports them with those made on it."""
    entries = [
        {"label": label, "source_sha256": sha256, "decision": decision}
        for (label, sha256), decision in sorted(by_hand.decided.items())
    ]
    return {
        "format": decisions.FORMAT,
        "format_version": decisions.FORMAT_VERSION,
        "decisions": entries,
    }


def _data(name: str, content: object) -> str:
    """Data for the script. A "<" could end the element."""
    written = json.dumps(content).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{written}</script>'


def _section(
    name: str,
    title: str,
    text: str,
    groups: Iterable[tuple[str, Sequence[Entry]]],
    most: int = MAX_SHOWN,
) -> Section:
    """A section, with a fair share of its groups where all are too many."""
    every = [(heading, tuple(entries)) for heading, entries in groups if entries]
    count = sum(len(entries) for _, entries in every)
    if count > most:
        share = max(4, most // len(every))
        every = [(heading, entries[:share]) for heading, entries in every][: most // 2]
    left_out = count - sum(len(entries) for _, entries in every)
    return Section(name, title, text, tuple(every), left_out)


def _marked(entries: Iterable[Entry], *words: str) -> list[Entry]:
    """Photos left out for such a reason, or used with such a flag."""
    return [
        one
        for one in entries
        if one.photo.reason in words or (not one.photo.reason and set(words) & set(one.photo.flags))
    ]


def _copies(entries: Sequence[Entry]) -> list[Entry]:
    """Copies that were left out or kept by hand, after the photo they are copies of."""
    copied = {
        (one.photo.label, one.judged.best)
        for one in entries
        if one.judged.best and one.judged.best != one.photo.path
    }
    found = [one for one in entries if (one.photo.label, one.judged.best) in copied]
    return sorted(found, key=lambda one: one.judged.best != one.photo.path)


def _grouped(
    entries: Iterable[Entry], heading: Callable[[Entry], str]
) -> list[tuple[str, list[Entry]]]:
    groups: dict[str, list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        groups[heading(entry)].append(entry)
    return sorted(groups.items())


def _by_group(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    found = _grouped(entries, lambda one: one.judged.best or one.photo.group)
    return [("", members) for _, members in found]


def _by_reason(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    return _grouped(entries, lambda one: vocabulary.short(one.photo.reason))


def _by_remark(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    found = [one for one in entries if not one.photo.reason and QUALITY & set(one.photo.flags)]
    return _grouped(found, lambda one: ", ".join(sorted(QUALITY & set(one.photo.flags))))


def _by_decision(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    return _grouped((one for one in entries if one.decision), lambda one: one.decision)


def _by_class(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    return _grouped(entries, lambda one: one.photo.label)


def _name(entry: Entry) -> Name:
    return entry.step, entry.photo.label, entry.photo.path


def _thumbnail(data: bytes, *, strict: bool) -> bytes:
    try:
        if not strict:
            data = images.to_clean_jpeg(data, strict=False).data
        return images.thumbnail(data, THUMBNAIL_SIDE)
    except BadPhoto:
        return b""
