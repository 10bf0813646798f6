"""Labelling a job: its parts one after the other, and what all of them say together."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.step import Progress, log, warn
from components.common.base.wording import as_text, counted
from components.common.base.worker_threads import cores, map_in_threads
from components.common.dataset.photo_files import MAX_FILE_BYTES
from components.common.model.answer_counts import AnswerCounts
from components.common.model.description import ModelDescription, read_description
from components.common.store import storage
from components.common.untrusted import sealed
from components.label_image import job as jobs
from components.label_image.answers import NONE_OF_THESE, PhotoAnswer
from components.label_image.crew import Crew
from components.label_image.job import Answers, Job, Listed
from components.label_image.label_image import answers as answered
from components.label_image.label_image import tell_failure
from components.label_image.part_files import encode
from components.label_image.photos import READERS, bounded
from components.label_image.stored import ObjectReader, Unreadable

AHEAD = 32  # photos in memory before they are asked for
AHEAD_BYTES = 4 * MAX_FILE_BYTES  # of them together
MOST_THREADS = 8  # each with a model and a photo; more would not fit into a pod's memory limit
ANSWERS = "answers"  # field of counts, of photos that the model did not learn from
MAX_NAMED = 20  # failures of a part that its counts name; of all parts that the summary does


@dataclass
class Counts:
    """What became of the photos of one part, or of several.

    Attributes:
        photos: that there are.
        failed: those without an answer.
        learned_from: those that the model learned from.
        classes: photos by their answer, `NONE_OF_THESE` among them.
        failures: names of some that failed, with the reason.
        answers: those to photos that the model did not learn from, which are compared with others;
            None where an earlier version has labelled a part.
    """

    photos: int = 0
    failed: int = 0
    learned_from: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    answers: AnswerCounts | None = field(default_factory=AnswerCounts)

    def add(self, row: PhotoAnswer) -> None:
        """Count one answer."""
        self.photos += 1
        self.learned_from += row.learned_from
        if not row.error:
            self.classes[row.predicted or NONE_OF_THESE] += 1
            if self.answers and not row.learned_from:
                self.answers.add(row.predicted, row.familiarity)
            return
        self.failed += 1
        if len(self.failures) < MAX_NAMED:
            self.failures.append((as_text(row.file), as_text(row.error)))

    def join(self, other: "Counts") -> None:
        """Add those of another part."""
        self.photos += other.photos
        self.failed += other.failed
        self.learned_from += other.learned_from
        self.classes += other.classes
        self.failures = [*self.failures, *other.failures][:MAX_NAMED]
        if self.answers and other.answers:
            self.answers.join(other.answers)
        else:
            self.answers = None

    def figures(self) -> dict[str, int]:
        """What runs are compared by."""
        return {
            "photos": self.photos,
            "photos_labelled": self.photos - self.failed,
            "photos_failed": self.failed,
            "photos_of_none_of_these": self.classes[NONE_OF_THESE],
        }

    def to_json(self) -> dict[str, object]:
        """The fields of a file."""
        return {
            "photos": self.photos,
            "labelled": self.photos - self.failed,
            "failed": self.failed,
            "learned_from": self.learned_from,
            "classes": dict(self.classes.most_common()),
            "failures": self.failures,
            **({ANSWERS: self.answers.to_json()} if self.answers else {}),
        }

    @classmethod
    def parse(cls, data: bytes, name: str) -> "Counts":
        """What `to_json` gave.

        Raises:
            InputError: it is damaged.
        """
        try:
            content = json.loads(data)
            return cls(
                int(content["photos"]),
                int(content["failed"]),
                int(content["learned_from"]),
                Counter({str(key): int(value) for key, value in content["classes"].items()}),
                [(str(file), str(why)) for file, why in content["failures"]],
                AnswerCounts.parse(content[ANSWERS], name) if ANSWERS in content else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{name} cannot be read: {error}") from error


class PhotoReader:
    """Reads the photos of a job's listing; threads may share one."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._objects = ObjectReader() if storage.is_uri(place) else None

    def name_of(self, listed: Listed) -> str:
        """The whole name of a photo, as the answers have it."""
        return f"{self._place}/{listed.name}"

    def attempt(self, listed: Listed) -> tuple[str, bytes | Unreadable]:
        """The name of a photo with its bytes, or why there are none.

        Raises:
            InputError, WorkError: the store refuses us, or cannot be reached.
        """
        name = self.name_of(listed)
        try:
            return name, self._read(name, listed)
        except Unreadable as failure:
            return name, failure

    def check_rights(self) -> None:
        """Raise `InputError` where a store refuses every photo: that is no job of errors."""
        if self._objects:
            self._objects.check_rights()

    def _read(self, name: str, listed: Listed) -> bytes:
        if listed.size > MAX_FILE_BYTES:
            raise Unreadable(f"it is larger than {MAX_FILE_BYTES} bytes")
        if self._objects:
            return self._objects.read(name, version=listed.version)
        try:
            with open(name, "rb") as file:
                if str(os.fstat(file.fileno()).st_mtime_ns) != listed.version:
                    raise Unreadable("it was replaced since it was listed")
                return bounded(file)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error


class _Pace(Progress):
    """Progress with the photos of earlier runs in it, how fast it goes, and how long it will."""

    def begin(self, done: int) -> None:
        self.done = self._before = done
        self._started = time.monotonic()

    @property
    def rate(self) -> float:
        return (self.done - self._before) / max(time.monotonic() - self._started, 1e-9)

    def _count(self) -> str:
        left = (self.total or 0) - self.done
        if not (self.rate and left):
            return super()._count()
        return f"{super()._count()}, {self.rate:.0f} a second, {_time(left / self.rate)} left"


def label(job: Job, answers: Answers, model_dir: Path, share: str = "") -> Counts:
    """Label a share's photos whose answers are not there yet, part by part.

    Args:
        job: what is to be labelled.
        answers: where the answers go.
        model_dir: the job's model, on this machine.
        share: such as "2/4", the second of four; empty for all.

    Returns:
        What became of the share's photos, those of earlier runs among them.

    Raises:
        InputError: a store refuses us, or a file of the job is damaged.
        WorkError: a store cannot be reached, or the disk is full.
    """
    mine = job.share(share)
    done = jobs.done_parts(job, answers)
    missing = [part for part in mine if part not in done]
    progress = _Pace(
        "label photos", sum(map(job.size_of, mine)), verb="answered", interval_s=jobs.PROGRESS_S
    )
    progress.begin(sum(job.size_of(part) for part in mine if part in done))
    if done:
        log.info("goes on: %s", jobs.told_of(job, answers, len(done)))
    written = len(done)
    try:
        description = read_description(model_dir)
        for part, rows in _labelled(job, answers, model_dir, description, missing, progress):
            _write(job, answers, description.classes, part, rows)
            written += 1
    except BaseException:
        log.info(
            "label photos: stopped; kept: %s. The same command goes on from there",
            jobs.told_of(job, answers, written),
        )
        raise
    counts = total(answers, mine)
    progress.finish(_told(counts, progress.rate if missing else 0))
    if counts.learned_from:
        warn(
            f"the model was trained on {counts.learned_from} of these "
            f"{counted(counts.photos, 'photo')}: its answers to them do not show how good it is "
            "(the column learned_from names them)"
        )
    return counts


def total(answers: Answers, parts: Sequence[int]) -> Counts:
    """The counts of parts that are done, together.

    Raises:
        InputError: those of one are missing or damaged.
    """

    def read(part: int) -> Counts:
        name = _counts_of(part)
        return Counts.parse(answers.read(name), f"{answers.place}/{name}")

    together = Counts()
    for counts in map_in_threads(read, parts, threads=READERS, ahead=2 * READERS):
        together.join(counts)
    return together


def sum_up(job: Job, answers: Answers) -> Counts | None:
    """Write the summary where all parts are there; None where some are missing.

    Raises:
        InputError: the counts of a part are damaged.
        WorkError: a store cannot be reached, or the disk is full.
    """
    if len(jobs.done_parts(job, answers)) < job.parts:
        return None
    counts = total(answers, range(job.parts))
    content = {
        **jobs.SUMMARY_KIND.head,
        "photos_at": as_text(job.photos),
        "listed_at": job.listed_at,
        "model": job.model.version,
        "model_sha256": job.model.sha256,
        "parts": job.parts,
        **counts.to_json(),
    }
    answers.write(jobs.SUMMARY, sealed.text(content).encode(), what="the summary")
    return counts


def parse_summary(data: bytes, name: str) -> dict[str, Any]:
    """The fields of a summary.

    Raises:
        InputError: it is damaged, or of a version that is not read.
    """
    return sealed.parse(data, name, jobs.SUMMARY_KIND)


def _labelled(
    job: Job,
    answers: Answers,
    model_dir: Path,
    description: ModelDescription,
    parts: Sequence[int],
    progress: Progress,
) -> Iterator[tuple[int, list[PhotoAnswer]]]:
    """The answers of each part, in one stream: no core waits at the end of a part."""
    if not parts:
        return
    crew = Crew(model_dir, min(cores(), MOST_THREADS), int8=job.options.int8)
    reader = PhotoReader(job.photos)
    photos = map_in_threads(
        reader.attempt,
        job.entries(answers, parts),
        threads=READERS,
        ahead=AHEAD,
        weigh=lambda listed: min(listed.size, MAX_FILE_BYTES),
        most=AHEAD_BYTES,
    )
    shown = answered(crew, description.classes, photos, job.options.top_k, description.facts)
    failed = 0
    for part in parts:
        rows = []
        for row in islice(shown, job.size_of(part)):
            rows.append(row)
            progress.advance()
            failed += bool(row.error)
            if row.error and failed <= MAX_NAMED:
                tell_failure(row)
            elif row.error and failed == MAX_NAMED + 1:
                log.error("label_image: more photos fail; the column error says which, and why")
        reader.check_rights()
        yield part, rows


def _write(
    job: Job, answers: Answers, classes: Sequence[str], part: int, rows: list[PhotoAnswer]
) -> None:
    """Write a part: its counts, then its answers, which say that it is done."""
    counts = Counts()
    for row in rows:
        counts.add(row)
    text = json.dumps(counts.to_json()) + "\n"
    answers.write(_counts_of(part), text.encode(), what="the counts")
    options = job.options
    data = encode(rows, options.format, classes, options.top_k, job.model.version)
    answers.write(job.file_of(part), data, what="the answers")


def _counts_of(part: int) -> str:
    return f"{jobs.COUNTS}{part:05}.json"


def _told(counts: Counts, rate: float) -> str:
    said = (
        f"{counts.photos - counts.failed} labelled, {counts.failed} failed, "
        f"{counts.classes[NONE_OF_THESE]} {NONE_OF_THESE}"
    )
    return f"{said}; {rate:.0f} photos a second" if rate else said


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
