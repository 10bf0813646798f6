"""Step `curate`: the same photo twice? which for retraining, which held out, and in which part?

The order keeps the split free of leaks: photos are grouped, then what stands in two classes goes,
then whole groups are divided. What looks like another class afterwards is left out of the training
part only. `selection` decides, this module reads and writes.
"""

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.files import atomic_directory, write_file
from components.common.base.step import Progress, step, warn
from components.common.base.wording import counted
from components.common.dataset import class_facts, decisions, ledger, listing
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset, DatasetWriter, stream_all
from components.common.dataset.decisions import Decisions
from components.common.dataset.vocabulary import (
    DEMO,
    EXACT_DUPLICATE,
    HIDDEN,
    IN_TWO_CLASSES,
    NEAR_DUPLICATE,
    NO_MUSHROOM,
    OTHER_CLASS,
    SURPLUS,
)
from components.common.network import bottlenecks
from components.common.network.bottlenecks import Bottlenecks
from components.common.store import storage
from components.curate import facts, moves, remarks, review, selection
from components.curate.facts import CLEAN, CURATE, Entry
from components.curate.moves import Found
from components.curate.options import CurateOptions
from components.curate.selection import Judged, Selection


@dataclass(frozen=True)
class Outputs:
    """Where the step writes.

    Attributes:
        training: dataset of the training, validation and test parts.
        demo: dataset of the held-out demo photos.
        rejects: dataset of what was left out, with reasons.
        ledger: directory for `split.parquet`, which records the part of every group.
        facts: directory for `curation.json` and `photos.parquet`.
        page: the file curation.html.
    """

    training: Path
    demo: Path
    rejects: Path
    ledger: Path
    facts: Path
    page: Path


@step("curate")
def curate(
    sources: Sequence[Path],
    bottleneck_dir: Path,
    outputs: Outputs,
    *,
    clean_rejects: Sequence[Path] = (),
    options: CurateOptions = CurateOptions(),
    page_place: str = "",
) -> dict[str, Any]:
    """Select and divide the photos of all classes.

    Args:
        sources: datasets of clean photos.
        bottleneck_dir: their bottlenecks.
        outputs: where to write.
        clean_rejects: datasets of what `clean` rejected, for the review.
        options: how many photos, in which parts, and what was decided before.
        page_place: gs://… or s3://… where the page of a curation that cannot go on is put as well:
            a cluster takes no outputs of a task that fails.

    Returns:
        The content of curation.json.

    Raises:
        InputError: fewer than two classes, or too few different photos in one: then the review page
            and the facts are there, and nothing else; or artifacts that do not belong together; or
            a decision that moves a photo to a class that is not there.
    """
    options.check()
    datasets = [Dataset(source) for source in sources]
    rejected = [Dataset(source) for source in clean_rejects]
    vectors = bottlenecks.load(bottleneck_dir)
    return _curate(datasets, rejected, vectors, outputs, options, page_place)


@step("curate")
def curate_listed(
    listings: Sequence[Path],
    bottleneck_dirs: Sequence[Path],
    outputs: Outputs,
    used_bottlenecks: Path,
    *,
    clean_rejects: Sequence[Path] = (),
    options: CurateOptions = CurateOptions(),
    page_place: str = "",
) -> dict[str, Any]:
    """As `curate`, of photos that lie elsewhere: those that are used or shown alone are fetched.

    Args:
        listings: of the datasets of clean photos.
        bottleneck_dirs: their bottlenecks.
        outputs: where to write.
        used_bottlenecks: directory to write the bottlenecks of the photos to that models are
            trained or measured on.
        clean_rejects: listings of what `clean` rejected.
        options: as of `curate`.
        page_place: as of `curate`.
    """
    options.check()
    datasets = [listing.read(path) for path in listings]
    rejected = [listing.read(path) for path in clean_rejects]
    used_bottlenecks.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=used_bottlenecks.parent) as folder:
        bottlenecks.join(bottleneck_dirs, Path(folder, "all"))
        vectors = bottlenecks.load(Path(folder, "all"))
        content = _curate(datasets, rejected, vectors, outputs, options, page_place)
        training = Dataset(outputs.training)
        used = [*training.photos, *training.left_out(), *Dataset(outputs.demo).photos]
        bottlenecks.save_chosen(vectors, used, used_bottlenecks)
    return content


def _curate(
    datasets: Sequence[Dataset],
    rejected: Sequence[Dataset],
    vectors: Bottlenecks,
    outputs: Outputs,
    options: CurateOptions,
    page_place: str,
) -> dict[str, Any]:
    """As `curate`."""
    by_hand = decisions.read(options.decisions)
    placed = ledger.read(options.earlier_ledger) if options.earlier_ledger else {}
    every = [*datasets, *rejected]
    by_hand.check_classes({label for dataset in every for label in dataset.labels})
    found = moves.find(datasets, by_hand)
    photos = [found.rows[row] for row in found.unique.values()]
    known = class_facts.combine([dataset.facts for dataset in datasets], options.subject)
    selected = selection.select(photos, vectors, options, placed, by_hand, known, found.found_in)
    entries = list(_entries(found, rejected, selected, by_hand))
    unknown = by_hand.unknown(
        photo for dataset in [*datasets, *rejected] for photo in dataset.photos
    )
    content = facts.summary(entries, selected, known, unknown)
    remarks.tell(entries, selected, options)
    remarks.tell_of_decisions(entries, by_hand, unknown)
    if options.earlier_ledger:
        remarks.tell_of_ledger(selected)
    review_photos = review.choose(entries)
    problems = _problems(entries, selected)
    if problems:
        _show(datasets, entries, review_photos)
    else:
        _write(datasets, entries, review_photos, outputs, known)
    _show_rejected(rejected, entries, review_photos)
    facts.write(outputs.facts, entries, content)
    page = review.render(review_photos, content, by_hand, known, problems)
    write_file(outputs.page, page, what="the review page")
    if problems:
        raise InputError(_told(problems, _place_of_page(outputs.page, page, page_place)))
    return content


def _problems(entries: Sequence[Entry], selected: Selection) -> list[str]:
    """Why these photos cannot be divided; empty where they were."""
    labels = sorted({entry.photo.label for entry in entries if entry.step == CURATE})
    # `clean` sees to it itself, unless it saw parts only. A person may have moved them all.
    moved_from = {entry.found_in for entry in entries if entry.is_moved}
    lost = sorted({entry.photo.label for entry in entries} - set(labels) - moved_from)
    problems = [
        f"the class {label!r} has no usable photo, because all of its files were rejected: add "
        "photos; docs/artifacts.md explains each reason"
        for label in lost
    ]
    if len(labels) < 2 and not lost:
        problems.append(f"a classifier needs at least two classes, but these photos have {labels}")
    return [*problems, *selected.problems.values()]


def _told(problems: Sequence[str], place: str) -> str:
    """The problems, and what to do about them."""
    advice = (
        "Add photos, or press keep on good ones on the review page and run again with the file "
        "that it exports (--decisions; make run DECISIONS=…)"
    )
    return "\n".join(filter(None, [*problems, advice, place]))


def _place_of_page(path: Path, page: str, place: str) -> str:
    """Where a person finds the page of a curation that cannot go on, as a line; "" if unknown."""
    if storage.is_uri(place):
        try:
            storage.write_place(place, page.encode(), what="the review page")
        except (InputError, WorkError) as error:  # the reason to stop counts more
            warn(f"the review page could not be written to {place}: {error}")
            return ""
        return f"Review page: {place}"
    # The artifact of a run on this machine has no ending: the run gives it a name of its own.
    return f"Review page: {path}" if path.suffix else ""


def _entries(
    found: Found,
    rejected: Sequence[Dataset],
    selected: Selection,
    by_hand: Decisions,
) -> Iterator[Entry]:
    """What became of every photo found: those of `found` in its order."""
    used = found.unique
    for row, (photo, label) in enumerate(zip(found.rows, found.labels, strict=True)):
        key = photo.label, photo.path
        judged = selected.photos[key]
        if used[key] != row:
            group = judged.photo.group
            twice = dataclasses.replace(photo, group=group, split="", reason=EXACT_DUPLICATE)
            judged = Judged(twice)
        yield Entry(judged, CURATE, by_hand.of(photo, label), label)
    for dataset in rejected:
        for photo in dataset.photos:
            if photo.reason != HIDDEN:  # a system's own files: REASONS.csv names them, no page does
                yield Entry(Judged(photo), CLEAN, by_hand.of(photo), photo.label)


def _show(
    datasets: Sequence[Dataset], entries: Sequence[Entry], review_photos: review.Shown
) -> None:
    """Make the review's thumbnails of photos that `clean` took."""
    judged = [entry for entry in entries if entry.step == CURATE]
    shown = [review_photos.wants(entry) for entry in judged]
    with closing(stream_all(datasets, shown)) as photos:
        for entry, (_, data) in zip(itertools.compress(judged, shown), photos, strict=True):
            review_photos.add_thumbnail(entry, data)


def _show_rejected(
    rejected: Sequence[Dataset], entries: Sequence[Entry], review_photos: review.Shown
) -> None:
    """Make the review's thumbnails of photos that `clean` rejected."""
    cleaned_out = iter(entry for entry in entries if entry.step == CLEAN)
    for dataset in rejected:
        shown = [photo for photo in dataset.photos if photo.reason != HIDDEN]
        for photo, entry in zip(shown, cleaned_out, strict=False):
            if review_photos.wants(entry):
                review_photos.add_thumbnail(entry, dataset.read(photo))


def _write(
    datasets: Sequence[Dataset],
    entries: Sequence[Entry],
    review_photos: review.Shown,
    outputs: Outputs,
    known: ClassFacts,
) -> None:
    """Write the datasets and the ledger, and make the review's thumbnails on the way."""
    judged = [entry for entry in entries if entry.step == CURATE]
    # Good photos that there were enough of are not copied.
    needed = [entry.photo.reason != SURPLUS or review_photos.wants(entry) for entry in judged]
    progress = Progress("curate", len(judged), verb="sorted")
    with ExitStack() as stack:
        training = stack.enter_context(DatasetWriter(outputs.training, facts=known))
        demo = stack.enter_context(DatasetWriter(outputs.demo, facts=known))
        rejects = stack.enter_context(DatasetWriter(outputs.rejects, rejects=True, facts=known))
        ledger_folder = stack.enter_context(
            atomic_directory(outputs.ledger, what="the ledger", marker=ledger.FILE_NAME)
        )
        fetched = stack.enter_context(closing(stream_all(datasets, needed)))
        for entry, is_needed in zip(judged, needed, strict=True):
            row = entry.photo
            data = b""
            if is_needed:
                _, data = next(fetched)
                review_photos.add_thumbnail(entry, data)
            if row.reason == SURPLUS:
                rejects.leave_out(row)
            elif row.reason:
                rejects.add(row, data, measured=_measured(entry.judged))
                if row.reason == OTHER_CLASS:
                    training.leave_out(row)
            else:
                (demo if row.split == DEMO else training).add(row, data)
            progress.advance()
        placed = {
            (entry.photo.label, entry.photo.group, entry.photo.split)
            for entry in judged
            if entry.photo.split
        }
        ledger.write(placed, ledger_folder / ledger.FILE_NAME)
    used = sum(not entry.photo.reason for entry in entries)
    progress.finish(f"{used} of {counted(len(entries), 'photo')} used")


def _measured(judged: Judged) -> str:
    """What the reason of a photo that was left out goes by, in words; empty where there is none."""
    photo = judged.photo
    if photo.reason == IN_TWO_CLASSES:
        return judged.elsewhere
    if photo.reason == NEAR_DUPLICATE and judged.best:
        return f"a copy of {judged.best_name}"
    if photo.reason == OTHER_CLASS and judged.margin is not None:
        return f"looks like {judged.nearest}; its own class scores {-judged.margin:.2f} lower"
    if photo.reason == NO_MUSHROOM and judged.odds is not None:
        return f"log-odds of a mushroom {judged.odds:.1f}"
    return ""
