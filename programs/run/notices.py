"""What the steps of a run warned of, for the person who started it: one line a kind.

A step that looks at each class warns once for each: on the terminal these become one line with
totals. What a person can do something about is told apart from what only states how it was.
"""

import collections
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.common.base.step import FEW, FLAGGED, LEFT_OUT
from components.common.base.wording import counted
from components.common.dataset import vocabulary
from components.common.dataset.reasons import FILE_NAME as REASONS

SMALL = "too_few_bytes"


@dataclass(frozen=True)
class Notices:
    """What there is to say.

    Attributes:
        to_check: lines that a person should look into.
        facts: lines that state how it was.
    """

    to_check: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


def gathered(warned: Iterable[Mapping[str, Any]]) -> Notices:
    """The lines for the events of warnings, in their order, those of a kind as one.

    Args:
        warned: events as `components.common.base.step.warn` writes them.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
    notices = Notices()
    for event in warned:
        kind = event.get("kind", "")
        if kind in (LEFT_OUT, FLAGGED):
            by_kind[kind].append(event)
        elif kind == FEW:
            notices.facts.append(event["message"])
        else:
            notices.to_check.append(event["message"])
    if flagged := by_kind[FLAGGED]:
        number, counts = _totals(flagged)
        kept = counted(number, "photo")
        notices.to_check.append(
            f"{kept} kept although flagged: {vocabulary.in_words(counts)}; --strict leaves them out"
        )
    if left_out := by_kind[LEFT_OUT]:
        number, counts = _totals(left_out)
        files = sum(event.get("of", 0) for event in left_out)
        of_files = f"{number} of {counted(files, 'file')}" if files else counted(number, "file")
        small = "; --min_bytes also takes smaller files" if SMALL in counts else ""
        notices.facts.insert(
            0, f"{of_files} left out: {vocabulary.in_words(counts)}; see {REASONS}{small}"
        )
    return notices


def _totals(events: Sequence[Mapping[str, Any]]) -> tuple[int, dict[str, int]]:
    """Photos, and photos by reason or flag, the most frequent first."""
    counts: collections.Counter[str] = collections.Counter()
    for event in events:
        counts.update(event["counts"])
    return sum(event["number"] for event in events), dict(counts.most_common())
