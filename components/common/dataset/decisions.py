"""What a person decided about single photos on the review page: keep it, drop it, or move it.

A decision names a photo by the class in which it was found and the SHA-256 of its bytes as fetched,
so it holds for the same photo in every later run, whatever its file is called and wherever it lies.
A moved photo is of another class from then on; the decision names that class too.
"""

import functools
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from components.common.base.errors import InputError
from components.common.base.options import option
from components.common.dataset.photo import Photo, check_label, other_spelling
from components.common.store import storage
from components.common.untrusted import sealed

FORMAT = "wild-mushrooms-decisions"
# The first knew no MOVE. A file of them has no seal: people edit it.
KIND = sealed.Kind(
    *("the file of decisions", FORMAT, (1, 2)),
    sealed_since=0,
    again="decide anew on the review page",
)
FORMAT_VERSION = str(KIND.newest)
KEEP, DROP, MOVE = "keep", "drop", "move"
MAX_BYTES = 16 * 1024**2  # 100,000 decisions
_SHA256 = re.compile(r"[0-9a-f]{64}")

Key = tuple[str, str]
# The option of every step that heeds them.
decisions_option = functools.partial(
    option,
    "",
    "file of decisions by hand, as curation.html exports it; a path, gs://… or s3://…; empty for "
    "none",
    place="read",
    in_form=True,
)


class Decisions:
    """Decisions by (class in which the photo was found, SHA-256 of its bytes as fetched).

    Args:
        decided: `KEEP`, `DROP` or `MOVE`.
        targets: the class that each moved photo goes to.
    """

    def __init__(
        self, decided: Mapping[Key, str] | None = None, targets: Mapping[Key, str] | None = None
    ) -> None:
        self.decided = dict(decided or {})
        self.targets = dict(targets or {})

    def of(self, photo: Photo, found_in: str = "") -> str:
        """`KEEP`, `DROP`, `MOVE`, or nothing.

        Args:
            photo: its row of a manifest.
            found_in: the class in which it was found; empty where that is the one of the row.
        """
        return self.decided.get((found_in or photo.label, photo.source_sha256), "")

    def drops(self, photo: Photo) -> bool:
        """True where a person wants the photo dropped."""
        return self.of(photo) == DROP

    def vouches_for(self, photo: Photo) -> bool:
        """True where a person wants the photo used: in its class, or in the one it is moved to."""
        return self.of(photo) in (KEEP, MOVE)

    def target(self, photo: Photo) -> str:
        """The class that a person moved the photo to; empty where it stays."""
        return self.targets.get(key_of(photo), "")

    def unknown(self, photos: Iterable[Photo]) -> list[Key]:
        """The decisions about photos that are not among these.

        A photo that is found in the class it was to be moved to is no unknown one: somebody has
        moved its file.
        """
        found = {key_of(photo) for photo in photos}
        done = {key for key, label in self.targets.items() if (label, key[1]) in found}
        return sorted(set(self.decided) - found - done)

    def without(self, keys: Collection[Key]) -> "Decisions":
        """These decisions but those on some photos."""
        return Decisions(
            {key: decision for key, decision in self.decided.items() if key not in keys},
            {key: target for key, target in self.targets.items() if key not in keys},
        )

    def check_classes(self, labels: Collection[str]) -> None:
        """See to it that photos are moved to classes that are there.

        Decisions about photos of classes that are not there are not looked at.

        Args:
            labels: the classes of a run.

        Raises:
            InputError: a photo of one of them is moved to a class that is none of them.
        """
        for (label, sha256), target in sorted(self.targets.items()):
            if label in labels and target not in labels:
                meant = other_spelling(target, labels)
                hint = f" (did you mean {meant!r}?)" if meant else ""
                raise InputError(
                    f"a decision moves the photo of {label!r} with SHA-256 {sha256[:16]}… to "
                    f"{target!r}, which is none of the classes{hint}: expected one of "
                    f"{', '.join(sorted(labels))}; add photos of that class, or decide anew on the "
                    "review page"
                )

    def to_json(self) -> dict[str, Any]:
        """The content of a file of these decisions."""
        entries = []
        for key, decision in sorted(self.decided.items()):
            label, sha256 = key
            entry = {"label": label, "source_sha256": sha256, "decision": decision}
            entries.append(entry | ({"to": self.targets[key]} if decision == MOVE else {}))
        return {"format": FORMAT, "format_version": FORMAT_VERSION, "decisions": entries}


def key_of(photo: Photo) -> Key:
    """What a decision names a photo by that is in the class in which it was found."""
    return photo.label, photo.source_sha256


def read(place: str) -> Decisions:
    """The decisions of a file that the review page wrote; an empty `place` holds none.

    Args:
        place: a path, or gs://… or s3://….

    Raises:
        InputError: there is no such file, or it is no decisions file.
    """
    if not place:
        return Decisions()
    return parse(storage.read_place(place, max_bytes=MAX_BYTES), place)


def parse(data: bytes, name: str) -> Decisions:
    """The decisions of such a file.

    Args:
        data: its content, at most `MAX_BYTES`.
        name: of the file, for messages.

    Raises:
        InputError: it is no decisions file.
    """
    try:
        content = json.loads(data)
        told = {field: content[field] for field in (sealed.FORMAT, sealed.VERSION)}
        if told[sealed.FORMAT] != FORMAT or not isinstance(told[sealed.VERSION], str):
            raise ValueError(f"its format is not {FORMAT} {' or '.join(map(str, KIND.versions))}")
        version = KIND.check_texts(told, "it")
        return _parse(content["decisions"], moves=version > 1)
    except (ValueError, TypeError, KeyError, RecursionError, InputError) as error:
        raise InputError(
            f"{name} is no file of decisions as curation.html exports it: {_why(error)}"
        ) from error


def _parse(entries: Any, *, moves: bool) -> Decisions:
    if not isinstance(entries, list):
        raise ValueError("`decisions` is not a list")
    decided: dict[Key, tuple[str, str]] = {}
    for number, entry in enumerate(entries, 1):
        key, decision = _parse_entry(entry, f"entry {number}", moves=moves)
        if decided.setdefault(key, decision) != decision:
            raise ValueError(f"entry {number} decides otherwise of a photo than another one: {key}")
    targets = {key: target for key, (_, target) in decided.items() if target}
    return Decisions({key: decision for key, (decision, _) in decided.items()}, targets)


def _parse_entry(entry: Any, name: str, *, moves: bool) -> tuple[Key, tuple[str, str]]:
    """Whom an entry is about, and its decision with the class that it moves to, else empty."""
    if not isinstance(entry, dict):
        raise ValueError(f"{name} is not an object")
    fields = ("label", "source_sha256", "decision", "to")
    label, sha256, decision, target = (entry.get(field, "") for field in fields)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"{name} has no source_sha256 of 64 hexadecimal digits")
    known = (KEEP, DROP, MOVE) if moves else (KEEP, DROP)
    if decision not in known:
        raise ValueError(f"{name} decides {decision!r:.40}, not {' or '.join(map(repr, known))}")
    if not isinstance(label, str):
        raise ValueError(f"{name} names no label")
    if not isinstance(target, str) or bool(target) != (decision == MOVE):
        raise ValueError(f"{name} decides {decision!r}, and `to` is {target!r:.120}")
    if target and target == label:
        raise ValueError(f"{name} moves a photo to the class that it is in")
    return (check_label(label), sha256), (decision, check_label(target) if target else "")


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
