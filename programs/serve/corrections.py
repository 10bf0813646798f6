"""Photos that visitors labelled, with their consent: a small dataset for the next run.

The folder holds `photos/<class>/<hash>.jpg`, which `make run IMAGES=` and `components.evaluate
--folder` read as any folder of photos, and `corrections.jsonl`, a line for each photo: when it
came, what the visitor said, what which model answered. Nothing of the visitor is in either: no
address, no browser, no name of a file, and of the photo no EXIF.

A line is written before its photo and removed after it, so whatever ends the process leaves no
photo that no line dates: each goes when its time has come.
"""

import dataclasses
import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.common.base import temporary
from components.common.base.errors import InputError
from components.common.base.files import naming_full_disk, write_file
from components.common.dataset.photo import check_label

PHOTOS, TABLE, LOCK = "photos", "corrections.jsonl", ".lock"
MAX_TABLE_BYTES = 64 * 1024**2  # 100,000 lines
DAY_S = 86400.0
# Of all visitors together: a person labels a photo in some seconds, a script thousands.
PER_MINUTE = 30
_HASH_DIGITS = 64


class TooMany(Exception):
    """More photos in the last minute than people label."""


@dataclass(frozen=True)
class Correction:
    """What is kept of one labelled photo.

    Attributes:
        sha256: of the stored JPEG, and the name of its file.
        time: when it was labelled, as ISO 8601 in UTC.
        said: the class that the visitor named.
        answered: the class that the model named; None for "none of these".
        probability: of the likeliest class, 0 to 1.
        learned_from: whether the model had learned from this very photo.
        head_sha256: of the model that answered.
        version: of the program that trained it.
    """

    sha256: str
    time: str
    said: str
    answered: str | None
    probability: float
    learned_from: bool
    head_sha256: str
    version: str

    @property
    def photo(self) -> str:
        """Its file, from the folder of corrections on."""
        return f"{PHOTOS}/{self.said}/{self.sha256}.jpg"

    @property
    def seconds(self) -> float:
        """When it was labelled, since 1970."""
        return datetime.fromisoformat(self.time).timestamp()

    def line(self) -> str:
        """It as a line of the table."""
        return json.dumps({"photo": self.photo, **dataclasses.asdict(self)}) + "\n"

    @classmethod
    def of(cls, content: Any) -> "Correction":
        """From a line of the table.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        names = {field.name for field in dataclasses.fields(cls)}
        try:
            found = cls(**{name: content[name] for name in names})
        except KeyError as error:
            raise ValueError(f"it has no {error}") from error
        texts = (found.sha256, found.time, found.said, found.head_sha256, found.version)
        known = found.answered is None or isinstance(found.answered, str)
        number = isinstance(found.probability, float | int)
        if not all(isinstance(text, str) for text in texts) or not known or not number:
            raise ValueError("a value is of another type")
        if len(found.sha256) != _HASH_DIGITS or not set(found.sha256) <= set("0123456789abcdef"):
            raise ValueError("sha256 is no SHA-256")
        check_label(found.said)
        _ = found.seconds
        return found


class Corrections:
    """The folder, of which one process writes at a time.

    Args:
        folder: made where there is none.
        most: photos that are kept; the oldest go first.
        days: that a photo is kept.
        clock: seconds since 1970.

    Raises:
        InputError: the folder holds something else, cannot be written, or another service uses it.
        DiskFull: the disk is full.
    """

    def __init__(
        self, folder: Path, *, most: int, days: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder
        self.most, self.days = most, days
        self._clock = clock
        self._turn = threading.Lock()
        self._recent: deque[float] = deque()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / TABLE).exists() and any(
                entry.name != LOCK for entry in folder.iterdir()
            ):
                raise InputError(
                    f"{folder} holds something else (there is no {TABLE} in it): name an empty or "
                    "new folder with --corrections"
                )
            self._hold()
            if not (folder / TABLE).exists():
                write_file(folder / TABLE, "", what="the corrections")
        except OSError as error:
            raise InputError(
                f"--corrections {folder} cannot be used: {error.strerror or error}"
            ) from error
        self.prune()

    def admit(self) -> None:
        """Count a photo that is about to be labelled.

        Raises:
            TooMany: come again in a minute.
        """
        now = time.monotonic()
        with self._turn:
            while self._recent and now - self._recent[0] > 60:
                self._recent.popleft()
            if len(self._recent) >= PER_MINUTE:
                raise TooMany
            self._recent.append(now)

    def keep(self, jpeg: bytes, said: str, **facts: Any) -> Correction:
        """Store a photo under the class that a visitor named; the last word counts.

        Args:
            jpeg: the photo, as `images.to_clean_jpeg` makes it.
            said: the class, one of the model's.
            facts: the other attributes of a `Correction`.

        Raises:
            DiskFull: the disk is full; everything is as it was.
            OSError: the folder cannot be written any more.
        """
        moment = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")
        new = Correction(hashlib.sha256(jpeg).hexdigest(), moment, said, **facts)
        with self._turn:
            present = self._present(self._read())
            rows = [*(row for row in present if row.sha256 != new.sha256), new]
            earlier = {self.folder / row.photo for row in present if row.sha256 == new.sha256}
            place = self.folder / new.photo
            # The photo as it was kept goes last: a full disk costs nothing that was there.
            with naming_full_disk("a labelled photo", place):
                place.parent.mkdir(parents=True, exist_ok=True)
                write_file(place, jpeg, what="a labelled photo")
            try:
                self._write(rows)
            except BaseException:
                if place not in earlier:
                    place.unlink(missing_ok=True)
                raise
            for other in earlier - {place}:
                other.unlink(missing_ok=True)
            left = self._within(rows, self.most)
            if len(left) < len(rows):
                self._write(left)
        return new

    def forget(self, jpeg: bytes) -> bool:
        """Remove a photo, whatever was said of it; whether it was there."""
        sha256 = hashlib.sha256(jpeg).hexdigest()
        with self._turn:
            rows = self._present(self._read())
            left = self._without(rows, sha256)
            if len(left) < len(rows):
                self._write(left)
        return len(left) < len(rows)

    def prune(self) -> int:
        """Remove what is too old, or too many; returns the number of photos that are left."""
        with self._turn:
            rows = self._read()
            left = self._within(self._present(rows), self.most)
            if left != rows:
                self._write(left)
        return len(left)

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._lock)

    def _hold(self) -> None:
        self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if temporary.try_lock(self._lock) is False:
            os.close(self._lock)
            raise InputError(
                f"another service keeps its corrections in {self.folder}: end it, or name another "
                "folder with --corrections"
            )

    def _read(self) -> list[Correction]:
        """The lines of the table.

        Raises:
            InputError: it is damaged or too large.
        """
        path = self.folder / TABLE
        try:
            with path.open("rb") as file:
                data = file.read(MAX_TABLE_BYTES + 1)
        except FileNotFoundError:
            data = b""
        if len(data) > MAX_TABLE_BYTES:
            raise InputError(f"{path} is larger than {MAX_TABLE_BYTES} bytes: move it away")
        rows = []
        for number, line in enumerate(data.splitlines(), 1):
            try:
                rows.append(Correction.of(json.loads(line)))
            except (ValueError, TypeError, RecursionError, OverflowError, InputError) as error:
                raise InputError(
                    f"line {number} of {path} is no correction ({error}): remove that line, or "
                    "move the folder away"
                ) from error
        return rows

    def _present(self, rows: Iterable[Correction]) -> list[Correction]:
        """The lines whose photo is there: whoever removes a photo by hand removes its line."""
        return [row for row in rows if (self.folder / row.photo).is_file()]

    def _write(self, rows: Iterable[Correction]) -> None:
        text = "".join(row.line() for row in rows)
        write_file(self.folder / TABLE, text, what="the corrections")

    def _without(self, rows: Iterable[Correction], sha256: str) -> list[Correction]:
        """The other lines, once this photo is removed."""
        left = []
        for row in rows:
            if row.sha256 == sha256:
                (self.folder / row.photo).unlink(missing_ok=True)
            else:
                left.append(row)
        return left

    def _within(self, rows: list[Correction], most: int) -> list[Correction]:
        """The newest lines that are young enough, once the photos of the others are removed."""
        oldest = self._clock() - self.days * DAY_S
        young = sorted((row for row in rows if row.seconds >= oldest), key=lambda row: row.seconds)
        left = young[max(0, len(young) - most) :]
        kept = {row.sha256 for row in left}
        for row in rows:
            if row.sha256 not in kept:
                (self.folder / row.photo).unlink(missing_ok=True)
        return left
