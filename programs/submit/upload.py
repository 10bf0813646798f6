"""Photos and files of this machine on their way to where pods can read them.

Names are made of the content: what is there already is not sent again, and nothing is replaced.
"""

import hashlib
import itertools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from components.common.base.errors import InputError
from components.common.base.files import hash_file, naming_full_disk
from components.common.base.step import Progress, warn
from components.common.base.wording import as_text, counted
from components.common.dataset import class_folders, ledger, shards
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import (
    DESCRIPTION,
    KIND,
    MANIFEST,
    MANIFEST_MAX_BYTES,
    SCHEMA,
    DatasetWriter,
)
from components.common.dataset.photo import Photo
from components.common.dataset.photo_files import rows_left_out
from components.common.dataset.vocabulary import UNREADABLE
from components.common.photos import file_types
from components.common.store import storage
from components.common.untrusted import tables
from components.settings import ClusterOptions
from programs.submit.request import UPLOADED

NAME_DIGITS = 32  # of a SHA-256
FILE_MAX_BYTES = 256 * 1024 * 1024


def endpoint_of(uri: str) -> str:
    """The address of the server that uploads to a gs:// or s3:// place go to.

    Raises:
        InputError: the environment names no usable one.
    """
    return re.sub(r"//[^/]*@", "//", storage.endpoint(uri))  # a password may stand before the host


def check_store(upload_to: str, cluster: ClusterOptions) -> None:
    """See that what goes to s3:// from here is where pods look for it.

    The addresses of one store differ (a port-forward here, a service there), but not its being
    Amazon's.

    Raises:
        InputError: one is Amazon's, and the other is not.
    """
    if not storage.canonical(upload_to).startswith("s3://"):
        return
    here, there = endpoint_of(upload_to), cluster.store_endpoint
    if _is_amazon(here) and there and not _is_amazon(there):
        raise InputError(
            f"--upload_to is {upload_to}: uploads would go to Amazon's store, and pods look "
            f"at {there} (--store_endpoint): give --store_endpoint '' if the bucket is Amazon's; "
            "else set AWS_ENDPOINT_URL to where this machine reaches that store, such as "
            "http://localhost:PORT of a port-forward"
        )
    if not _is_amazon(here) and (not there or _is_amazon(there)):
        raise InputError(
            f"--upload_to is {upload_to}: uploads go to {here} (AWS_ENDPOINT_URL), and pods "
            "would look at Amazon's store (--store_endpoint): unset AWS_ENDPOINT_URL if the bucket "
            "is Amazon's; else give --store_endpoint, the address at which pods reach that store"
        )


def list_photos(image_dir: Path, per_class: int) -> list[tuple[str, Path]]:
    """The photos of class folders with their classes; `per_class` of each, or 0 for all.

    Raises:
        InputError: no such folder, or too few classes.
    """
    return [
        (label, path)
        for label in class_folders.list_classes(image_dir)
        for path in itertools.islice(class_folders.class_files(image_dir, label), per_class or None)
    ]


def dataset_uri(
    photos: Sequence[tuple[str, Path]], upload_to: str, facts: ClassFacts = ClassFacts()
) -> str:
    """The address that these photos have, or get: it is made of their names, contents and facts."""
    digest = hashlib.sha256(f"dataset {KIND.newest}\n".encode())
    for label, path in photos:
        content = _hash(path)
        digest.update(f"{label}/{path.name} {content}\n".encode(errors="surrogateescape"))
    for photo in _left_out(photos):
        digest.update(f"{photo.source_url} {photo.reason}\n".encode())
    if facts != ClassFacts():
        digest.update(f"{json.dumps(facts.to_json(), sort_keys=True)}\n".encode())
    return f"{upload_to.rstrip('/')}/{digest.hexdigest()[:NAME_DIGITS]}"


def _left_out(photos: Sequence[tuple[str, Path]]) -> Iterator[Photo]:
    """Rows for the files beside the photos that are none, by class."""
    for label, folder in sorted({(label, path.parent) for label, path in photos}):
        yield from rows_left_out(folder, label)


def _hash(path: Path) -> str:
    """SHA-256 of a photo; a word where it cannot be read."""
    try:
        return hash_file(path)
    except OSError:
        return UNREADABLE


def as_kfp_reads(uri: str, cluster: ClusterOptions) -> str:
    """The address of an artifact as KFP's importer finds it.

    KFP takes s3:// for Amazon's store, and minio:// for its own, which the steps reach as s3://.
    """
    own = cluster.store_endpoint == ClusterOptions.store_endpoint
    return f"minio://{uri.removeprefix('s3://')}" if own and uri.startswith("s3://") else uri


def upload_photos(
    photos: Sequence[tuple[str, Path]], uri: str, facts: ClassFacts = ClassFacts()
) -> bool:
    """Pack photos as a dataset and upload it, unless it is there; True where it was not.

    Args:
        photos: with their classes.
        uri: the address, from `dataset_uri`.
        facts: what is known of the classes.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached, or the disk is full.
    """
    if _is_whole(uri):
        return False
    place = Path(tempfile.gettempdir())
    with naming_full_disk("the packed photos", place), tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "dataset"
        unreadable: list[str] = []
        with DatasetWriter(folder, facts=facts) as writer:
            for label, path in Progress("pack photos", len(photos), verb="packed").over(photos):
                data, reason = _read(path, unreadable)
                # As the step `download` describes the photos of a folder.
                name = f"{label}/{as_text(path.name)}"
                photo = Photo(label=label, source="folder", source_url=name, reason=reason)
                writer.add(photo, data, extension=file_types.extension(data))
            for photo in _left_out(photos):
                writer.add(photo, b"", extension="bin")
        if unreadable:
            count = counted(len(unreadable), "unreadable file was", "unreadable files were")
            warn(f"{count} left out, such as {unreadable[0]}")
        files = {path.name: path for path in sorted(folder.iterdir())}
        manifest = files.pop(MANIFEST)
        storage.upload_files(files, uri)
        storage.upload_files({MANIFEST: manifest}, uri)  # last: whoever sees it sees all
    return True


def _read(path: Path, unreadable: list[str]) -> tuple[bytes, str]:
    """The bytes of a photo; none, and the reason, where it cannot be read, which is added."""
    try:
        return class_folders.read_photo(path), ""
    except class_folders.UnreadableFile as error:
        unreadable.append(f"{path} ({error})")
        return b"", UNREADABLE


def local_inputs(arguments: Mapping[str, Any], upload_to: str) -> dict[str, tuple[Path, str]]:
    """By argument, the files of this machine, and the addresses that they have or get."""
    inputs = {}
    for name in UPLOADED:
        if not arguments[name] or "://" in arguments[name]:
            continue
        path = Path(arguments[name])
        if path.is_dir():  # a ledger's
            path /= ledger.FILE_NAME
        if not path.is_file() or path.stat().st_size > FILE_MAX_BYTES:
            raise InputError(f"--{name}: expected a file of up to {FILE_MAX_BYTES} bytes at {path}")
        digest = hash_file(path)[:NAME_DIGITS]
        inputs[name] = (path, f"{upload_to.rstrip('/')}/inputs/{digest}/{as_text(path.name)}")
    return inputs


def _is_amazon(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _is_whole(uri: str) -> bool:
    """True where a dataset is there with all its shards."""
    there = {entry.uri.rpartition("/")[2]: entry.size for entry in storage.list_objects(uri)}
    if not {MANIFEST, DESCRIPTION} <= there.keys():
        return False
    data = storage.read_place(f"{uri}/{MANIFEST}", max_bytes=MANIFEST_MAX_BYTES)
    try:
        table = tables.read(data, SCHEMA, most_rows=shards.most_photos(sum(there.values())))
    except (pa.ArrowException, OSError):
        return False
    return all(
        there.get(row["shard"], 0) >= row["offset"] + row["size"]
        for row in table.select(["shard", "offset", "size"]).to_pylist()
    )
