"""What a person is told of a curation in the log: what was left out, and what is doubtful."""

import collections
from collections.abc import Iterable, Sequence

from components.common.base.step import FEW, LEFT_OUT, log, warn
from components.common.base.wording import counted
from components.common.dataset import decisions, vocabulary
from components.common.dataset.decisions import Decisions
from components.common.dataset.label_check import MAX_PRUNED_SHARE
from components.common.dataset.species import FILE_NAME as SPECIES
from components.common.dataset.vocabulary import EXACT_DUPLICATE, NEAR_DUPLICATE, SURPLUS
from components.curate import facts
from components.curate.facts import CURATE, Entry
from components.curate.options import Division
from components.curate.selection import Selection


def tell(entries: Sequence[Entry], selected: Selection, division: Division) -> None:
    """Warn of what was left out, of what is doubtful, and of classes that are small."""
    photos = [entry.photo for entry in entries if entry.step == CURATE]
    left_out = _counted(photo.reason for photo in photos if photo.reason)
    if left_out:
        number = sum(left_out.values())
        warn(
            f"curate left {counted(number, 'photo')} out ({vocabulary.listed(left_out)})",
            kind=LEFT_OUT,
            number=number,
            counts=left_out,
        )
    for label, count in selected.spared.items():
        found = counted(sum(photo.label == label for photo in photos), "photo")
        warn(
            f"{label}: the pretrained network sees no mushroom in {count} of {found}. They are "
            "kept and flagged, because so many may be typical of the class: see curation.html. "
            f"If the class is for other things, state `other: true` for it in {SPECIES}; if no "
            "class is of mushrooms, give --subject"
        )
    for label, count in selected.over_cap.items():
        alike = counted(count, "training photo looks", "training photos look")
        warn(
            f"{label}: {alike} like another class; the clearest were left out, at most "
            f"{MAX_PRUNED_SHARE:.0%} of a class: look at curation.html"
        )
    if doubts := facts.doubtful_in_words(facts.doubtful(entries)):
        warn(f"{doubts}; see curation.html")
    wanted = division.train_per_class + division.demo_per_class
    usable = _counted(photo.label for photo in photos if not photo.reason and photo.split)
    few = sum(count < wanted for count in usable.values())
    if few:
        of_them = f"{few} of {len(usable)}" if few < len(usable) else f"All {few}"
        warn(
            f"{of_them} classes have fewer than {wanted} photos: they were divided in proportion",
            kind=FEW,
            number=few,
            of=len(usable),
        )


def tell_of_ledger(selected: Selection) -> None:
    """Tell how many photos an earlier run had placed."""
    photos = counted(len(selected.photos), "photo")
    if selected.placed_earlier:
        log.info("curate: the ledger placed %d of %s", selected.placed_earlier, photos)
    else:
        warn(
            f"the ledger of an earlier run (--earlier_ledger) contains none of these {photos}: "
            "is it from another collection? They are divided without it"
        )


def tell_of_decisions(
    entries: Sequence[Entry], by_hand: Decisions, unknown: Sequence[tuple[str, str]]
) -> None:
    """Tell of moved photos, and warn of decisions without effect.

    Args:
        entries: all photos found.
        by_hand: all decisions.
        unknown: those that are about no photo of these.
    """
    if moved := sum(entry.is_moved for entry in entries):
        log.info("curate: %s moved to another class by hand", counted(moved, "photo"))
    left = {entry.photo.label for entry in entries}
    for label in sorted({entry.found_in for entry in entries if entry.is_moved} - left):
        warn(
            f"{label}: decisions moved all of its photos to other classes, so the class no "
            "longer exists"
        )
    if unknown:
        decided = counted(len(by_hand.decided), "decision")
        warn(
            f"{len(unknown)} of {decided} made by hand match no photo here; the first "
            f"is of class {unknown[0][0]!r}, sha256 {unknown[0][1][:16]}…"
        )
    wanted = [entry for entry in entries if entry.decision in (decisions.KEEP, decisions.MOVE)]
    used = {entry.key for entry in wanted if entry.photo.reason in ("", SURPLUS)}
    # A moved photo that is there already is used all the same.
    copies = (NEAR_DUPLICATE, EXACT_DUPLICATE)
    vain = _counted(
        entry.photo.reason
        for entry in wanted
        if entry.key not in used and not (entry.is_moved and entry.photo.reason in copies)
    )
    if vain:
        warn(f"photos that decisions keep or move could not be used ({vocabulary.listed(vain)})")


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(collections.Counter(names).most_common())
