"""What a model's runs remember for the next one, beside what is published under its name.

`memory.json` names the newest files of `memory/`, whose names are made of their content: the
ledger, so that what was placed stays placed, the decisions by hand, and what the last run that came
to its end has seen. A step that is given such a name as a parameter gets the same content for it
for ever, and so KFP's cache is right about it.
"""

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.dataset import ledger
from components.common.dataset.decisions import Decisions
from components.common.store import storage
from components.common.store.alone import alone_in
from components.common.untrusted import sealed

FILE_NAME, FOLDER = "memory.json", "memory"
BEGIN_ANEW = "remove it, and the next run begins without a memory"
KIND = sealed.Kind("the memory", "wild-mushrooms-memory", (1, 2), sealed_since=1, again=BEGIN_ANEW)
MAX_BYTES = 1024 * 1024
_DIGITS = 32  # of a SHA-256
_FILE = re.compile(r"(ledger-[0-9a-f]{32}\.parquet|decisions-[0-9a-f]{32}\.json)?")

Row = tuple[str, str, str]  # of a ledger: label, group, part


@dataclass(frozen=True)
class Seen:
    """What a run has learned from.

    Attributes:
        photos: hash of the photos found.
        settings: hash of all else that makes another model: classes, options, images, decisions.
        listing: hash of the listing of a bucket that the photos came from; empty for other sources.
        count: of the photos found.
        published: mark of what was published once the run had come to its end
            (components/common/model/published.py); empty where nothing was.
    """

    photos: str = ""
    settings: str = ""
    listing: str = ""
    count: int = 0
    published: str = ""

    def to_text(self) -> str:
        """As a parameter."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def parse(cls, content: Any) -> "Seen":
        """Of the fields that `asdict` makes.

        Raises:
            ValueError: they are others, or of other types.
        """
        if not isinstance(content, dict):
            raise ValueError(f"{content!r:.80} is not what a run has seen")
        if unknown := sorted(set(content) - set(asdict(cls()))):
            raise ValueError(
                f"what a run has seen has the field {unknown[0]!r:.60}, which this program does "
                "not know: if a newer version wrote it, use that version"
            )
        seen = cls(**content)
        count = int(seen.count) if isinstance(seen.count, int | float) else -1
        texts = seen.photos, seen.settings, seen.listing, seen.published
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{content!r:.80} is not what a run has seen")
        return replace(seen, count=count)

    @classmethod
    def of_text(cls, text: str) -> "Seen | None":
        """Of a parameter; None where it is empty."""
        return cls.parse(json.loads(text)) if text else None


@dataclass(frozen=True)
class Memory:
    """What is remembered under a name.

    Attributes:
        ledger: place of the ledger; empty for none.
        decisions: place of the decisions; empty for none.
        seen: by the last run that went on with this memory and came to its end; None for none.
        version: of `memory.json` in a bucket, as `storage.write_if` takes it.
    """

    ledger: str = ""
    decisions: str = ""
    seen: Seen | None = None
    version: str | None = None


def read(root: str) -> Memory:
    """What is remembered; nothing where no run has left anything.

    Args:
        root: the place of all versions of a name: a folder, gs://… or s3://….

    Raises:
        InputError: `memory.json` is damaged, there is no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    place, version = f"{root}/{FILE_NAME}", None
    if storage.is_uri(root):
        data, version = storage.find(place, max_bytes=MAX_BYTES) or (None, None)
    else:
        data = storage.find_place(place, max_bytes=MAX_BYTES)
    if data is None:
        return Memory()
    content = sealed.parse(data, place, KIND)
    try:
        names = [content["ledger"], content["decisions"]]
        if not all(_FILE.fullmatch(name) for name in names):
            raise ValueError(f"it names the files {names!r:.120}")
        seen = content["seen"] and Seen.parse(content["seen"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place} cannot be read: {error}; or {BEGIN_ANEW}") from error
    placed, decided = (f"{root}/{FOLDER}/{name}" if name else "" for name in names)
    return Memory(placed, decided, seen or None, version)


def exists(root: str) -> bool:
    """Whether any run has left something, damaged or not."""
    return storage.find_place(f"{root}/{FILE_NAME}", max_bytes=MAX_BYTES) is not None


def write(root: str, memory: Memory) -> bool:
    """Let `memory.json` name what is remembered now.

    Args:
        root: as of `read`.
        memory: with the version that `read` gave.

    Returns:
        False where another run has changed it since.
    """
    names = {
        "ledger": memory.ledger.rpartition("/")[2],
        "decisions": memory.decisions.rpartition("/")[2],
    }
    seen = asdict(memory.seen) if memory.seen else None
    text = sealed.text({**KIND.head, **names, "seen": seen})
    place = f"{root}/{FILE_NAME}"
    if storage.is_uri(root):
        return storage.write_if(place, text.encode(), memory.version)
    storage.write_place(place, text.encode(), what="the memory")
    return True


def replace_seen(root: str, earlier: Seen, seen: Seen) -> bool:
    """Let a memory hold what was seen now, of the same photos as before.

    Args:
        root: as of `read`; the memory is there.
        earlier: what it held.
        seen: what it is to hold.

    Returns:
        False, with nothing written, where another run has changed it since.
    """
    with locked(root):
        known = read(root)
        return known.seen == earlier and write(root, replace(known, seen=seen))


def locked(root: str) -> contextlib.AbstractContextManager[None]:
    """Keep other processes of this machine from a memory in a folder; in a bucket do nothing."""
    return contextlib.nullcontext() if storage.is_uri(root) else alone_in(Path(root))


def keep_decisions(root: str, by_hand: Decisions) -> str:
    """Keep decisions among the files of a memory, which need not name them yet; their place."""
    if not by_hand.decided:
        return ""
    text = json.dumps(by_hand.to_json(), indent=1, ensure_ascii=False) + "\n"
    return _keep(root, "decisions", ".json", text.encode())


def keep_ledger(root: str, rows: Iterable[Row]) -> str:
    """Keep a ledger among the files of a memory, which need not name it yet; its place."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, ledger.FILE_NAME)
        ledger.write(rows, path)
        return _keep(root, "ledger", ".parquet", path.read_bytes())


def join_decisions(earlier: Decisions, newer: Decisions) -> Decisions:
    """Decisions of both; of one photo what was decided last."""
    return Decisions(
        {**earlier.decided, **newer.decided},
        {
            **{key: to for key, to in earlier.targets.items() if key not in newer.decided},
            **newer.targets,
        },
    )


def join_ledgers(earlier: Iterable[Row], newer: Iterable[Row]) -> list[Row]:
    """The rows of both; of one group what was placed last, and what is gone is not forgotten."""
    parts: Mapping[tuple[str, str], str] = {
        (label, group): part for label, group, part in (*earlier, *newer)
    }
    return [(label, group, part) for (label, group), part in parts.items()]


def _keep(root: str, what: str, ending: str, data: bytes) -> str:
    place = f"{root}/{FOLDER}/{what}-{hashlib.sha256(data).hexdigest()[:_DIGITS]}{ending}"
    if not storage.is_uri(root):
        Path(root, FOLDER).mkdir(parents=True, exist_ok=True)
    storage.write_place(place, data, what=f"the {what}")
    return place
