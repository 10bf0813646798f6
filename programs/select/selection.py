"""The folder of the photos that were chosen: what it holds, written whole and read with care.

label.html      the page on which a person says what each photo shows
selection.csv   the photos in order: where each came from, and why it was chosen
selection.json  the same for programs
photos/         the photos, byte for byte as they were found, named by their content
answers.json    the answers of that person, once there are some
labelled/       the photos in class folders, once there are answers
"""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from components.common.base.errors import InputError
from components.common.base.files import atomic_directory, write_file
from components.common.base.step import warn
from components.common.base.wording import as_text, counted
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.photo import check_labels
from components.common.dataset.reasons import cell
from components.common.model.model import top_k
from components.common.photos import file_types
from components.common.untrusted import sealed
from components.label_image.photos import Reader
from components.label_image.stored import Unreadable
from programs.select import choice
from programs.select.choice import Chosen
from programs.select.options import MAX_COUNT
from programs.select.pool import Candidate, Pool

FILE_NAME, TABLE, PAGE, PHOTOS = "selection.json", "selection.csv", "label.html", "photos"
KIND = sealed.Kind("the selection", "wild-mushrooms-selection", (1,), sealed_since=1)
GUESSES = 3  # likeliest classes that are named
NAME_DIGITS = 16  # of a photo's SHA-256
_FILE = re.compile(r"photos/[0-9a-f]{16}\.[a-z]{3,4}")
COLUMNS = (
    *("file", "source", "stands_for", "uncertainty", "unfamiliarity", "none_of_these"),
    *(f"{what}_{number}" for number in range(1, GUESSES + 1) for what in ("label", "probability")),
)


@dataclass(frozen=True)
class Selected:
    """A photo that was chosen.

    Attributes:
        file: its place in the folder, `photos/….jpg`.
        sha256: of its bytes.
        source: where it was found.
        guesses: the likeliest classes with probabilities, likeliest first.
        uncertainty: 1 minus the margin of the first two, 0 to 1.
        familiarity: which share of photos of the classes looks stranger; None if not known.
        unknown: the model takes it for none of the classes.
        stands_for: candidates that look like it, itself among them.
    """

    file: str
    sha256: str
    source: str
    guesses: tuple[tuple[str, float], ...]
    uncertainty: float
    familiarity: float | None
    unknown: bool
    stands_for: int


@dataclass(frozen=True)
class Selection:
    """What was chosen, and of how many photos.

    Attributes:
        classes: that the model knows.
        photos: that were chosen, those that teach most first.
        counts: of the photos that were found: `found`, `unusable`, `copies`, `known`.
        facts: what is known of the classes; for the page alone.
    """

    classes: tuple[str, ...]
    photos: tuple[Selected, ...]
    counts: dict[str, int]
    facts: ClassFacts = ClassFacts()


def choose(pool: Pool, count: int, seed: int) -> list[tuple[Candidate, Chosen]]:
    """The photos of a pool to label, those that teach most first.

    Raises:
        InputError: there is none.
    """
    photos = pool.candidates
    if not photos:
        raise InputError(
            f"no photo is left to choose of {pool.found}: {pool.unusable} not usable, {pool.known} "
            "known to the model, or copies of such: name others"
        )
    known = [one.familiarity for one in photos if one.familiarity is not None]
    weight = choice.weights(
        np.stack([one.probabilities for one in photos]),
        np.array(known) if len(known) == len(photos) else None,
    )
    vectors = np.stack([one.vector for one in photos])
    return [(photos[one.row], one) for one in choice.choose(vectors, weight, count, seed)]


def write(
    folder: Path,
    pool: Pool,
    chosen: Sequence[tuple[Candidate, Chosen]],
    classes: tuple[str, ...],
    facts: ClassFacts,
    reader: Reader,
) -> Selection:
    """Write the folder, whole or not at all.

    Args:
        folder: to write.
        pool: that the photos were chosen of.
        chosen: the photos.
        classes: of the model.
        facts: what is known of them.
        reader: of the photos.

    Raises:
        InputError: there is something in the folder already, or no photo can be read any more.
        DiskFull: the disk is full.
    """
    from programs.select import page

    check_is_free(folder)
    with atomic_directory(folder, what="the chosen photos", marker=FILE_NAME) as new:
        (new / PHOTOS).mkdir()
        photos, contents = [], []
        for candidate, one in chosen:
            data = _again(candidate, reader)
            if data is not None:
                photos.append(_selected(candidate, one, data, classes))
                contents.append(data)
                write_file(new / photos[-1].file, data, what="a chosen photo")
        if not photos:
            raise InputError("none of the chosen photos is there any more: run again")
        counts = {name: getattr(pool, name) for name in ("found", "unusable", "copies", "known")}
        selection = Selection(classes, tuple(photos), counts, facts)
        content = {
            **KIND.head,
            "classes": list(classes),
            "counts": counts,
            "photos": [asdict(one) for one in photos],
        }
        sealed.dump(new / FILE_NAME, content, what="the selection")
        write_file(new / TABLE, _table(selection), what="the selection")
        write_file(new / PAGE, page.render(selection, contents), what="the page")
    return selection


def check_is_free(folder: Path) -> None:
    """Raise `InputError` where there is something in a folder, such as somebody's answers."""
    if folder.is_symlink() or folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"--output {folder} is not empty: name a new folder")


def is_selection(folder: Path) -> bool:
    """Whether `write` made this folder."""
    return (folder / FILE_NAME).is_file()


def read(folder: Path) -> Selection:
    """What `write` wrote.

    Raises:
        InputError: there is nothing of this kind, or it is damaged or was edited.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise InputError(f"{folder} has no {FILE_NAME}: expected a folder that select wrote")
    content = sealed.read(path, KIND)
    try:
        photos = tuple(_parse(entry) for entry in content["photos"])
        classes = tuple(check_labels(content["classes"], str(path)))
        if len(photos) > MAX_COUNT:
            raise ValueError(f"it names {len(photos)} photos")
        return Selection(classes, photos, dict(content["counts"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _parse(entry: Any) -> Selected:
    one = Selected(**{**entry, "guesses": tuple(map(tuple, entry["guesses"]))})
    named = PurePosixPath(one.file).stem
    if not _FILE.fullmatch(one.file) or not re.fullmatch(r"[0-9a-f]{64}", one.sha256):
        raise ValueError(f"{one.file!r:.80} names no photo of this folder")
    if not one.sha256.startswith(named):
        raise ValueError(f"{one.file} has the name of another photo")
    return one


def _again(candidate: Candidate, reader: Reader) -> bytes | None:
    """The bytes of a photo that was read before; None, with a warning, where they are others."""
    try:
        data = reader.read(candidate.name)
    except Unreadable as error:
        warn(f"{candidate.name} was left out: {error}")
        return None
    if hashlib.sha256(data).hexdigest() != candidate.sha256:
        warn(f"{candidate.name} was left out: it has changed since it was looked at")
        return None
    return data


def _selected(
    candidate: Candidate, chosen: Chosen, data: bytes, classes: Sequence[str]
) -> Selected:
    unsure = float(choice.uncertainty(candidate.probabilities[np.newaxis])[0])
    top = top_k(candidate.probabilities, classes, GUESSES)
    return Selected(
        f"{PHOTOS}/{candidate.sha256[:NAME_DIGITS]}.{file_types.extension(data)}",
        candidate.sha256,
        as_text(candidate.name),
        tuple((label, round(share, 6)) for label, share in top),
        round(unsure, 6),
        candidate.familiarity,
        candidate.unknown,
        chosen.stands_for,
    )


def _table(selection: Selection) -> str:
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in selection.photos:
        strange = "" if one.familiarity is None else f"{1 - one.familiarity:.2f}"
        guesses = [text for label, share in one.guesses for text in (cell(label), f"{share:.4f}")]
        guesses += [""] * (2 * GUESSES - len(guesses))
        none = str(one.unknown).lower()
        facts = (one.stands_for, f"{one.uncertainty:.4f}", strange, none)
        rows.writerow([one.file, cell(one.source), *facts, *guesses])
    return written.getvalue()


def told(selection: Selection) -> str:
    """What was chosen of what, in one sentence."""
    counts = selection.counts
    others = (
        (counts["copies"], "copies of others"),
        (counts["known"], "known to the model"),
        (counts["unusable"], "not usable"),
    )
    left_out = ", ".join(f"{number} {what}" for number, what in others if number)
    of = counted(counts["found"], "photo")
    return f"{len(selection.photos)} chosen of {of}" + (f" ({left_out})" if left_out else "")
