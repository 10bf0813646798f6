"""What may be deleted when, as a table: every kind of place that this project fills."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from components.common.base.errors import InputError
from components.common.store import storage
from programs.tidy import cache, labelled, published, roots, runs
from programs.tidy.entries import Entry


@dataclass(frozen=True)
class Kind:
    """A kind of place.

    Attributes:
        what: it is, in words.
        is_it: whether a place is one.
        entries: what is in one, and why some of it never goes.
        remove: removes an entry, unless something depends on it by now: then it says what.
        youngest: what was in use within this time never goes, for somebody may be at work.
        goes: what may go, and when, in words.
        stays: what never goes.
    """

    what: str
    is_it: Callable[[str], bool]
    entries: Callable[[str], list[Entry]]
    remove: Callable[[str, Entry], str]
    youngest: timedelta
    goes: str
    stays: str


HOUR = timedelta(hours=1)
# Longer than any run takes: one on a cluster is told at its start which files are remembered.
LONGEST_RUN = timedelta(days=7)
KINDS = (
    Kind(
        "published models",
        published.is_published,
        published.entries,
        published.remove,
        LONGEST_RUN,
        "files of memory/ that were replaced long ago",
        "every version (models prune removes those), what memory.json names",
    ),
    Kind(
        "answers of label --output",
        labelled.is_labelled,
        labelled.entries,
        labelled.remove,
        timedelta(days=1),
        "files of listing/ that job.json does not name",
        "answers, and what going on with the job needs",
    ),
    Kind(
        "runs of this machine",
        runs.is_runs,
        runs.entries,
        runs.remove,
        HOUR,
        "old runs, whole",
        "runs/latest, what may be running or is used by such a run, the run of a model that is "
        "published, decisions by hand that no memory keeps",
    ),
    Kind(
        "a cache",
        cache.is_cache,
        cache.entries,
        cache.remove,
        timedelta(days=2),
        "what nobody has read for long",
        "pretrained weights, what a process is writing",
    ),
    Kind(
        "a pipeline root of Kubeflow",
        roots.is_root,
        roots.entries,
        roots.remove,
        timedelta(days=7),
        "nothing: --rule prints the bucket's lifecycle rule",
        "everything, for KFP's cache may hand it out",
    ),
)


def kind_of(place: str) -> Kind:
    """The kind of a place.

    Raises:
        InputError: it is none that is known.
        WorkError: the store cannot be reached.
    """
    found = next((kind for kind in KINDS if kind.is_it(place)), None)
    if found is None:
        known = "; ".join(kind.what for kind in KINDS)
        what = "an address" if storage.is_uri(place) else "a folder"
        raise InputError(
            f"{place} is none of the places that this project fills: expected {what} of {known}"
        )
    return found
