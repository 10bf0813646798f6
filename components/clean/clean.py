"""Step `clean`: is this file a usable photograph? Judged by its content, never by its name."""

import collections
import dataclasses
import hashlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from components.clean import quality
from components.clean.options import CleanOptions
from components.common.base.errors import InputError
from components.common.base.step import FLAGGED, LEFT_OUT, Progress, step, warn
from components.common.base.wording import counted
from components.common.base.worker_threads import map_in_threads, step_threads
from components.common.dataset import decisions, listing, vocabulary
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.decisions import Decisions
from components.common.dataset.photo import Photo
from components.common.dataset.reasons import FILE_NAME as REASONS
from components.common.dataset.vocabulary import (
    EXACT_DUPLICATE,
    HIDDEN,
    KEPT_BY_HAND,
    QUALITY_FLAGS,
    QUARANTINED,
    TRUNCATED,
)
from components.common.photos import file_types, images, perceptual_hash
from components.common.photos.images import BadPhoto, CleanPhoto
from components.common.store import storage

AHEAD = 32  # photos judged ahead of the one being written: bounds memory
# Rejects are evidence, not data: what a person needs to see them, and no more.
REJECT_MAX_BYTES = 8 * 1024**2  # of one file
REJECTS_MAX_BYTES = 512 * 1024**2  # of all together

# A notice is one flat tone with a line of text. Real photos, even of a white puffball in fog, have
# less than half of their pixels within 2 grey levels of the commonest one.
PLACEHOLDER_FLAT_SHARE = 0.9
# Where halving what checking has decoded may not tell what decoding at half the scale would.
PLACEHOLDER_DOUBTFUL = (0.6, 0.99)


@dataclass(frozen=True)
class Verdict:
    """What became of one file: a clean photo, or the reason why there is none."""

    photo: Photo
    source: bytes
    clean: CleanPhoto | None = None
    sha256: str = ""  # of the clean photo
    reason: str = ""
    measured: str = ""  # what the reason goes by


class _Tally:
    """What became of the photos of one class."""

    def __init__(self) -> None:
        self.kept = 0
        self._rejected: collections.Counter[str] = collections.Counter()  # by reason
        self._flags: collections.Counter[str] = collections.Counter()
        self._flagged = 0  # photos: one may have several flags

    def add(self, verdict: Verdict) -> None:
        if verdict.reason == HIDDEN:  # every folder of a Mac has some: not worth a remark
            return
        if verdict.clean is None:
            self._rejected[verdict.reason] += 1
            return
        flags = [flag for flag in verdict.photo.flags if flag in QUALITY_FLAGS]
        self.kept += 1
        self._flags.update(flags)
        self._flagged += bool(flags)

    def check(self, label: str) -> None:
        """Raise `InputError` where no photo of the class can be used."""
        if not self.kept:
            listed = "; ".join(
                f"{reason}: {vocabulary.meaning(reason)}" for reason in sorted(self._rejected)
            )
            lower = ", or lower --min_bytes" if "too_few_bytes" in self._rejected else ""
            raise InputError(
                f"the class {label!r} has no usable photo: all of its files were rejected "
                f"({listed}): add photos{lower}"
            )

    def warn(self, label: str, options: CleanOptions) -> None:
        """Say what a person should know."""
        if self._rejected:
            counts = dict(self._rejected.most_common())
            listed = vocabulary.listed(counts)
            small = "too_few_bytes" in self._rejected
            smallest = f"{options.min_bytes:,}"
            advice = f"; --min_bytes takes files below {smallest} bytes, too" if small else ""
            number, files = self._rejected.total(), self.kept + self._rejected.total()
            warn(
                f"{label}: {number} of {counted(files, 'file')} rejected ({listed}){advice}; "
                f"{REASONS} says why",
                kind=LEFT_OUT,
                number=number,
                of=files,
                counts=counts,
            )
        if self._flagged and not options.strict:
            kept_so = f"{counted(self._flagged, 'photo')} kept although flagged"
            counts = dict(self._flags.most_common())
            warn(
                f"{label}: {kept_so} ({vocabulary.listed(counts)}); --strict leaves them out",
                kind=FLAGGED,
                number=self._flagged,
                of=self.kept,
                counts=counts,
            )


@step("clean")
def clean(
    source: Path | str,
    output: Path,
    rejects: Path,
    options: CleanOptions = CleanOptions(),
) -> None:
    """Sort a dataset into usable photos, as upright JPEGs without EXIF, and rejects with reasons.

    Args:
        source: dataset as downloaded; of one at gs://… or s3://… only the photos of the part come.
        output: dataset of usable photos to write.
        rejects: dataset of rejected files to write, bytes as they were up to `REJECT_MAX_BYTES`
            and, together, `REJECTS_MAX_BYTES`; its REASONS.csv says of each why.
        options: what is usable. What the decisions keep or move is taken if it can be shown at all;
            it is `curate` that moves it. Of a part alone, `curate` decides whether a class has
            photos, and finds exact copies across parts.

    Raises:
        InputError: a class has no usable photo, an output is the input, or no decisions file.
    """
    place = str(source)
    if not storage.is_uri(place) and Path(source).resolve() in (
        output.resolve(),
        rejects.resolve(),
    ):
        raise InputError(f"{source} would be replaced by its own result: choose another output")
    by_hand = decisions.read(options.decisions)
    with listing.opened(place, part=options.part) as dataset:
        _clean(dataset, output, rejects, options, by_hand)


def _clean(
    dataset: Dataset, output: Path, rejects: Path, options: CleanOptions, by_hand: Decisions
) -> None:
    """As `clean`."""
    tallies = {label: _Tally() for label in dataset.labels}
    what = dataset.labels[0] if len(dataset.labels) == 1 else f"{len(dataset.labels)} classes"
    progress = Progress(f"clean {what}", len(dataset.photos), verb="looked at")
    with (
        DatasetWriter(output, facts=dataset.facts) as good,
        DatasetWriter(rejects, rejects=True, facts=dataset.facts) as bad,
        closing(_judge_all(dataset, options, by_hand)) as looked_at,
    ):
        seen: dict[tuple[str, str], str] = {}
        room = REJECTS_MAX_BYTES
        for verdict in progress.over(
            looked_at,
            lambda: (
                f"{sum(tally.kept for tally in tallies.values())} of "
                f"{counted(len(dataset.photos), 'photo')} kept"
            ),
        ):
            verdict = _without_duplicates(_strictly(verdict) if options.strict else verdict, seen)
            tallies[verdict.photo.label].add(verdict)
            if verdict.clean is None:
                room -= _add_reject(bad, verdict, min(room, REJECT_MAX_BYTES))
            else:
                width, height = verdict.clean.width, verdict.clean.height
                row = dataclasses.replace(verdict.photo, width=width, height=height)
                good.add(row, verdict.clean.data, sha256=verdict.sha256)
        # Inside the block: an error here leaves neither dataset behind.
        if not options.part:
            for label, tally in tallies.items():
                tally.check(label)
    for label, tally in tallies.items():
        tally.warn(label, options)


def judge(data: bytes, options: CleanOptions) -> CleanPhoto:
    """The photo as datasets store it.

    Raises:
        BadPhoto: it is not usable; `reason` says why. "quarantined" is a JPEG that Pillow shows
            but whose data has holes: often, not always, a part of the picture is grey or shifted.
    """
    if file_types.is_known_placeholder(data):
        raise BadPhoto("placeholder", "the same bytes as a known notice")
    if len(data) < options.suspicious_bytes:
        raise BadPhoto("suspicious_size", f"{len(data)} bytes")
    try:
        photo = images.to_clean_jpeg(data)
    except BadPhoto as bad:
        if bad.reason == "damaged" and _can_be_shown(data):
            raise BadPhoto(QUARANTINED, bad.detail) from bad
        raise
    if is_placeholder(photo):
        raise BadPhoto("placeholder", f"{PLACEHOLDER_FLAT_SHARE:.0%} or more of it in one tone")
    if len(data) < options.min_bytes:
        raise BadPhoto("too_few_bytes", f"{len(data)} bytes, less than {options.min_bytes}")
    return photo


def _shown_somehow(data: bytes) -> CleanPhoto:
    """The photo, if need be as a decoder shows it that does not mind holes."""
    try:
        return images.to_clean_jpeg(data)
    except BadPhoto:
        return images.to_clean_jpeg(data, strict=False)


def _can_be_shown(data: bytes) -> bool:
    try:
        images.shown(data)
    except BadPhoto:
        return False
    return True


def is_placeholder(photo: CleanPhoto) -> bool:
    """True where nearly all pixels have the same tone: a notice, or a blank picture."""
    share = _flat_share(photo.small)
    low, high = PLACEHOLDER_DOUBTFUL
    if low < share < high:
        share = _flat_share(photo.pixels(images.SMALL_SIDE))
    return share >= PLACEHOLDER_FLAT_SHARE


def _flat_share(pixels: NDArray[np.uint8]) -> float:
    """The share of RGB pixels that are within 2 grey levels of the commonest one."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    commonest = int(counts.argmax())
    return float(counts[max(0, commonest - 2) : commonest + 3].sum()) / grey.size


def _judge_all(
    dataset: Dataset, options: CleanOptions, by_hand: Decisions
) -> Generator[Verdict, None, None]:
    """Verdicts in the order of the dataset, judged by threads a little ahead."""

    def verdict(row: tuple[Photo, bytes]) -> Verdict:
        photo, data = row
        if photo.reason in vocabulary.LEFT_OUT:  # a file of the folder, without its bytes
            return Verdict(photo, data, reason=photo.reason)
        # An earlier clean may have been at it: its flags are found again, others stay.
        earlier = (*QUALITY_FLAGS, KEPT_BY_HAND)
        flags = [flag for flag in photo.flags if flag not in earlier]
        try:
            if by_hand.vouches_for(photo):
                good = _shown_somehow(data)
                flags.append(KEPT_BY_HAND)
            else:
                good = judge(data, options)
        except BadPhoto as bad:
            return Verdict(photo, data, reason=bad.reason, measured=bad.detail)
        flags += quality.flags(good)
        code = perceptual_hash.phash_of(good.small)
        hashed = dataclasses.replace(photo, phash=code, flags=tuple(flags))
        # Without the pixels: many verdicts wait to be written.
        stored = CleanPhoto(good.data, good.width, good.height)
        same = good.data == data and photo.sha256
        return Verdict(hashed, data, stored, same or hashlib.sha256(good.data).hexdigest())

    with closing(dataset.stream()) as rows:
        yield from map_in_threads(verdict, rows, threads=step_threads(), ahead=AHEAD)


def _strictly(verdict: Verdict) -> Verdict:
    """The verdict, or a rejection for the first flag that speaks against the photo."""
    against = [flag for flag in verdict.photo.flags if flag in QUALITY_FLAGS]
    if verdict.clean is None or not against or KEPT_BY_HAND in verdict.photo.flags:
        return verdict
    return dataclasses.replace(
        verdict, clean=None, reason=against[0], measured=", ".join(map(vocabulary.short, against))
    )


def _without_duplicates(verdict: Verdict, seen: dict[tuple[str, str], str]) -> Verdict:
    """The verdict, or a rejection where the class already has a photo of the same bytes.

    Args:
        verdict: on one photo.
        seen: name of the first photo of each class and SHA-256; it is added to.
    """
    if verdict.clean is None:
        return verdict
    key = (verdict.photo.label, verdict.sha256)
    if key not in seen:
        seen[key] = verdict.photo.source_url or verdict.photo.path
        return verdict
    same = f"the same as {seen[key]}"
    return dataclasses.replace(verdict, clean=None, reason=EXACT_DUPLICATE, measured=same)


def _add_reject(rejects: DatasetWriter, verdict: Verdict, most: int) -> int:
    """Store a reject with at most `most` of its bytes; returns how many."""
    data = verdict.source[:most]
    photo = dataclasses.replace(
        verdict.photo,
        reason=verdict.reason,
        source_sha256=verdict.photo.source_sha256 or hashlib.sha256(verdict.source).hexdigest(),
    )
    if len(data) < len(verdict.source):
        photo = dataclasses.replace(photo, flags=(*photo.flags, TRUNCATED))
    extension = file_types.extension(verdict.source)
    rejects.add(photo, data, extension=extension, measured=verdict.measured)
    return len(data)
