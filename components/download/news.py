"""Whether photos are any others than those of the last run: if not, a run that goes on ends early.

The last run that came to its end has left what it saw (components/common/dataset/memory.py). A run
that failed leaves nothing, so its photos count as new until one has learned from them.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX
from components.common.base.step import emit, log, step, warn
from components.common.base.wording import counted, named
from components.common.dataset import decisions, listing
from components.common.dataset import memory as memories
from components.common.dataset.dataset import Dataset
from components.common.dataset.decisions import Decisions
from components.common.dataset.memory import Memory, Seen
from components.common.dataset.species import as_parameter, parse_document
from components.common.dataset.vocabulary import NOTHING_NEW
from components.common.model import published
from components.common.store import storage
from components.download import sources
from components.download.download import class_names, gather_document
from components.download.options import DownloadOptions

EVENT = "nothing_new"
MOST_NAMED, LONGEST_NAME = 5, 60  # class folders in a warning, and characters of each
# They change how photos are got or where work is kept, and nothing of the model. Decisions count by
# their content, wherever it lies.
_WITHOUT_EFFECT = frozenset(
    {"photos_as_of", "asked_at", "contact", "workers", "shared_cache", "cache_dir"}
    | {"checkpoint_path", "checkpoint_interval", "decisions", "earlier_ledger", "publish_dir"}
    | {"name", "classes"}  # whose memory it is; classes are compared as what they mean
)
_DOWNLOAD = f"{PREFIX}download"  # its dictionary comes as `options`


@dataclass(frozen=True)
class Continued:
    """What a run goes on with.

    Attributes:
        publish_dir: folder, gs:// or s3:// place of published models.
        name: whose memory it is.
        decisions: place of further decisions by hand; empty for none.
        settings: all that the run is told, by parameter; the options of a step as one dictionary.
    """

    publish_dir: str
    name: str
    decisions: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> "Continued":
        """Of what a component was called with: entries that are missing are as compiled."""
        compiled = inputs["compiled"]
        own = {**inputs, _DOWNLOAD: {**inputs.get(DEFAULTS, {}), **inputs.get(OPTIONS, {})}}
        settings: dict[str, Any] = {
            key: value
            for key, value in inputs.items()
            if isinstance(value, str | int | float)  # others are dictionaries and artifacts
        }
        for key, value in compiled.items():
            is_of_step = key.startswith(PREFIX)
            settings[key] = {**value, **own.get(key, {})} if is_of_step else value
        place = settings[f"{PREFIX}publish"]["publish_dir"]
        return cls(place, inputs["name"], inputs["decisions"], settings)

    @property
    def root(self) -> str:
        """The place of all versions of the name."""
        if not self.publish_dir or not self.name:
            raise InputError(
                f"a run that goes on needs the name of a model and the place of published models: "
                f"name is {self.name!r:.80}, and publish_dir {self.publish_dir!r:.80}"
            )
        return published.root_of(self.publish_dir, self.name)


@dataclass(frozen=True)
class News:
    """What was found.

    Attributes:
        is_new: whether there is something to learn.
        said: what was found, as Markdown.
        ledger: place of the ledger to keep to; empty for none.
        decisions: place of the decisions to heed; empty for none.
        seen: for the memory, once the run has come to its end.
    """

    is_new: bool
    said: str
    ledger: str
    decisions: str
    seen: Seen

    def told(self) -> tuple[str, str, str, str]:
        """As the outputs of a component."""
        return "yes" if self.is_new else "no", self.ledger, self.decisions, self.seen.to_text()


@step("download")
def download_if_new(
    classes: Mapping[str, Any], output: Path, options: DownloadOptions, continued: Continued
) -> News:
    """Gather photos as `download_listed` does, and keep them only if there is something to learn.

    Of a bucket the listing alone is looked at first: where it is the same, no photo is read.

    Args:
        classes: as of `download_listed`.
        output: as of `download_listed`; not written where nothing is new.
        options: as of `download_listed`.
        continued: what the run goes on with.

    Raises:
        InputError: as of `download_listed`; or the memory or the decisions are damaged.
        WorkError: as of `download_listed`.
    """
    labels = [entry.label for entry in parse_document(classes, "classes").species]
    known, place, now = _begin(classes, labels, continued)
    unlearned = _unlearned(labels, options)
    now = replace(now, listing=_listing(options))
    before = known.seen
    if before and now.listing and now == replace(before, photos="", count=0):
        return _announced(_told(known, place, before, unlearned))
    gather_document(classes, output, options)
    found = _seen(Dataset(output), now)
    news = _told(known, place, found, unlearned)
    if news.is_new:
        return news
    shutil.rmtree(output)  # nobody needs them a second time
    if before and found.listing and before != found:
        # Objects changed, and the photos did not: the next run need not read them all again.
        memories.replace_seen(continued.root, before, found)
    return _announced(news)


@step("download")
def compare_photos(photos: str, continued: Continued) -> News:
    """Whether there is something to learn from photos that are packed already.

    Args:
        photos: place of the dataset, of which only the manifest is fetched.
        continued: as of `download_if_new`.

    Raises:
        InputError: as of `download_if_new`.
        WorkError: as of `download_if_new`.
    """
    with listing.opened(photos) as dataset:
        known, place, now = _begin({}, dataset.labels, continued)
        return _announced(_told(known, place, _seen(dataset, now)))


def _announced(news: News) -> News:
    """The news, told to whoever draws the progress: last, since that one ends the process."""
    if not news.is_new:
        emit(EVENT, message=news.said.partition("\n")[0])
    return news


def _begin(
    classes: Mapping[str, Any], labels: Collection[str], continued: Continued
) -> tuple[Memory, str, Seen]:
    """What is remembered, the place of all decisions, and what is seen before any photo is."""
    root = continued.root
    known = memories.read(root)
    remembered = decisions.read(known.decisions)
    fitting = _fitting(remembered, labels)
    by_hand = memories.join_decisions(fitting, decisions.read(continued.decisions))
    is_kept = not continued.decisions and fitting is remembered
    place = known.decisions if is_kept else memories.keep_decisions(root, by_hand)
    listed = parse_document(classes, "classes") if classes else None
    about = (listed.subject, as_parameter(listed.species)) if listed else None
    told = [about, _effective(continued.settings), sorted(map(list, by_hand.decided.items()))]
    settings = _hash([json.dumps([*told, sorted(by_hand.targets.items())])])
    return known, place, Seen(settings=settings, published=published.mark(root))


def _fitting(remembered: Decisions, labels: Collection[str]) -> Decisions:
    """The decisions but those that move a photo of a class to one that is gone; warn of these."""
    gone = {
        key: to for key, to in remembered.targets.items() if key[0] in labels and to not in labels
    }
    if not gone:
        return remembered
    names = _shown(sorted(set(gone.values())))
    warn(
        f"{counted(len(gone), 'decision')} of earlier runs moved photos to {names}, which is none "
        "of the classes now: they are not heeded"
    )
    return remembered.without(gone)


def _unlearned(labels: Collection[str], options: DownloadOptions) -> list[str]:
    """Names of class folders, or of classes in a list, from which nothing is learned; warn of them.

    The classes of a schedule are those that there were when it was made.
    """
    asked = sources.named(options.source)
    names: list[str] = []
    if {"folder", "storage"} & set(asked) and options.image_dir:
        place = storage.plain(options.image_dir)
        if storage.is_uri(place):
            names = storage.list_folders(place)
        elif Path(place).is_dir():
            names = sorted(path.name for path in Path(place).iterdir() if path.is_dir())
    elif "urls" in asked:
        with contextlib.suppress(InputError):  # of one class alone, which is told elsewhere
            names = class_names(options) or []
    new = [name for name in names if not name.startswith((".", "__")) and name not in labels]
    if new:
        warn(f"{_of_unlearned(new)} (docs/cluster.md)")
    return new


def _of_unlearned(names: list[str]) -> str:
    verb = "is" if len(names) == 1 else "are"
    return (
        f"not learned: {_shown(names)} {verb} none of the classes of this "
        "run; a schedule keeps the classes that it was made with, so make it again"
    )


def _shown(names: list[str]) -> str:
    """Names that a stranger chose, of which neither Markdown nor HTML makes anything."""
    return re.sub(r"[^\w .,()'-]", "?", named(names, most=MOST_NAMED, longest=LONGEST_NAME))


def _effective(value: Any) -> Any:
    """The settings without those of no effect on the model, in one order."""
    if not isinstance(value, Mapping):
        # A whole number comes as 1 or 1.0, by whoever handed it over.
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return {
        key: _effective(entry) for key, entry in sorted(value.items()) if key not in _WITHOUT_EFFECT
    }


def _listing(options: DownloadOptions) -> str:
    """Hash of what a bucket holds that photos come from alone; empty for other sources."""
    place = options.image_dir
    if sources.named(options.source) != ["storage"] or not storage.is_uri(place):
        return ""
    return listing_hash(place)


def listing_hash(prefix: str) -> str:
    """Hash of the names, sizes and versions of the objects below a prefix.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    objects = storage.list_objects(storage.plain(prefix))
    return _hash(f"{entry.uri} {entry.size} {entry.version}" for entry in objects)


def _seen(found: Dataset, now: Seen) -> Seen:
    """What is seen, with the photos: all that a model, its groups or its papers are made of."""
    rows = sorted(
        json.dumps([one.label, one.source_sha256, one.licence, one.observation, one.author])
        + json.dumps([one.title, one.source_page])
        for one in found.photos
    )
    facts = json.dumps(found.facts.to_json(), sort_keys=True)
    return replace(now, photos=_hash([*rows, facts]), count=len(found.photos))


def _told(known: Memory, decided: str, found: Seen, unlearned: list[str] | None = None) -> News:
    before = known.seen
    is_new = before is None or replace(before, listing=found.listing) != found
    photos = counted(found.count, "photo")
    if not is_new:
        said = (
            f"{NOTHING_NEW}: the same {photos}, classes, options and decisions as in the last run "
            "under this name that went on, and the same published model as after it. All further "
            "steps are left out."
        )
    elif before is None:
        said = f"Something new: no run under this name has left what it saw. There are {photos}."
    elif before.photos != found.photos:
        said = f"Something new: {photos}, not the same {before.count} as in the last run."
    elif before.settings != found.settings:
        said = f"Something new: the same {photos}, with other classes, options or decisions."
    else:
        said = (
            f"Something new: the same {photos}, but what is published is not what the last run "
            "left: another version, or other files."
        )
    log.info("download: %s", said)
    said += f"\n\nBut {_of_unlearned(unlearned)}." if unlearned else ""
    return News(is_new, said + "\n", known.ledger, decided, found)


def _hash(lines: "Iterator[str] | list[str]") -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
