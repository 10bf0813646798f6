"""Where a model is: a folder, the root of published versions, or either of them in a bucket."""

import hashlib
import json
from pathlib import Path

from components.common.base import cache_place
from components.common.base.errors import InputError
from components.common.base.files import atomic_directory
from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.dataset.class_facts import ClassFacts
from components.common.model import layout
from components.common.model.description import ModelDescription
from components.common.store import storage

LATEST = "latest.json"
METRICS = "metrics.json"  # of evaluate; publish puts it beside the model
# Without a version they are from before they had a seal.
# Their field `basis` where they are of cross-validation: all but the demo photos, by heads that had
# not seen them.
CROSS_VALIDATED = "cross-validated"
EFFECTIVE_PHOTOS = "class_effective_photos"  # their field; publish judges the recalls by it
POINTER_MAX_BYTES = 1024 * 1024
FILE_MAX_BYTES = 512 * 1024**2
VERSION_DIGITS = 12
# What predicting needs; other forms of the model are not fetched.
NEEDED = (layout.DESCRIPTION, layout.LITERT, layout.HEAD)
WANTED = (
    *(*NEEDED, layout.INT8, layout.DISTANCES, layout.REFERENCES, layout.LEARNED, layout.LABELS),
    *(ATTRIBUTION, METRICS),
)


def local_model(place: str, cache_dir: Path) -> Path:
    """The model's directory on this machine; from gs:// and s3:// it is fetched first.

    Where the place holds `latest.json`, as `publish` leaves it, the version that this names is
    meant. What was fetched stays in the cache, by the versions of its objects.

    Args:
        place: a folder, gs://bucket/folder or s3://bucket/folder.
        cache_dir: the cache folder.

    Raises:
        InputError: there is no model.
        WorkError: the store cannot be reached.
    """
    return local_version(place, latest_version(place), cache_dir)


def latest_version(place: str) -> str:
    """The version that a place's `latest.json` names; empty where the place is a model itself.

    Raises:
        InputError: `latest.json` names no version, there is no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    root = storage.plain(place)
    if not storage.is_uri(root) and Path(root, layout.DESCRIPTION).is_file():
        return ""
    pointed = find_pointer(root)
    return "" if pointed is None else version_in(pointed, f"{root}/{LATEST}")


def pinned(place: str) -> str:
    """The place of the model itself, which stays when another version is published.

    Args:
        place: as of `local_model`.

    Raises:
        InputError: as of `latest_version`.
        WorkError: the store cannot be reached.
    """
    return _of_version(place, latest_version(place))


def local_version(place: str, version: str, cache_dir: Path) -> Path:
    """As `local_model`, of a version that `latest_version` gave.

    Raises:
        InputError: there is no such model in a bucket.
        WorkError: the store cannot be reached.
    """
    found = _of_version(place, version)
    return _fetched(found, cache_dir) if storage.is_uri(found) else Path(found)


def _of_version(place: str, version: str) -> str:
    root = storage.plain(place)
    return f"{root}/{version}" if version else root


def find_pointer(root: str) -> bytes | None:
    """The content of a place's `latest.json`; None where there is none.

    Raises:
        InputError: it is too large, there is no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    return storage.find_place(f"{root}/{LATEST}", max_bytes=POINTER_MAX_BYTES)


def version_in(pointer: bytes, name: str) -> str:
    """The version that a `latest.json` names.

    Raises:
        InputError: it names none, or one that is no plain folder name.
    """
    try:
        version = json.loads(pointer)["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name} does not name the latest version: {error}") from error
    if not isinstance(version, str) or not version.isalnum():
        raise InputError(f"{name} names the version {version!r}: expected letters and digits")
    return version


def version_of(description: ModelDescription) -> str:
    """The version that a model is published as.

    Of everything that another model would have another of: weights, photos with their credits, the
    rule for unknown photos, and what is stated of the classes. A class that turns out to be deadly
    makes another version, or the published model would go on without saying so. The same model
    published twice is the same version.
    """
    facts = description.facts
    content = (
        description.head_sha256,
        description.manifest_sha256,
        description.distances_sha256,
        str(description.format_version),
        # A model of which nothing is stated keeps the version that it had before there were facts.
        *([] if facts == ClassFacts() else [json.dumps(facts.to_json(), sort_keys=True)]),
    )
    return hashlib.sha256(" ".join(content).encode()).hexdigest()[:VERSION_DIGITS]


def _fetched(root: str, cache_dir: Path) -> Path:
    names = {f"{root}/{name}": name for name in WANTED}
    objects = {
        names[stored.uri]: stored for stored in storage.list_objects(root) if stored.uri in names
    }
    missing = [name for name in NEEDED if name not in objects]
    if missing:
        raise InputError(f"{root} is not a model directory: there is no {missing[0]} in it")
    for stored in objects.values():
        if stored.size > FILE_MAX_BYTES:
            raise InputError(f"{stored.uri} is larger than {FILE_MAX_BYTES} bytes")
    described = [(root, name, stored.version) for name, stored in sorted(objects.items())]
    digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()
    folder = Path("models", digest[:32])
    if (cache_dir / folder / layout.DESCRIPTION).is_file():
        return cache_dir / folder
    target = cache_place.usable(cache_dir) / folder
    with atomic_directory(target, what="the model", marker=layout.DESCRIPTION) as new:
        for name, stored in objects.items():
            storage.download(stored.uri, new / name)
    return target
