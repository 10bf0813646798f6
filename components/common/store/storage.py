"""Object storage: listing, reading and writing below gs:// and s3:// prefixes.

Credentials come from the environment alone: Google's application default credentials, and boto3's
variables, profile or role. AWS_ENDPOINT_URL leads to another S3 store (SeaweedFS, MinIO),
STORAGE_EMULATOR_HOST to an emulator of Google's. `minio://` is what Kubeflow Pipelines calls the S3
store of its own: the same as s3://.

Every function that asks a store raises `InputError` where there is no such bucket, no permission or
no credentials, and `WorkError` where the store cannot be reached or the bytes came damaged. The
docstrings name what they raise besides.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components.common.base.errors import InputError, WorkError
from components.common.base.files import atomic_file, hash_file, write_file
from components.common.store import google, s3
from components.common.store.kind import Failure, Store

STORES: Mapping[str, Store] = {"gs": google, "s3": s3, "minio": s3}
SCHEMES = tuple(f"{scheme}://" for scheme in STORES)
ANY_SCHEME = f"({'|'.join(SCHEMES)})"  # a regular expression, for the patterns of options


@dataclass(frozen=True)
class StoredObject:
    """One object.

    Attributes:
        uri: "gs://bucket/key" or "s3://bucket/key".
        size: in bytes.
        version: changes with the content: the generation (GCS) or the ETag (S3).
        modified: when it was stored, in UTC.
    """

    uri: str
    size: int
    version: str
    modified: datetime


def is_uri(place: str) -> bool:
    """True for gs://, s3:// and minio:// addresses."""
    return place.startswith(SCHEMES)


def canonical(place: str) -> str:
    """The address with the scheme that every program knows: minio:// becomes s3://."""
    return f"s3://{place.removeprefix('minio://')}" if place.startswith("minio://") else place


def plain(place: str) -> str:
    """A place as others are named below it: `canonical`, no slash at its end, no `~`."""
    return canonical(place).rstrip("/") if is_uri(place) else str(Path(place).expanduser())


def endpoint(uri: str) -> str:
    """The address of the server that requests for this place go to."""
    with _explained(uri, "written"):
        return _store(uri).endpoint()


def list_folders(prefix: str) -> list[str]:
    """Names of the "folders" directly below a prefix, sorted."""
    bucket, key = _split(prefix)
    with _explained(prefix):
        folders = _store(prefix).folders(bucket, key)
    return sorted(name[len(key) :].strip("/") for name in folders)


def list_objects(prefix: str) -> Iterator[StoredObject]:
    """All objects below a prefix, sorted by name."""
    bucket, key = _split(prefix)
    scheme = canonical(prefix).partition("://")[0]
    with _explained(prefix):
        for name, size, version, modified in _store(prefix).objects(bucket, key):
            yield StoredObject(f"{scheme}://{bucket}/{name}", size, version, modified)


def find(uri: str, *, max_bytes: int) -> tuple[bytes, str] | None:
    """The content of one object, and its version as `write_if` takes it; None without one.

    Raises:
        InputError: the object is larger than `max_bytes`.
    """
    bucket, key = _object(uri)
    with _explained(uri):
        # One byte more than allowed shows that there is more; it is never the whole.
        content = _store(uri).find(bucket, key, max_bytes + 1)
    if content and len(content[0]) > max_bytes:
        raise InputError(f"{uri} is larger than {max_bytes} bytes")
    return content


def read_range(uri: str, start: int, size: int) -> bytes:
    """So many bytes (at least one) of an object from an offset on; fewer where it ends before.

    Raises:
        InputError: there is no such object, or it ends before the offset.
    """
    bucket, key = _object(uri)
    with _explained(uri):
        return _store(uri).read_range(bucket, key, start, size)


def read_place(place: str, *, max_bytes: int) -> bytes:
    """The content of a file or, for gs:// and s3://, of an object.

    Raises:
        InputError: there is none, or it is larger than `max_bytes`.
    """
    data = find_place(place, max_bytes=max_bytes)
    if data is None and is_uri(place):
        raise InputError(f"{place} cannot be read: there is no such object")
    if data is None:
        raise InputError(f"there is no file at {place}")
    return data


def find_place(place: str, *, max_bytes: int) -> bytes | None:
    """As `read_place`, but None where there is no such file or object."""
    if is_uri(place):
        content = find(place, max_bytes=max_bytes)
        return content[0] if content else None
    path = Path(place).expanduser()
    if not path.is_file():
        return None
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InputError(f"{place} is larger than {max_bytes} bytes")
    return data


def write_place(place: str, data: bytes, *, what: str) -> None:
    """Write a file or, for gs:// and s3://, an object: whole or not at all.

    Args:
        place: where to; what is there is replaced.
        data: the content.
        what: is written, for messages, such as "a checkpoint".

    Raises:
        WorkError: the disk is full.
    """
    if not is_uri(place):
        write_file(Path(place).expanduser(), data, what=what)
        return
    bucket, key = _object(place)
    with _explained(place, "written"):
        _store(place).write(bucket, key, data)


def write_if(uri: str, data: bytes, version: str | None) -> bool:
    """Write an object where it still is what `find` read; False where it is another by now.

    Of two processes that do so at once, one gets True: the store decides (`ifGenerationMatch` on
    Google's, `If-Match` and `If-None-Match: *` on S3; AWS, SeaweedFS and MinIO honour it).

    Args:
        uri: of the object.
        data: the content.
        version: that `find` gave; None where there was no object.
    """
    bucket, key = _object(uri)
    with _explained(uri, "written"):
        if _store(uri).write_if(bucket, key, data, version):
            return True
    # An answer may be lost on its way, and the client then asks again for what it has done.
    content = find(uri, max_bytes=len(data) + 1)
    return content is not None and content[0] == data


def upload_files(files: Mapping[str, Path], uri: str) -> None:
    """Upload files below a prefix; no object that is there is ever replaced.

    A file is sent piece by piece, each with a checksum that the store verifies; a piece that is cut
    off is sent again. An object appears when it is whole. What an earlier call has uploaded is not
    sent again: a call that failed can be repeated.

    Args:
        files: by their names below the prefix, such as "saved_model/saved_model.pb".
        uri: gs://bucket/folder or s3://bucket/folder.

    Raises:
        WorkError: the store holds an object of this name with other content.
    """
    bucket, prefix = _split(uri)
    store = _store(uri)
    content = {f"{prefix}{name}": (path, hash_file(path)) for name, path in files.items()}
    with _explained(uri, "written"):
        there = {key for key, *_ in store.objects(bucket, prefix)} & set(content)
        _check_content(uri, there, content)
        missing = {key: content[key] for key in content if key not in there}
        store.upload(bucket, missing)
        _check_content(uri, set(missing), content)


def _check_content(uri: str, keys: set[str], content: Mapping[str, tuple[Path, str]]) -> None:
    """Raise `WorkError` unless the objects are those that we uploaded, by size and SHA-256."""
    bucket, _ = _split(uri)
    for key in sorted(keys):
        path, sha256 = content[key]
        stat = _store(uri).stat(bucket, key)
        if stat is None or (stat[0], stat[2]) != (path.stat().st_size, sha256):
            name = f"{canonical(uri).partition('://')[0]}://{bucket}/{key}"
            raise WorkError(
                f"{name} is there already, with other content, and nothing is ever overwritten: "
                f"if nobody else writes to {uri}, remove what is there and run again"
            )


def copy(uri: str, target: str) -> None:
    """Copy an object within its bucket; the store does it, and nothing is sent.

    Args:
        uri: of the object.
        target: its second address; what is there is replaced.

    Raises:
        InputError: there is no such object.
        WorkError: the copy is not the same.
    """
    bucket, key = _object(uri)
    _, copied = _object(target)
    store = _store(uri)
    with _explained(target, "written"):
        stat = store.stat(bucket, key)
        if stat is None:
            raise InputError(f"{uri} cannot be read: there is no such object")
        store.copy(bucket, key, copied)
        made = store.stat(bucket, copied)
        if made is None or (made[0], made[2]) != (stat[0], stat[2]):
            raise WorkError(f"{target} is not the copy of {uri} that was asked for: try again")


def delete(uri: str) -> None:
    """Remove an object, if it is there."""
    bucket, key = _object(uri)
    with _explained(uri, "removed"):
        _store(uri).delete(bucket, key)


def stored_sha256(uri: str) -> str:
    """The SHA-256 that `upload_files` stored with an object; empty without one or the other."""
    bucket, key = _object(uri)
    with _explained(uri):
        stat = _store(uri).stat(bucket, key)
    return stat[2] if stat else ""


def modified(uri: str) -> datetime | None:
    """When an object was stored, in UTC; None where there is none."""
    bucket, key = _object(uri)
    with _explained(uri):
        return _store(uri).modified(bucket, key)


def download(uri: str, path: Path) -> None:
    """Write an object to a file, whole or not at all, without holding it in memory.

    After a cut connection it goes on from there. What `upload_files` stored is checked against its
    SHA-256.

    Raises:
        InputError: there is no such object.
        WorkError: the disk is full.
    """
    bucket, key = _object(uri)
    with _explained(uri):
        stat = _store(uri).stat(bucket, key)
        if stat is None:
            raise InputError(f"{uri} cannot be read: there is no such object")
        with atomic_file(path, what=uri) as new:
            with new.open("wb") as file:
                _store(uri).download(bucket, key, file)
            if stat[2] and stat[2] != hash_file(new):
                raise WorkError(f"{uri} came damaged: its SHA-256 is another than when it was sent")


def _store(uri: str) -> Store:
    return STORES[uri.partition("://")[0]]


@contextmanager
def _explained(place: str, done: str = "read") -> Iterator[None]:
    """Turn the clients' errors into ones that name the place and what to do.

    Args:
        place: what the block works on.
        done: what is done with it, for messages: "read", "written" or "removed".
    """
    try:
        yield
    except (InputError, WorkError):
        raise
    except Exception as error:
        problem = _store(place).problem(error)
        if problem is Failure.NO_CREDENTIALS:
            raise InputError(
                f"{place}: no credentials were found in the environment ({error}): set "
                f"{_store(place).CREDENTIALS}"
            ) from error
        if problem is Failure.DAMAGED:
            raise WorkError(f"{place} came damaged: {error}") from error
        if problem is Failure.UNREACHABLE:
            raise WorkError(f"{place} cannot be reached: {_in_short(error)}") from error
        # A ValueError: a bucket or an endpoint that cannot be one.
        if problem is Failure.REFUSED or isinstance(error, ValueError):
            raise InputError(f"{place} cannot be {done}: {error}") from error
        raise


def _in_short(error: Exception) -> str:
    """What the clients' nested texts are about, where it is that a host does not answer."""
    text = str(error)
    unknown = re.search(r"Failed to resolve '([^']+)'", text)
    host = re.search(r"host='([^']+)', port=(\d+)", text)
    if unknown:
        return f"the name {unknown[1]} is not known"
    return f"no connection to {host[1]}:{host[2]}" if host else text


def _object(uri: str) -> tuple[str, str]:
    """Bucket and key of an object."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not bucket or not key:
        raise InputError(f"{uri} names no object: expected gs://bucket/folder/file or s3://…")
    return bucket, key


def _split(prefix: str) -> tuple[str, str]:
    """Bucket and key prefix, which ends with a slash unless it is empty."""
    bucket, _, key = prefix.partition("://")[2].partition("/")
    if not bucket:
        raise InputError(f"{prefix} names no bucket: expected gs://bucket/folder or s3://…")
    return bucket, f"{key.rstrip('/')}/" if key.strip("/") else ""
