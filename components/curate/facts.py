"""What curation found, for people and programs: the funnel of each class, and a row per photo."""

import collections
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.base.files import atomic_directory
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import (
    DROPPED,
    EXACT_DUPLICATE,
    IN_TWO_CLASSES,
    NEAR_DUPLICATE,
    NO_MUSHROOM,
    OTHER_CLASS,
    PARTS,
    SURPLUS,
)
from components.curate import suspects
from components.curate.selection import MAX_PRUNED_SHARE, Judged

FORMAT = "wild-mushrooms-curation"
FORMAT_VERSION = "1"
SUMMARY, ROWS = "curation.json", "photos.parquet"
CLEAN, CURATE = "clean", "curate"  # the step that decided
USED = "used"

# The columns of the funnel, and the reasons that each stands for; any other reason is `unusable`.
FUNNEL = {
    "unusable": (),
    "copies": (EXACT_DUPLICATE, NEAR_DUPLICATE),
    IN_TWO_CLASSES: (IN_TWO_CLASSES,),
    NO_MUSHROOM: (NO_MUSHROOM,),
    OTHER_CLASS: (OTHER_CLASS,),
    DROPPED: (DROPPED,),
    SURPLUS: (SURPLUS,),
    USED: ("",),
}
_COLUMN_OF = {reason: column for column, reasons in FUNNEL.items() for reason in reasons}

SCHEMA = pa.schema(
    [
        ("label", pa.string()),
        ("path", pa.string()),
        ("source_sha256", pa.string()),
        ("step", pa.string()),
        ("split", pa.string()),
        ("reason", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("group", pa.string()),
        ("best", pa.string()),
        ("mushroom_odds", pa.float64()),
        ("class_margin", pa.float64()),
        ("nearest_class", pa.string()),
        ("decision", pa.string()),
        ("source_url", pa.string()),
        ("source_page", pa.string()),
    ],
    metadata={"format": FORMAT, "format_version": FORMAT_VERSION},
)


@dataclass(frozen=True)
class Entry:
    """One photo that was found.

    Attributes:
        judged: what became of it.
        step: the step that decided so, `CLEAN` or `CURATE`.
        decision: what a person had decided, or nothing.
    """

    judged: Judged
    step: str
    decision: str = ""

    @property
    def photo(self) -> Photo:
        """Its row of the manifest."""
        return self.judged.photo


def funnel(entries: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """For each class, `found` and how many photos went into each column of `FUNNEL`."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for entry in entries:
        counts[entry.photo.label][_COLUMN_OF.get(entry.photo.reason, "unusable")] += 1
    return {
        label: {"found": counts[label].total(), **{name: counts[label][name] for name in FUNNEL}}
        for label in sorted(counts)
    }


def totals(classes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The funnel of all classes together."""
    return {name: sum(counts[name] for counts in classes.values()) for name in ("found", *FUNNEL)}


def summary(
    entries: Sequence[Entry], *, subject_judged: bool, unknown: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """The content of curation.json."""
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
        "subject_judged": subject_judged,
        "thresholds": {
            "no_mushroom_odds": suspects.NO_MUSHROOM_ODDS,
            "doubtful_odds": suspects.DOUBTFUL_ODDS,
            "other_class_margin": suspects.OTHER_CLASS_MARGIN,
            "doubtful_margin": suspects.DOUBTFUL_MARGIN,
            "max_pruned_share": MAX_PRUNED_SHARE,
        },
        "total": totals(classes),
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


def write(path: Path, entries: Sequence[Entry], content: Mapping[str, Any]) -> None:
    """Write the directory with curation.json and photos.parquet."""
    with atomic_directory(path, what="the facts of the curation", marker=SUMMARY) as folder:
        (folder / SUMMARY).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        rows = [_row(entry) for entry in entries]
        columns = {name: [row[name] for row in rows] for name in SCHEMA.names}
        pq.write_table(pa.table(columns, schema=SCHEMA), folder / ROWS, compression="zstd")


def _row(entry: Entry) -> dict[str, Any]:
    photo, judged = entry.photo, entry.judged
    return {
        "label": photo.label,
        "path": photo.path,
        "source_sha256": photo.source_sha256,
        "step": entry.step,
        "split": photo.split,
        "reason": photo.reason,
        "flags": list(photo.flags),
        "group": photo.group,
        "best": judged.best,
        "mushroom_odds": judged.odds,
        "class_margin": judged.margin,
        "nearest_class": judged.nearest,
        "decision": entry.decision,
        "source_url": photo.source_url,
        "source_page": photo.source_page,
    }
