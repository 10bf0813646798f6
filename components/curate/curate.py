"""Step `curate`: the same photo twice? which for retraining, which held out, and in which part?

The order keeps the split free of leaks: photos are grouped, then what stands in two classes goes,
then whole groups are divided. Nothing after the division looks at the test or demo photos.
"""

import collections
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.common import bottlenecks, splits
from components.common.dataset import Dataset, DatasetWriter, stream_all
from components.common.errors import InputError
from components.common.files import atomic_directory
from components.common.photo import Photo
from components.common.splits import DEMO, SURPLUS
from components.common.step import Progress, step, warn

LEDGER = "split.parquet"
TRAIN_PER_CLASS = 200
DEMO_PER_CLASS = 50


@dataclass(frozen=True)
class Division:
    """How many photos to select per class, and how to divide those for retraining."""

    train_per_class: int = TRAIN_PER_CLASS
    demo_per_class: int = DEMO_PER_CLASS
    validation_percentage: int = 10
    testing_percentage: int = 10

    def check(self) -> None:
        """Raise `InputError` where a number makes no sense."""
        if self.train_per_class < 3 or self.demo_per_class < 0:
            raise InputError(
                "expected --train_per_class of 3 or more and --demo_per_class of 0 or more, "
                f"received {self.train_per_class} and {self.demo_per_class}"
            )
        percentages = (self.validation_percentage, self.testing_percentage)
        if min(percentages) < 0 or sum(percentages) >= 100:
            raise InputError(
                "expected --validation_percentage and --testing_percentage of 0 or more that "
                f"leave photos to train on, received {percentages[0]} and {percentages[1]}"
            )


@step("curate")
def curate(
    sources: Sequence[Path],
    bottleneck_dir: Path,
    training: Path,
    demo: Path,
    rejects: Path,
    ledger: Path,
    *,
    division: Division = Division(),
    earlier_ledger: Path | None = None,
) -> None:
    """Select and divide the photos of all classes.

    Args:
        sources: datasets of clean photos.
        bottleneck_dir: their bottlenecks.
        training: dataset of the training, validation and test parts to write.
        demo: dataset of the held-out demo photos to write.
        rejects: dataset of what was left out, with reasons, to write.
        ledger: directory for `split.parquet`, which records the part of every group.
        division: how many photos, and in which parts.
        earlier_ledger: directory of an earlier run's ledger: what it placed stays placed.

    Raises:
        InputError: fewer than two classes, too few different photos in one, or artifacts that do
            not belong together.
    """
    division.check()
    datasets = [Dataset(source) for source in sources]
    # The same photo in two datasets of a class has the same name in both.
    photos = list({(one.label, one.path): one for data in datasets for one in data.photos}.values())
    labels = sorted({photo.label for photo in photos})
    if len(labels) < 2:
        raise InputError(f"a classifier needs at least two classes, these photos have {labels}")
    placed = splits.read_ledger(earlier_ledger / LEDGER) if earlier_ledger else {}
    rows = place(photos, bottlenecks.load(bottleneck_dir), division, placed)
    progress = Progress("curate", len(photos))
    with (
        DatasetWriter(training) as training_writer,
        DatasetWriter(demo) as demo_writer,
        DatasetWriter(rejects) as reject_writer,
        atomic_directory(ledger, what="the ledger", marker=LEDGER) as ledger_folder,
    ):
        written = set()
        for photo, data in progress.over(stream_all(datasets)):
            row = rows[photo.label, photo.path]
            if (row.label, row.path) in written:
                row = dataclasses.replace(row, split="", reason="exact_duplicate")
            written.add((row.label, row.path))
            if row.reason or row.split == SURPLUS:
                reject_writer.add(row, data)
            else:
                (demo_writer if row.split == DEMO else training_writer).add(row, data)
        splits.write_ledger(
            {(row.label, row.group, row.split) for row in rows.values() if row.split},
            ledger_folder / LEDGER,
        )


def place(
    photos: Sequence[Photo],
    vectors: bottlenecks.Bottlenecks,
    division: Division,
    placed: Mapping[tuple[str, str], str],
) -> dict[tuple[str, str], Photo]:
    """The rows with their group, their split or the reason why they were left out.

    Returns:
        By (label, path), every one of `photos`.
    """
    features = vectors.vectors[vectors.rows(photos)]
    pairs = splits.near_copies([photo.phash for photo in photos], features)
    # Of two copies the smaller one goes; the largest of a chain of copies always stays.
    copies = {max(pair, key=lambda row: _best_first(photos[row])) for pair in pairs}
    rows: dict[tuple[str, str], Photo] = {}
    by_label: dict[str, list[list[Photo]]] = collections.defaultdict(list)
    earlier: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for members in splits.group_photos(photos, pairs):
        group = [photos[row] for row in members]
        keys = splits.group_keys(group)
        key = keys[0]
        group = [dataclasses.replace(photo, group=key) for photo in group]
        if len({photo.label for photo in group}) > 1:
            for photo in group:
                rows[photo.label, photo.path] = _reject(photo, "in_two_classes")
        else:
            worse = {photos[row].path for row in members if row in copies}
            for photo in group:
                if photo.path in worse:
                    rows[photo.label, photo.path] = _reject(photo, "near_duplicate")
            by_label[group[0].label].append([one for one in group if one.path not in worse])
            label = group[0].label
            known = [placed[label, name] for name in keys if (label, name) in placed]
            if known:
                earlier[label][key] = known[0]
    for label in sorted({photo.label for photo in photos}):
        for photo in _divide(label, by_label[label], division, earlier[label]):
            rows[photo.label, photo.path] = photo
    _tell(rows.values(), division)
    return rows


def _best_first(photo: Photo) -> tuple[int, str]:
    """The largest picture of a group first; a tie is settled by content."""
    return (-photo.width * photo.height, photo.sha256)


def _divide(
    label: str,
    groups: Sequence[Sequence[Photo]],
    division: Division,
    earlier: Mapping[str, str],
) -> list[Photo]:
    """The photos of one class with their part."""
    sizes = {group[0].group: len(group) for group in groups}
    count = sum(sizes.values())
    if not count:
        raise InputError(
            f"the class {label!r} has no photo of its own: all of them also stand in another class"
        )
    quota = splits.quota_for(count, **dataclasses.asdict(division))
    parts = splits.assign(label, sizes, quota, earlier)
    return [
        dataclasses.replace(
            photo,
            split=parts[photo.group],
            reason="surplus" if parts[photo.group] == SURPLUS else "",
        )
        for group in groups
        for photo in group
    ]


def _reject(photo: Photo, reason: str) -> Photo:
    return dataclasses.replace(photo, reason=reason)


def _tell(rows: Collection[Photo], division: Division) -> None:
    """Warn of what was left out, and of classes that are smaller than wanted."""
    reasons = collections.Counter(row.reason for row in rows if row.reason)
    if reasons:
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        warn(f"curate left {reasons.total()} photos out ({listed})")
    wanted = division.train_per_class + division.demo_per_class
    usable = collections.Counter(row.label for row in rows if row.split)
    few = [f"{label} {count}" for label, count in sorted(usable.items()) if count < wanted]
    if few:
        warn(
            f"{len(few)} classes have fewer than the {wanted} photos wanted "
            f"({division.train_per_class} + {division.demo_per_class}) and were divided in "
            f"proportion: {', '.join(few)}"
        )
