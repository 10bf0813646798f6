"""What curation found, for people and programs: the funnel of each class, and a row per photo."""

import collections
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.base.files import atomic_directory
from components.common.base.wording import counted
from components.common.dataset import label_check
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import (
    DOUBTFUL_SUBJECT,
    DOUBTS,
    DROPPED,
    EXACT_DUPLICATE,
    IN_TWO_CLASSES,
    NEAR_DUPLICATE,
    NO_MUSHROOM,
    OTHER_CLASS,
    PARTS,
    SURPLUS,
)
from components.curate import subject
from components.curate.selection import Judged, Selection

FORMAT = "wild-mushrooms-curation"
FORMAT_VERSION = "1"
SUMMARY, ROWS = "curation.json", "photos.parquet"
CLEAN, CURATE = "clean", "curate"  # the step that decided
USED, UNUSABLE = "used", "unusable"

# The columns of the funnel, and the reasons that each stands for; any other reason is `unusable`.
FUNNEL = {
    UNUSABLE: (),
    "copies": (EXACT_DUPLICATE, NEAR_DUPLICATE),
    IN_TWO_CLASSES: (IN_TWO_CLASSES,),
    NO_MUSHROOM: (NO_MUSHROOM,),
    OTHER_CLASS: (OTHER_CLASS,),
    DROPPED: (DROPPED,),
    SURPLUS: (SURPLUS,),
    USED: ("",),
}
COMPARED = ("found", USED)  # of all classes together: what KFP compares runs by
_COLUMN_OF = {reason: column for column, reasons in FUNNEL.items() for reason in reasons}

# The columns of photos.parquet: the type of each, and what of an `Entry` it holds.
_COLUMNS = {
    "label": (pa.string(), "photo.label"),
    "path": (pa.string(), "photo.path"),
    "source_sha256": (pa.string(), "photo.source_sha256"),
    "step": (pa.string(), "step"),
    "split": (pa.string(), "photo.split"),
    "reason": (pa.string(), "photo.reason"),
    "flags": (pa.list_(pa.string()), "photo.flags"),
    "group": (pa.string(), "photo.group"),
    "best": (pa.string(), "judged.best"),
    "mushroom_odds": (pa.float64(), "judged.odds"),
    "class_margin": (pa.float64(), "judged.margin"),
    "nearest_class": (pa.string(), "judged.nearest"),
    "decision": (pa.string(), "decision"),
    "found_in": (pa.string(), "found_in"),
    "source_url": (pa.string(), "photo.source_url"),
    "source_page": (pa.string(), "photo.source_page"),
}
SCHEMA = pa.schema(
    [(name, kind) for name, (kind, _) in _COLUMNS.items()],
    metadata={"format": FORMAT, "format_version": FORMAT_VERSION},
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One photo that was found.

    Attributes:
        judged: what became of it.
        step: the step that decided so, `CLEAN` or `CURATE`.
        decision: what a person had decided, or nothing.
        found_in: the class in which it was found; another than its own where a person moved it.
    """

    judged: Judged
    step: str
    decision: str = ""
    found_in: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What a decision names the photo by."""
        return self.found_in or self.photo.label, self.photo.source_sha256

    @property
    def is_moved(self) -> bool:
        """Whether a person moved it to its class."""
        return self.found_in not in ("", self.photo.label)

    @property
    def doubts(self) -> tuple[str, ...]:
        """The flags for which it is doubtful although it is used; empty where it is not used."""
        return () if self.photo.reason else tuple(set(DOUBTS) & set(self.photo.flags))

    @property
    def photo(self) -> Photo:
        """Its row of the manifest."""
        return self.judged.photo


def column(reason: str) -> str:
    """The column of the funnel that a reason stands in; "" is that of a photo that is used."""
    return _COLUMN_OF.get(reason, UNUSABLE)


def funnel(entries: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """For each class, `found` and how many photos went into each column of `FUNNEL`."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for entry in entries:
        counts[entry.photo.label][column(entry.photo.reason)] += 1
    return {
        label: {"found": counts[label].total(), **{name: counts[label][name] for name in FUNNEL}}
        for label in sorted(counts)
    }


def totals(classes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The funnel of all classes together."""
    return {name: sum(counts[name] for counts in classes.values()) for name in ("found", *FUNNEL)}


def doubtful(entries: Iterable[Entry]) -> dict[str, int]:
    """How many photos are used although they are doubtful, each once; then those of each doubt."""
    found = [entry.doubts for entry in entries if entry.doubts]
    return {"photos": len(found), **{flag: sum(flag in of for of in found) for flag in DOUBTS}}


def doubtful_in_words(counts: Mapping[str, int]) -> str:
    """What `doubtful` counts, as a sentence without its full stop; empty where there is none."""
    total = counts["photos"]
    if not total:
        return ""
    kinds = [
        f"{counts[flag]} may {words}"
        for flag, words in (
            (OTHER_CLASS, "belong to another class"),
            (DOUBTFUL_SUBJECT, "show no mushroom"),
        )
        if counts[flag]
    ]
    both = sum(counts[flag] for flag in DOUBTS) - total
    kinds += [f"{both} may be both"] if both else []
    return f"{counted(total, 'photo')} used but doubtful: {', '.join(kinds)}"


def summary(
    entries: Sequence[Entry],
    selected: Selection,
    known: ClassFacts,
    unknown: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The content of curation.json.

    Args:
        entries: all photos found.
        selected: what was decided on them.
        known: of their classes.
        unknown: decisions about photos that are not among them, by label and SHA-256.
    """
    classes = funnel(entries)
    details: dict[str, dict[str, collections.Counter[str]]] = {
        label: collections.defaultdict(collections.Counter) for label in classes
    }
    for entry in entries:
        photo, counts = entry.photo, details[entry.photo.label]
        if photo.reason:
            counts["reasons"][photo.reason] += 1
        else:
            counts["parts"][photo.split] += 1
        counts["flags"].update(photo.flags)
        if entry.decision:
            counts["decisions"][entry.decision] += 1
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "subject": known.subject,
        "subject_judged": selected.subject_judged,
        "kept_whole": dict(selected.spared),
        "thresholds": {
            "no_mushroom_odds": selected.limits.no_mushroom,
            "doubtful_odds": selected.limits.doubtful,
            "max_no_mushroom_share": subject.MAX_SHARE,
            "other_class_margin": label_check.OTHER_CLASS_MARGIN,
            "doubtful_margin": label_check.DOUBTFUL_MARGIN,
            "max_pruned_share": label_check.MAX_PRUNED_SHARE,
        },
        "total": totals(classes),
        "doubtful": doubtful(entries),
        "moved": _moves(entries),
        "classes": {
            label: {
                **classes[label],
                "reasons": dict(sorted(details[label]["reasons"].items())),
                "flags": dict(sorted(details[label]["flags"].items())),
                "parts": {part: details[label]["parts"][part] for part in PARTS},
                "decisions": dict(sorted(details[label]["decisions"].items())),
            }
            for label in classes
        },
        "decisions_about_other_photos": [
            {"label": label, "source_sha256": sha256} for label, sha256 in unknown
        ],
    }


def _moves(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """How many photos a person moved from which class to which."""
    counts = collections.Counter(
        (entry.found_in, entry.photo.label) for entry in entries if entry.is_moved
    )
    return [
        {"from": source, "to": target, "photos": count}
        for (source, target), count in sorted(counts.items())
    ]


def write(path: Path, entries: Sequence[Entry], content: Mapping[str, Any]) -> None:
    """Write the directory with curation.json and photos.parquet."""
    with atomic_directory(path, what="the facts of the curation", marker=SUMMARY) as folder:
        (folder / SUMMARY).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        columns = {
            name: list(map(operator.attrgetter(place), entries))
            for name, (_, place) in _COLUMNS.items()
        }
        pq.write_table(pa.table(columns, schema=SCHEMA), folder / ROWS, compression="zstd")
