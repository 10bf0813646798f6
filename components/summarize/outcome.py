"""What became of the steps of a run, by what they left in its folder of artifacts.

KFP's own word on a run is that of its metadata, COMPLETE or RUNNING where all went well. So the
steps' logs count, which KFP keeps as the artifact `executor-logs` of each task, also of one that
failed. A step that was taken from the cache has left nothing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from components.common.base.errors import InputError
from components.common.base.step import DONE_LINE, ERROR_LINE
from components.common.dataset.vocabulary import NOTHING_NEW
from components.common.store import storage

LOG = "executor-logs"  # with the number of the try behind it
LAST_STEP = "publish"
FIRST_STEPS, NEWS = ("download_if_new", "compare_photos"), "news"
DECISION = (LAST_STEP, "comparison")
MAX_FILES = 50_000  # of a run
MAX_LOG_BYTES = 16 * 1024 * 1024
MAX_LINES, MAX_LINE = 12, 400  # of what a step said, and of one line of it in characters


class Artifact(NamedTuple):
    """A file of the run, <run>/<task>/<execution>/<name>; here there may be no execution."""

    task: str
    name: str
    place: str


@dataclass(frozen=True)
class Failed:
    """A step that did not come to its end, and the last that it said."""

    step: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How the steps of a run ended.

    Attributes:
        failed: those that did not come to their end.
        complete: the last step did.
        nothing_new: what was said where the run was to end early; else empty.
    """

    failed: tuple[Failed, ...]
    complete: bool
    nothing_new: str = ""


def artifacts(run: str) -> list[Artifact]:
    """Every file of a run.

    Args:
        run: its folder, here or in a store.

    Raises:
        InputError: the address is of another kind, or the store refuses.
        WorkError: the store cannot be reached.
    """
    if storage.is_uri(run):
        places: Iterator[str] = (entry.uri for entry in storage.list_objects(run))
    elif "://" in run:
        raise InputError(f"{run} is neither gs:// nor s3://")
    else:
        places = (str(path) for path in sorted(Path(run).rglob("*")) if path.is_file())
    start = len(storage.canonical(run).rstrip("/")) + 1
    found = []
    for place in islice(places, MAX_FILES):
        task, _, rest = place[start:].partition("/")
        if rest:
            found.append(Artifact(task.replace("-", "_"), rest.rpartition("/")[2], place))
    return found


def judge(listed: list[Artifact]) -> Outcome:
    """How the steps ended, by their logs."""
    ends: dict[str, list[Failed | None]] = {}
    for artifact in listed:
        if artifact.name.startswith(LOG):
            ends.setdefault(artifact.task, []).append(_end(artifact))
    # It decides before it publishes, and its log says so where the latter failed.
    decided = any((entry.task, entry.name) == DECISION for entry in listed)
    complete = decided and (None in ends.get(LAST_STEP, [None]))
    failed = []
    for step, tries in ends.items():
        # A try that failed before another one succeeded; of a loop's parts each counts, unless all
        # that comes after them was reached.
        if None not in tries or not (complete or step == LAST_STEP):
            failed += [end for end in tries if end][-1:]
    return Outcome(tuple(failed), complete, _nothing_new(listed))


def _nothing_new(listed: list[Artifact]) -> str:
    """What the first step of a run that goes on said, where it found nothing to learn."""
    for entry in listed:
        if entry.name == NEWS and entry.task in FIRST_STEPS:
            said = storage.read_place(entry.place, max_bytes=MAX_LOG_BYTES).decode(errors="replace")
            if said.startswith(NOTHING_NEW):
                return said.strip()
    return ""


def _end(log: Artifact) -> Failed | None:
    """None where the step came to its end."""
    try:
        text = storage.read_place(log.place, max_bytes=MAX_LOG_BYTES).decode(errors="replace")
    except InputError as error:  # too long to be read here
        return Failed(log.task, (str(error),))
    if DONE_LINE.search(text):
        return None
    errors = list(ERROR_LINE.finditer(text))
    lines = text[errors[-1].start() :].splitlines()[:MAX_LINES] if errors else text.splitlines()
    return Failed(log.task, tuple(line[:MAX_LINE] for line in lines[-MAX_LINES:]))
