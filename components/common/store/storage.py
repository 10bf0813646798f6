"""Object storage: listing, reading and writing below gs:// and s3:// prefixes.

Credentials come from the environment alone: Google's application default credentials, and boto3's
variables, profile or role. AWS_ENDPOINT_URL leads to another S3 store (SeaweedFS, MinIO),
STORAGE_EMULATOR_HOST to an emulator of Google's. `minio://` is what Kubeflow Pipelines calls the S3
store of its own: the same as s3://.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.files import atomic_file, hash_file, write_file
from components.common.store import google, s3
from components.common.store.client_errors import explained

SCHEMES = ("gs://", "s3://", "minio://")


@dataclass(frozen=True)
class StoredObject:
    """One object.

    Attributes:
        uri: "gs://bucket/key" or "s3://bucket/key".
        size: in bytes.
        version: changes with the content: the generation (GCS) or the ETag (S3).
    """

    uri: str
    size: int
    version: str


def is_uri(place: str) -> bool:
    """True for gs://, s3:// and minio:// addresses."""
    return place.startswith(SCHEMES)


def canonical(place: str) -> str:
    """The address with the scheme that every program knows: minio:// becomes s3://."""
    return f"s3://{place.removeprefix('minio://')}" if place.startswith("minio://") else place


def list_folders(prefix: str) -> list[str]:
    """Names of the "folders" directly below a prefix, sorted.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    bucket, key = _split(prefix)
    with explained(prefix):
        found = _service(prefix).folders(bucket, key)
    return sorted(name[len(key) :].strip("/") for name in found)


def list_objects(prefix: str) -> Iterator[StoredObject]:
    """All objects below a prefix, sorted by name.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    bucket, key = _split(prefix)
    scheme = canonical(prefix).partition("://")[0]
    with explained(prefix):
        for name, size, version in _service(prefix).objects(bucket, key):
            yield StoredObject(f"{scheme}://{bucket}/{name}", size, version)


def find(uri: str, *, max_bytes: int) -> tuple[bytes, str] | None:
    """The content of one object, and its version as `replace_if` takes it; None without one.

    Raises:
        InputError: the object is larger than `max_bytes`, no such bucket, or no permission.
        WorkError: the store cannot be reached, or the bytes came damaged.
    """
    bucket, key = _object(uri)
    with explained(uri):
        # One byte more than allowed shows that there is more; it is never the whole.
        found: tuple[bytes, str] | None = _service(uri).find(bucket, key, max_bytes + 1)
    if found and len(found[0]) > max_bytes:
        raise InputError(f"{uri} is larger than {max_bytes} bytes")
    return found


def read(uri: str, *, max_bytes: int) -> bytes:
    """The content of one object.

    Raises:
        InputError: there is no such object, it is larger than `max_bytes`, or no permission.
        WorkError: the store cannot be reached, or the bytes came damaged.
    """
    found = find(uri, max_bytes=max_bytes)
    if found is None:
        raise InputError(f"{uri} cannot be read: there is no such object")
    return found[0]


def read_place(place: str, *, max_bytes: int) -> bytes:
    """The content of a file or, for gs:// and s3://, of an object.

    Raises:
        InputError: there is none, or it is larger than `max_bytes`.
        WorkError: the store cannot be reached.
    """
    if is_uri(place):
        return read(place, max_bytes=max_bytes)
    path = Path(place).expanduser()
    if not path.is_file():
        raise InputError(f"there is no file at {place}")
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InputError(f"{place} is larger than {max_bytes} bytes")
    return data


def find_place(place: str, *, max_bytes: int) -> bytes | None:
    """As `read_place`, but None where there is no such file or object."""
    if is_uri(place):
        found = find(place, max_bytes=max_bytes)
        return found[0] if found else None
    if not Path(place).expanduser().is_file():
        return None
    return read_place(place, max_bytes=max_bytes)


def write_place(place: str, data: bytes, *, what: str) -> None:
    """Write a file or, for gs:// and s3://, an object: whole or not at all.

    Args:
        place: where to; what is there is replaced.
        data: the content.
        what: is written, for messages, such as "a checkpoint".

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached, or the disk is full.
    """
    if not is_uri(place):
        write_file(Path(place).expanduser(), data, what=what)
        return
    bucket, key = _object(place)
    with explained(place, "written"):
        _service(place).write(bucket, key, data)


def create(uri: str, data: bytes) -> bool:
    """Write an object where there is none; False where there is one, which stays as it is.

    Of two processes that do so at once, one gets True: the store decides (`ifGenerationMatch=0` on
    Google's, `If-None-Match: *` on S3; AWS, SeaweedFS and MinIO honour it).

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    return _write_if(uri, data, None)


def replace_if(uri: str, data: bytes, version: str) -> bool:
    """Write an object where it still is what `find` read; False where it is another by now.

    As in `create`, the store decides (`ifGenerationMatch`, `If-Match`).

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    return _write_if(uri, data, version)


def _write_if(uri: str, data: bytes, version: str | None) -> bool:
    bucket, key = _object(uri)
    with explained(uri, "written"):
        done: bool = _service(uri).write_if(bucket, key, data, version)
    if done:
        return True
    # An answer may be lost on its way, and the client then asks again for what it has done.
    found = find(uri, max_bytes=len(data) + 1)
    return found is not None and found[0] == data


def upload_folder(folder: Path, uri: str) -> None:
    """Upload the files of a folder, as `upload_files` does."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    upload_files({path.relative_to(folder).as_posix(): path for path in paths}, uri)


def upload_files(files: Mapping[str, Path], uri: str) -> None:
    """Upload files below a prefix; no object that is there is ever replaced.

    A file is sent piece by piece, each with a checksum that the store verifies; a piece that is cut
    off is sent again. An object appears when it is whole. What an earlier call has uploaded is not
    sent again: a call that failed can be repeated.

    Args:
        files: by their names below the prefix, such as "saved_model/saved_model.pb".
        uri: gs://bucket/folder or s3://bucket/folder.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached, or holds an object of this name with other content.
    """
    bucket, prefix = _split(uri)
    service = _service(uri)
    content = {f"{prefix}{name}": (path, hash_file(path)) for name, path in files.items()}
    with explained(uri, "written"):
        there = {key for key, _, _ in service.objects(bucket, prefix)} & set(content)
        _check_content(uri, there, content)
        missing = {key: content[key] for key in content if key not in there}
        service.upload(bucket, missing)
        _check_content(uri, set(missing), content)


def _check_content(uri: str, keys: set[str], content: Mapping[str, tuple[Path, str]]) -> None:
    """Raise `WorkError` unless the objects are those that we uploaded, by size and SHA-256."""
    bucket, _ = _split(uri)
    for key in sorted(keys):
        path, sha256 = content[key]
        found = _service(uri).stat(bucket, key)
        if found is None or (found[0], found[2]) != (path.stat().st_size, sha256):
            name = f"{canonical(uri).partition('://')[0]}://{bucket}/{key}"
            raise WorkError(
                f"{name} is there already, with other content, and nothing is ever overwritten: "
                f"if nobody else writes to {uri}, remove what is there and run again"
            )


def download(uri: str, path: Path) -> None:
    """Write an object to a file, whole or not at all, without holding it in memory.

    After a cut connection it goes on from there. What `upload_files` stored is checked against its
    SHA-256.

    Raises:
        InputError: no such object, or no permission.
        WorkError: the store cannot be reached, the bytes came damaged, or the disk is full.
    """
    bucket, key = _object(uri)
    with explained(uri):
        found = _service(uri).stat(bucket, key)
        if found is None:
            raise InputError(f"{uri} cannot be read: there is no such object")
        with atomic_file(path, what=uri) as new:
            with new.open("wb") as file:
                _service(uri).download(bucket, key, file)
            if found[2] and found[2] != hash_file(new):
                raise WorkError(f"{uri} came damaged: its SHA-256 is another than when it was sent")


def download_folder(uri: str, folder: Path) -> None:
    """Download all objects below a prefix into a folder, as `download` does.

    Raises:
        InputError: there are none, a name that leads out of the folder, or no permission.
        WorkError: the store cannot be reached, the bytes came damaged, or the disk is full.
    """
    _, prefix = _split(uri)
    empty = True
    for entry in list_objects(uri):
        name = entry.uri.split("/", 3)[3][len(prefix) :]
        if name.endswith("/"):  # how some tools show an empty folder
            continue
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise InputError(f"{entry.uri} is refused: its name leads out of the folder")
        download(entry.uri, folder / name)
        empty = False
    if empty:
        raise InputError(f"there is nothing at {uri}")


def _service(uri: str) -> Any:
    """The module that speaks to the store of an address."""
    return google if uri.startswith("gs://") else s3


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
