"""Whether photos are any others than those of the last run: if not, a run that goes on ends early.

The last run that came to its end has left what it saw (components/common/dataset/memory.py). A run
that failed leaves nothing, so its photos count as new until one has learned from them.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX
from components.common.base.step import emit, log, step
from components.common.base.wording import counted
from components.common.dataset import memory as memories
from components.common.dataset.dataset import Dataset
from components.common.dataset.memory import NOTHING_NEW, Memory, Seen
from components.common.dataset.species import as_parameter, parse_document
from components.common.store import storage
from components.download import sources
from components.download.download import gather_document
from components.download.options import DownloadOptions

EVENT = "nothing_new"
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
        if not self.publish_dir or not self.name or "/" in self.name or self.name[0] == ".":
            raise InputError(
                f"a run that goes on needs the name of a model and the place of published models: "
                f"name is {self.name!r:.80}, and publish_dir {self.publish_dir!r:.80}"
            )
        return f"{storage.plain(self.publish_dir)}/{self.name}"


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
    known, place, settings = _begin(classes, continued)
    listing = _listing(options)
    seen = known.seen
    if seen and listing and (seen.listing, seen.settings) == (listing, settings):
        return _told(known, place, seen)
    gather_document(classes, output, options)
    found = _seen(output, settings, listing)
    news = _told(known, place, found)
    if not news.is_new:
        shutil.rmtree(output)  # nobody needs them a second time
    return news


@step("download")
def compare_photos(photos: Path, continued: Continued) -> News:
    """Whether there is something to learn from photos that are packed already.

    Args:
        photos: the dataset.
        continued: as of `download_if_new`.

    Raises:
        InputError: as of `download_if_new`.
        WorkError: as of `download_if_new`.
    """
    known, place, settings = _begin({}, continued)
    return _told(known, place, _seen(photos, settings, ""))


def _begin(classes: Mapping[str, Any], continued: Continued) -> tuple[Memory, str, str]:
    """What is remembered, the place of all decisions, and the hash of all settings."""
    root = continued.root
    known = memories.read(root)
    by_hand = memories.known_decisions(known, continued.decisions)
    place = memories.keep_decisions(root, by_hand) if continued.decisions else known.decisions
    listed = parse_document(classes, "classes") if classes else None
    about = (listed.subject, as_parameter(listed.species)) if listed else None
    told = [about, _effective(continued.settings), sorted(map(list, by_hand.decided.items()))]
    return known, place, _hash([json.dumps([*told, sorted(by_hand.targets.items())])])


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


def _seen(folder: Path, settings: str, listing: str) -> Seen:
    found = Dataset(folder)
    rows = sorted(f"{one.label}\0{one.source_sha256}\0{one.licence}" for one in found.photos)
    facts = json.dumps(found.facts.to_json(), sort_keys=True)
    return Seen(_hash([*rows, facts]), settings, listing, len(found.photos))


def _told(known: Memory, decisions: str, found: Seen) -> News:
    """The news, and a word to whoever draws the progress."""
    before = known.seen
    is_new = before is None or (before.photos, before.settings) != (found.photos, found.settings)
    photos = counted(found.count, "photo")
    if not is_new:
        said = (
            f"{NOTHING_NEW}: the same {photos}, classes, options and decisions as in the last run "
            "under this name. All further steps are left out."
        )
        emit(EVENT, message=said)
    elif before is None:
        said = f"Something new: no run under this name has left what it saw. There are {photos}."
    elif before.photos != found.photos:
        said = f"Something new: {photos}, not the same {before.count} as in the last run."
    else:
        said = f"Something new: the same {photos}, with other classes, options or decisions."
    log.info("download: %s", said)
    return News(is_new, said + "\n", known.ledger, decisions, found)


def _hash(lines: "Iterator[str] | list[str]") -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
