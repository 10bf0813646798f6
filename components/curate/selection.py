"""Which photos are used, and in which part: groups, copies, decisions, suspects, division.

What leaves after the division leaves a vacancy, which the surplus fills. So a photo that is dropped
moves no other from one part to another, and the training photos alone decide which of themselves
look like another class.
"""

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset import label_check, quotas, vocabulary
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.copies import near_copies
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.dataset.groups import group_keys, group_photos
from components.common.dataset.photo import Photo
from components.common.dataset.quotas import Quota
from components.common.dataset.rows import RowsOf
from components.common.dataset.vocabulary import (
    DOUBTFUL_SUBJECT,
    DOUBTS,
    DROPPED,
    IN_TWO_CLASSES,
    KEPT_BY_HAND,
    MOVED_BY_HAND,
    NEAR_DUPLICATE,
    NO_MUSHROOM,
    OTHER_CLASS,
    SURPLUS,
    TRAINING,
    VOUCHED,
)
from components.common.network.bottlenecks import Bottlenecks
from components.curate import subject, suspects
from components.curate.elsewhere import across_classes, in_words
from components.curate.options import Division
from components.curate.subject import Subject
from components.curate.suspects import Limits

# These leave after the division: they took their place in it.
LATE_REASONS = (NO_MUSHROOM, DROPPED, OTHER_CLASS)

Key = tuple[str, str]  # label, path


@dataclass(frozen=True, slots=True)
class Judged:
    """One photo, what became of it, and why.

    Attributes:
        photo: with group, and split or reason.
        best: path of the photo that its copies were dropped for; empty where it has no copies.
        best_name: under which that one was found.
        odds: natural log-odds that it shows a fungus; None where that was not judged.
        margin: by how much its own class outdoes the nearest other one; None where not judged.
        nearest: that other class.
        elsewhere: of a photo in two classes, which photo of another class it is, in words.
    """

    photo: Photo
    best: str = ""
    best_name: str = ""
    odds: float | None = None
    margin: float | None = None
    nearest: str = ""
    elsewhere: str = ""


@dataclass(frozen=True)
class Selection:
    """What became of every photo.

    Attributes:
        photos: by (label, path).
        subject_judged: False where photos were not asked whether they show a fungus.
        spared: classes that are kept whole although the network sees no fungus on many of their
            photos: on how many.
        over_cap: how many training photos of a class look like another one, where that is more
            than may be left out.
        placed_earlier: how many photos are of groups that an earlier run placed.
        problems: why a class has too few photos, by class: no photo of it has a part then.
        limits: by which it was judged whether they show a fungus.
    """

    photos: Mapping[Key, Judged]
    subject_judged: bool
    spared: Mapping[str, int]
    over_cap: Mapping[str, int]
    placed_earlier: int
    problems: Mapping[str, str]
    limits: Limits = suspects.MOBILENET


def select(
    photos: Sequence[Photo],
    vectors: Bottlenecks,
    division: Division,
    placed: Mapping[Key, str],
    by_hand: Decisions,
    known: ClassFacts = ClassFacts(),
    found_in: Mapping[Key, str] = MappingProxyType({}),
) -> Selection:
    """Decide on every photo.

    Args:
        photos: the clean photos of all classes, each (label, path) once.
        vectors: their bottlenecks.
        division: how many photos, and in which parts.
        placed: part of each (label, group) that an earlier run placed; it stays there, also where
            a person has moved it to another class since.
        by_hand: what a person decided.
        known: of the classes.
        found_in: of photos that a person moved, the class in which each was found.

    Raises:
        InputError: the photos were not cleaned.
    """
    if not all(photo.phash for photo in photos):
        raise InputError("these photos have no perceptual hash: `clean` did not write them")
    if not photos:
        return Selection({}, False, {}, {}, 0, {}, suspects.limits(vectors))
    rows = vectors.rows(photos)
    features = RowsOf(vectors.vectors, rows)
    work = _Work(photos, by_hand, found_in)
    pairs = near_copies(vectors.fingerprints_of(rows), features, vectors.family, vectors.key.views)
    work.group(pairs, placed)
    groups, classes = work.groups(), [photo.label for photo in photos]
    shown = subject.judge(vectors, rows, classes, groups, known)
    work.judge_subject(shown)
    work.drop()
    for label in work.rows_of:
        work.divide(label, division)
    training = np.array([part == TRAINING for part in work.parts_used()])
    labels = label_check.judge_labels(features, classes, groups, training)
    over_cap = {label: count for label in work.rows_of if (count := work.prune(label, labels))}
    return Selection(
        work.judged(shown.odds, labels),
        shown.is_judged,
        shown.spared,
        over_cap,
        sum(photo.group in work.earlier[photo.label] for photo in work.photos),
        work.problems,
        shown.limits,
    )


class _Work:
    """The photos while they are being decided on; rows are numbered as they came."""

    def __init__(
        self, photos: Sequence[Photo], by_hand: Decisions, found_in: Mapping[Key, str]
    ) -> None:
        self.photos = list(photos)
        # The rows of each class, in the order of their names.
        names = sorted({photo.label for photo in photos})
        self.rows_of: dict[str, list[int]] = {name: [] for name in names}
        for row, photo in enumerate(photos):
            self.rows_of[photo.label].append(row)
        # The class in which each was found: another one than its own where a person moved it.
        self.found_in = [found_in.get((photo.label, photo.path), photo.label) for photo in photos]
        decided = list(map(by_hand.of, photos, self.found_in))
        self.dropped = [decision == DROP for decision in decided]
        # Kept whatever speaks against it, in the class that it was found in or was moved to before.
        self.kept = _flagged(photos, decided, KEPT_BY_HAND, KEEP)
        self.moved = _flagged(photos, decided, MOVED_BY_HAND, MOVE)
        # These show what their class says. That leaves copies: of a moved one only the best stays.
        self.vouched = [kept or moved for kept, moved in zip(self.kept, self.moved, strict=True)]
        self.reasons = [""] * len(photos)
        self.flags: list[list[str]] = [[] for _ in photos]
        self.best: list[str] = [""] * len(photos)
        self.best_name: list[str] = [""] * len(photos)
        self.elsewhere: list[str] = [""] * len(photos)
        self.parts: dict[str, dict[str, str]] = collections.defaultdict(dict)  # label, then group
        self.earlier: dict[str, dict[str, str]] = collections.defaultdict(dict)
        self.quotas: dict[str, Quota] = {}
        self.problems: dict[str, str] = {}  # by label

    def groups(self) -> list[str]:
        """The group of each photo."""
        return [photo.group for photo in self.photos]

    def group(self, pairs: Sequence[tuple[int, int]], placed: Mapping[Key, str]) -> None:
        """Group photos; drop what is in two classes, and of copies all but the best."""
        copied = {row for pair in pairs for row in pair}
        across = across_classes(self.photos, pairs)
        groups = group_photos(self.photos, pairs)
        staying = {row for members in groups for row in self._of_one_class(members)}
        # Of two copies the smaller one goes; the largest of a chain of copies always stays.
        worse = {
            max(pair, key=lambda row: _best_first(self.photos[row]))
            for pair in pairs
            if staying.issuperset(pair)
        }
        for members in groups:
            keys = group_keys([self.photos[row] for row in members])
            for row in members:
                self.photos[row] = dataclasses.replace(self.photos[row], group=keys[0])
            stay = [row for row in members if row in staying]
            gone = {row for row in members if row not in staying and not self.dropped[row]}
            others = in_words(self.photos, members, across) if gone else {}
            for row in gone:
                self.reasons[row], self.elsewhere[row] = IN_TWO_CLASSES, others[row]
            copies = [row for row in stay if row in copied]
            best = min(copies, key=lambda row: _best_first(self.photos[row]), default=None)
            for row in copies:
                if best is not None:
                    self.best[row] = self.photos[best].path
                    self.best_name[row] = self.photos[best].source_url or self.photos[best].path
                if row in worse and not self.kept[row]:
                    self.reasons[row] = NEAR_DUPLICATE
            if stay:
                label = self.photos[stay[0]].label
                # A moved photo stays in the part that it had in the other class.
                labels = dict.fromkeys([label, *(self.found_in[row] for row in stay)])
                names = [(name, key) for name in labels for key in keys]
                known = [placed[name] for name in names if name in placed]
                if known:
                    self.earlier[label][keys[0]] = known[0]

    def _of_one_class(self, members: Sequence[int]) -> list[int]:
        """The rows of a group that may stay: all, or of two classes those that a person wants.

        Those are the ones that nobody dropped, if they are of one class, else those vouched for.
        """
        undropped = [row for row in members if not self.dropped[row]]
        vouched = [row for row in members if self.vouched[row]]
        for rows in (members, undropped, vouched):
            if len({self.photos[row].label for row in rows}) == 1:
                return list(rows)
        return []

    def judge_subject(self, shown: Subject) -> None:
        """Leave out what shows no mushroom, and flag what perhaps shows none."""
        for row in np.flatnonzero(shown.leave_out | shown.doubtful).tolist():
            if self.reasons[row] or self.vouched[row]:
                continue
            if shown.leave_out[row]:
                self.reasons[row] = NO_MUSHROOM
            else:
                self.flags[row].append(DOUBTFUL_SUBJECT)

    def drop(self) -> None:
        """Leave out what a person dropped."""
        for row, dropped in enumerate(self.dropped):
            if dropped and self.reasons[row] in ("", NO_MUSHROOM):
                self.reasons[row] = DROPPED

    def divide(self, label: str, division: Division) -> None:
        """Give each group of a class its part, then fill what was left out from the surplus."""
        try:
            self._divide(label, division)
        except InputError as error:
            self._fail(label, error)

    def _fail(self, label: str, error: InputError) -> None:
        """Note why a class has too few photos; none of them has a part then."""
        rows = self.rows_of[label]
        counts = collections.Counter(self.reasons[row] for row in rows if self.reasons[row])
        out = f"; of {counted(len(rows), 'photo')} left out: "
        out += vocabulary.listed(dict(counts.most_common()))
        self.problems[label] = f"{error}{out if counts else ''}"
        self.parts[label].clear()

    def _divide(self, label: str, division: Division) -> None:
        sizes = self._sizes(label, "", *LATE_REASONS)
        if not sizes:
            raise InputError(
                f"the class {label!r} has no photo of its own: all of them are also in another "
                "class"
            )
        count = sum(sizes.values())
        quota = quotas.quota_for(
            count,
            train_per_class=division.train_per_class,
            demo_per_class=division.demo_per_class,
            validation_percentage=division.validation_percentage,
            testing_percentage=division.testing_percentage,
        )
        parts = quotas.assign(label, sizes, quota, self.earlier[label])
        self.quotas[label] = quota
        self._fill(label, self._sizes(label, ""), parts)

    def prune(self, label: str, labels: label_check.Labels) -> int:
        """Leave training photos out that look like another class, and flag such photos elsewhere.

        Returns:
            How many clearly do, if that is more than may be left out; else 0.
        """
        rows, doubted = self.rows_of[label], labels.suspect
        parts = {row: self._part_used(row) for row in rows}
        suspect = [row for row in rows if doubted[row] and not self.vouched[row]]
        training = [row for row in rows if parts[row] == TRAINING]
        pruned, over_cap = label_check.clearest(
            labels, [row for row in training if not self.vouched[row]], len(training)
        )
        for row in pruned:
            self.reasons[row] = OTHER_CLASS
        for row in suspect:
            if not self.reasons[row] and parts[row] not in ("", SURPLUS):
                self.flags[row].append(OTHER_CLASS)
        if pruned:
            # What takes their place must not look like another class either.
            doubtful = {self.photos[row].group for row in suspect if parts[row] == SURPLUS}
            sizes = self._sizes(label, "")
            free = {key: size for key, size in sizes.items() if key not in doubtful}
            try:
                self._fill(label, free, self.parts[label])
            except InputError as error:
                self._fail(label, error)
        return over_cap

    def _fill(self, label: str, sizes: Mapping[str, int], parts: Mapping[str, str]) -> None:
        filled = quotas.fill_vacancies(label, sizes, self.quotas[label], parts, self.earlier[label])
        self.parts[label].update(filled)

    def _sizes(self, label: str, *reasons: str) -> dict[str, int]:
        """Photos of each group of a class whose reason is one of these."""
        rows = [row for row in self.rows_of[label] if self.reasons[row] in reasons]
        return dict(collections.Counter(self.photos[row].group for row in rows))

    def parts_used(self) -> list[str]:
        """The part of each photo, empty for those left out."""
        return list(map(self._part_used, range(len(self.photos))))

    def _part_used(self, row: int) -> str:
        return "" if self.reasons[row] else self._part(self.photos[row])

    def _part(self, photo: Photo) -> str:
        """That of its group, also where the photo was left out; empty where it has none."""
        return self.parts[photo.label].get(photo.group, "")

    def judged(self, odds: NDArray[np.float64], labels: label_check.Labels) -> dict[Key, Judged]:
        """What became of every photo."""
        outcome = {}
        for row, photo in enumerate(self.photos):
            part = self._part(photo)
            reason = self.reasons[row] or (SURPLUS if part == SURPLUS else "")
            late = not self.reasons[row] or self.reasons[row] in LATE_REASONS
            # What an earlier curation said is found again, or no longer true.
            flags = [flag for flag in photo.flags if flag not in (*DOUBTS, *VOUCHED)]
            by_hand = ((KEPT_BY_HAND, self.kept[row]), (MOVED_BY_HAND, self.moved[row]))
            flags += [*self.flags[row], *(flag for flag, is_so in by_hand if is_so)]
            margin = float(labels.margins[row])
            outcome[photo.label, photo.path] = Judged(
                dataclasses.replace(
                    photo, split=part if late else "", reason=reason, flags=tuple(flags)
                ),
                self.best[row],
                self.best_name[row],
                None if math.isnan(odds[row]) else float(odds[row]),
                None if math.isnan(margin) else margin,
                labels.nearest[row],
                self.elsewhere[row],
            )
        return outcome


def _flagged(
    photos: Sequence[Photo], decided: Sequence[str], flag: str, decision: str
) -> list[bool]:
    """Whether each photo was decided on so, now or, by its flag, by an earlier curation."""
    return [
        now == decision or (flag in photo.flags and now not in (KEEP, DROP, MOVE))
        for photo, now in zip(photos, decided, strict=True)
    ]


def _best_first(photo: Photo) -> tuple[int, int, str]:
    """The largest picture of a group first, then the largest file, which has lost least.

    A tie is settled by content.
    """
    return (-photo.width * photo.height, -photo.size, photo.sha256)
