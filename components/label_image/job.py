"""A job: all photos of a bucket or folder, their listing, and which parts of the answers there are.

The photos are listed once, before the first is labelled, and the listing is kept beside the
answers. So the parts have fixed boundaries: whoever goes on later, or works on another share at the
same time, means the same photos by the same number, whatever has come to the bucket since.

The folder of the answers holds:

    job.json               what the job is, and its listing's files; written when those are there
    listing/<sha256>.jsonl one photo a line: name, size in bytes, version
    counts/00000.json      how many photos of a part have an answer; written before the part
    part-00000.csv         the answers: the part is done when this is there, whole
    summary.json           all counts together; written when all parts are there

Every file is whole or absent, and says the same whoever writes it: two processes that work on one
part by mistake cost time, and nothing else.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from components.common.base.batches import batched, parse_part
from components.common.base.errors import InputError, WorkError
from components.common.base.files import write_new
from components.common.base.step import Progress
from components.common.base.wording import counted
from components.common.store import storage
from components.common.untrusted import sealed
from components.label_image import photos, stored
from components.label_image.options import AnswerOptions

JOB, SUMMARY, LISTING, COUNTS = "job.json", "summary.json", "listing/", "counts/"
JOB_KIND = sealed.Kind(
    *("the job", "wild-mushrooms-label-job", (1,)), sealed_since=1, again="name a new --output"
)
# Without a version it is from before it had a seal.
SUMMARY_KIND = sealed.Kind(
    *("the summary", "wild-mushrooms-label-summary", (0, 1)),
    sealed_since=1,
    again="label that batch again, into another --output",
)
LISTED_TOGETHER = 50_000  # photos of one file of the listing: 10 MB at most, mostly a third of that
MAX_BYTES = 256 * 1024**2  # of a file of the listing
SMALL_MAX_BYTES = 16 * 1024**2  # of any other file that is read back
_PART = re.compile(r"part-(\d{5,})\.(csv|json|parquet)")
PROGRESS_S = 5.0


@dataclass(frozen=True)
class Listed:
    """One photo of the listing.

    Attributes:
        name: below the bucket's prefix or the folder, with slashes.
        size: in bytes.
        version: changes with the content: as of the store, or a file's time of change.
    """

    name: str
    size: int
    version: str


@dataclass(frozen=True)
class Model:
    """Which model answers.

    Attributes:
        place: where it is: a folder, gs:// or s3://, of this very version.
        version: that it is published as.
        sha256: of all that makes it.
    """

    place: str
    version: str
    sha256: str


class Answers:
    """The folder or prefix that the answers go to."""

    def __init__(self, place: str) -> None:
        self._is_uri = storage.is_uri(place)
        root = storage.plain(place)
        self.place = root if self._is_uri else os.path.abspath(root)

    def read(self, name: str, max_bytes: int = SMALL_MAX_BYTES) -> bytes:
        """The content of a file.

        Raises:
            InputError: there is none.
        """
        return storage.read_place(f"{self.place}/{name}", max_bytes=max_bytes)

    def find(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        return storage.find_place(f"{self.place}/{name}", max_bytes=SMALL_MAX_BYTES)

    def write(self, name: str, data: bytes, *, what: str) -> None:
        """Write a file, whole or not at all."""
        storage.write_place(f"{self.place}/{name}", data, what=what)

    def write_new(self, name: str, data: bytes, *, what: str) -> bool:
        """Write a file unless it is there; False where it is."""
        place = f"{self.place}/{name}"
        if self._is_uri:
            return storage.write_if(place, data, None)
        return write_new(Path(place), data, what=what)

    def names(self) -> Iterator[str]:
        """The files that are there, those in folders with them."""
        if self._is_uri:
            for one in storage.list_objects(self.place):
                yield one.uri.removeprefix(f"{self.place}/")
            return
        folder = Path(self.place)
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(folder).as_posix()


@dataclass(frozen=True)
class Job:
    """What is to be labelled, and how.

    Attributes:
        photos: the bucket's prefix, or the folder's absolute path.
        model: that answers.
        options: how the answers are written.
        count: of the photos.
        listing: names of the listing's files, in order; each but the last has as many photos.
        listed_at: when the photos were listed, UTC.
    """

    photos: str
    model: Model
    options: AnswerOptions
    count: int
    listing: tuple[str, ...]
    listed_at: str

    @property
    def parts(self) -> int:
        """How many parts the answers have."""
        return -(-self.count // self.options.photos_per_part)

    def size_of(self, part: int) -> int:
        """The photos of a part."""
        return min(self.options.photos_per_part, self.count - part * self.options.photos_per_part)

    def share(self, text: str) -> range:
        """The parts of a share such as "2/4"; all of them where it is empty.

        Raises:
            InputError: it names no share.
        """
        number, count = parse_part(text) if text else (1, 1)
        return range(number - 1, self.parts, count)

    def file_of(self, part: int) -> str:
        """The name of a part's file."""
        return f"part-{part:05}.{self.options.format}"

    def entries(self, answers: Answers, parts: Sequence[int]) -> Iterator[Listed]:
        """The photos of these parts, which ascend, in order.

        Raises:
            InputError: the listing is missing or damaged.
        """
        each = self.options.photos_per_part
        at_once = parts_listed_together(each)
        file, rows = -1, []
        for part in parts:
            if part // at_once != file:
                file = part // at_once
                rows = _read_listing(answers, self.listing[file])
            begin = (part % at_once) * each
            for name, size, version in rows[begin : begin + self.size_of(part)]:
                yield Listed(name, size, version)


def parts_listed_together(photos_per_part: int) -> int:
    """How many parts have their photos in one file of the listing."""
    return max(1, LISTED_TOGETHER // photos_per_part)


def open_job(answers: Answers) -> Job | None:
    """The job whose answers go to a place; None where none was begun.

    Raises:
        InputError: the file is damaged or was edited.
    """
    data = answers.find(JOB)
    if data is None:
        return None
    name = f"{answers.place}/{JOB}"
    content = sealed.parse(data, name, JOB_KIND)
    try:
        options = AnswerOptions.of(content["options"])
        options.check()
        return Job(
            content["photos"],
            Model(**content["model"]),
            options,
            content["count"],
            tuple(content["listing"]),
            content["listed_at"],
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{name} cannot be read: {error}") from error


def begin(answers: Answers, place: str, model: Model, options: AnswerOptions) -> Job:
    """List the photos of a place, and write what the job is.

    Raises:
        InputError: there are no photos, or the answers' place holds something else.
        WorkError: a store cannot be reached, or the disk is full.
    """
    other = next((name for name in answers.names() if not name.startswith(LISTING)), "")
    if other:
        raise InputError(
            f"{answers.place} holds other things, such as {other}, and no {JOB}: name a new "
            "place for the answers"
        )
    each = parts_listed_together(options.photos_per_part) * options.photos_per_part
    progress = Progress("list photos", verb="listed", interval_s=PROGRESS_S)
    listing = []
    for rows in batched(progress.over(_listed(place)), each):
        data = "".join(f"{json.dumps([row.name, row.size, row.version])}\n" for row in rows)
        # Named by its content: of a listing that was killed, or is made twice, nothing is replaced.
        listing.append(f"{hashlib.sha256(data.encode()).hexdigest()}.jsonl")
        answers.write(f"{LISTING}{listing[-1]}", data.encode(), what="the listing")
    if not listing:
        raise InputError(f"there are no photos at {place}")
    listed_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    job = Job(place, model, options, progress.done, tuple(listing), listed_at)
    content = {
        **JOB_KIND.head,
        "photos": job.photos,
        "model": asdict(model),
        "options": asdict(options),
        "count": job.count,
        "listing": list(job.listing),
        "listed_at": listed_at,
    }
    document = sealed.text(content).encode()
    if not answers.write_new(JOB, document, what="the job"):
        raise WorkError(
            f"{answers.place}/{JOB} was begun by somebody else at the same time: run again to help"
        )
    return job


def check_same(
    job: Job, answers: Answers, place: str, model: Model, options: AnswerOptions
) -> None:
    """Raise `InputError` unless a job that was begun is the one that is asked for now."""
    told = (
        ("photos", job.photos, place),
        *(
            (f"--{name}", value, getattr(options, name))
            for name, value in asdict(job.options).items()
        ),
    )
    for name, before, now in told:
        if before != now:
            raise InputError(
                f"{answers.place} holds answers of another job: {name} was {before!r} and is "
                f"{now!r} now; give the same as before, or another --output"
            )
    if job.model.sha256 != model.sha256:
        raise InputError(
            f"{answers.place} was begun with the model {job.model.version}, and this is "
            f"{model.version}: go on with --model_dir {job.model.place}, or name another --output"
        )


def done_parts(job: Job, answers: Answers) -> set[int]:
    """The parts whose answers are there."""
    found = (_PART.fullmatch(name) for name in answers.names())
    numbers = {int(one[1]) for one in found if one and one[2] == job.options.format}
    return {number for number in numbers if number < job.parts}


def as_place(place: str) -> str:
    """The photos' place as a job knows it: the same from whatever folder a command is started.

    Raises:
        InputError: it is neither a folder nor a prefix of a bucket.
    """
    root = storage.plain(place)
    if storage.is_uri(root):
        return root
    if not Path(root).is_dir():
        raise InputError(
            f"--output is for all photos of one folder or bucket, and {place} is none: name a "
            "folder, gs://bucket/photos or s3://bucket/photos"
        )
    return os.path.abspath(root)


def _listed(place: str) -> Iterator[Listed]:
    if storage.is_uri(place):
        first = stored.root(place)
        for one in stored.photos(place):
            yield Listed(one.uri.removeprefix(first), one.size, one.version)
        return
    for path in photos.below(place):
        about = Path(path).stat()
        yield Listed(os.path.relpath(path, place), about.st_size, str(about.st_mtime_ns))


def _read_listing(answers: Answers, file: str) -> list[tuple[str, int, str]]:
    name = f"{LISTING}{file}"
    data = answers.read(name, MAX_BYTES)
    if f"{hashlib.sha256(data).hexdigest()}.jsonl" != file:
        raise InputError(f"{answers.place}/{name} is damaged or was edited: name a new --output")
    return [tuple(json.loads(line)) for line in data.decode().splitlines()]


def told_of(job: Job, answers: Answers, done: int) -> str:
    """What there is of a job, in words."""
    return (
        f"{done} of {counted(job.parts, 'part')} at {answers.place}, of "
        f"{counted(job.count, 'photo')} listed {job.listed_at}"
    )
