"""Photos of tests of the review page, and the page of them."""

import numpy as np

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import Decisions
from components.common.dataset.photo import Photo
from components.common.photos import images
from components.curate import facts, review
from components.curate.facts import CURATE, Entry
from components.curate.selection import Judged, Selection


def entry(number: int, step: str = CURATE, label: str = "daisy", **fields: object) -> Entry:
    """A used training photo, but for what is said."""
    decision = str(fields.pop("decision", ""))
    judged = {name: fields.pop(name) for name in ("best", "nearest", "margin") if name in fields}
    photo = Photo(
        label,
        path=f"{label}/{number:016x}.jpg",
        source_sha256=f"{number:064x}",
        **{"split": "training", **fields},  # type: ignore[arg-type]
    )
    return Entry(Judged(photo, **judged), step, decision)  # type: ignore[arg-type]


def rendered(
    *entries: Entry,
    by_hand: Decisions | None = None,
    judged: bool = True,
    subject: str = "fungi",
    spared: dict[str, int] | None = None,
    problems: tuple[str, ...] = (),
) -> str:
    shown = review.choose(entries)
    jpeg = images.encode(np.full((40, 40, 3), 90, np.uint8))
    for one in entries:
        shown.add_thumbnail(one, jpeg if one.photo.reason != "damaged" else b"no picture")
    selected = Selection({}, judged, spared or {}, {}, 0, {})
    known = ClassFacts(subject)
    content = facts.summary(entries, selected, known, [])
    return review.render(shown, content, by_hand or Decisions(), known, problems)
