"""Google's object storage, as `kind.Store` describes it."""

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from components.common.store.kind import Failure

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
ENDPOINT = "https://storage.googleapis.com"
CONNECT_S = 3.0
READ_S = 60.0
RETRY_S = 15.0  # of one call; Google's client would try for two minutes
TRANSFER_RETRY_S = 60.0  # of one piece of a file: one attempt alone may take a while
THREADS = 4
PIECE_BYTES = 8 * 1024**2  # of a resumable upload; each thread holds one


@functools.cache
def client() -> Any:
    """Google's client; without credentials one that reads public buckets."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client(project=None)  # reading needs none, and credentials may name none
    except DefaultCredentialsError:
        if CREDENTIALS in os.environ:  # named, but of no use: to be told
            raise
        return storage.Client.create_anonymous_client()


def folders(bucket: str, prefix: str) -> list[str]:
    listing = client().list_blobs(bucket, prefix=prefix, delimiter="/", **_patience())
    for _ in listing:  # the prefixes are known when all pages were read
        pass
    return list(listing.prefixes)


def objects(bucket: str, prefix: str) -> Iterator[tuple[str, int, str, datetime]]:
    for blob in client().list_blobs(bucket, prefix=prefix, **_patience()):
        yield blob.name, blob.size, str(blob.generation), blob.updated


def find(bucket: str, key: str, most: int) -> tuple[bytes, str] | None:
    from google.api_core.exceptions import NotFound, RequestRangeNotSatisfiable

    blob = client().bucket(bucket).blob(key)
    try:
        data: bytes = blob.download_as_bytes(end=most - 1, **_patience())
    except RequestRangeNotSatisfiable:  # an empty object has no first byte
        blob.reload(**_patience())
        data = b""
    except NotFound:
        _check_bucket(bucket)
        return None
    return data, str(blob.generation)


def read_range(bucket: str, key: str, start: int, size: int) -> bytes:
    blob = client().bucket(bucket).blob(key)
    data: bytes = blob.download_as_bytes(start=start, end=start + size - 1, **_patience())
    return data


def stat(bucket: str, key: str) -> tuple[int, str, str] | None:
    blob = client().bucket(bucket).get_blob(key, **_patience())
    if blob is None:
        return None
    return blob.size, str(blob.generation), (blob.metadata or {}).get("sha256", "")


def write(bucket: str, key: str, data: bytes) -> None:
    blob = client().bucket(bucket).blob(key)
    blob.upload_from_string(data, checksum="crc32c", **_patience(TRANSFER_RETRY_S))


def write_if(bucket: str, key: str, data: bytes, version: str | None) -> bool:
    from google.api_core.exceptions import PreconditionFailed

    blob = client().bucket(bucket).blob(key)
    try:
        blob.upload_from_string(
            data,
            checksum="crc32c",
            if_generation_match=int(version) if version else 0,
            **_patience(),
        )
    except PreconditionFailed:
        return False
    return True


def upload(bucket: str, files: Mapping[str, tuple[Path, str]]) -> None:
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.storage import transfer_manager

    pairs = []
    for key, (path, sha256) in files.items():
        blob = client().bucket(bucket).blob(key, chunk_size=PIECE_BYTES)
        if path.stat().st_size <= PIECE_BYTES:
            blob.chunk_size = None  # in one request
        blob.metadata = {"sha256": sha256}
        pairs.append((str(path), blob))
    results = transfer_manager.upload_many(
        pairs,
        skip_if_exists=True,
        upload_kwargs={"checksum": "crc32c", **_patience(TRANSFER_RETRY_S)},
        worker_type=transfer_manager.THREAD,  # processes would have no client of their own
        max_workers=THREADS,
    )
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, PreconditionFailed):
            raise result


def download(bucket: str, key: str, file: IO[bytes]) -> None:
    blob = client().bucket(bucket).blob(key)
    blob.download_to_file(file, checksum="crc32c", **_patience(TRANSFER_RETRY_S))


def copy(bucket: str, key: str, target: str) -> None:
    there = client().bucket(bucket)
    there.copy_blob(there.blob(key), there, new_name=target, **_patience(TRANSFER_RETRY_S))


def delete(bucket: str, key: str) -> None:
    from google.api_core.exceptions import NotFound

    with contextlib.suppress(NotFound):
        client().bucket(bucket).blob(key).delete(**_patience())


def modified(bucket: str, key: str) -> datetime | None:
    blob = client().bucket(bucket).get_blob(key, **_patience())
    return blob.updated if blob else None


def endpoint() -> str:
    return os.environ.get("STORAGE_EMULATOR_HOST") or ENDPOINT


def problem(error: Exception) -> Failure | None:
    from google.api_core.exceptions import ClientError, GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption
    from requests.exceptions import RequestException

    if isinstance(error, ClientError):
        return Failure.REFUSED
    if isinstance(error, GoogleAuthError):
        return Failure.NO_CREDENTIALS
    if isinstance(error, DataCorruption):
        return Failure.DAMAGED
    return Failure.UNREACHABLE if isinstance(error, GoogleAPIError | RequestException) else None


def _check_bucket(bucket: str) -> None:
    """Raise the client's NotFound where there is no such bucket."""
    # Asking for the bucket itself needs a right that those who may use it seldom have.
    next(iter(client().list_blobs(bucket, max_results=1, **_patience())), None)


def _patience(retry_s: float | None = None) -> dict[str, Any]:
    """How long a call may take."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_timeout(retry_s or RETRY_S)
    return {"timeout": (CONNECT_S, READ_S), "retry": retry}
