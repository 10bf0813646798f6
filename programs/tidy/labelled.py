"""The answers of a bucket or folder of photos (`label --output`): a job, its listing, its parts."""

import re

from components.common.store import storage
from components.label_image import job
from programs.tidy.entries import Entry, files_in, remove_file

_LISTING = re.compile(rf"{job.LISTING}[0-9a-f]{{64}}\.jsonl")
NAMED, ORPHAN = "answers", "listing"


def is_labelled(place: str) -> bool:
    """Whether answers go here."""
    return storage.find_place(f"{place}/{job.JOB}", max_bytes=job.SMALL_MAX_BYTES) is not None


def entries(place: str) -> list[Entry]:
    """The files of the job, and listings of killed processes that it does not name.

    Raises:
        InputError: `job.json` is damaged or of a newer version.
        WorkError: the store cannot be reached.
    """
    named = _named(place)
    found = []
    for one in files_in(place):
        if _LISTING.fullmatch(one.name) and one.name not in named:
            found.append(Entry(one.name, one.size, one.modified, "", ORPHAN, one.modified))
        else:
            stays = "answers, or what going on needs: remove the whole folder by hand"
            found.append(Entry(one.name, one.size, one.modified, stays, NAMED))
    return found


def remove(place: str, entry: Entry) -> str:
    """Remove a listing; why not, where the job names it by now."""
    if entry.name in _named(place):
        return "the job names it"
    remove_file(place, entry.name)
    return ""


def _named(place: str) -> set[str]:
    known = job.open_job(job.Answers(place))
    return {f"{job.LISTING}{name}" for name in known.listing} if known else set()
