"""Object storage: listing, reading and writing below gs:// and s3:// prefixes.

Credentials come from the environment alone: Google's application default credentials, and boto3's
variables, profile or role. AWS_ENDPOINT_URL leads to another S3 store (SeaweedFS, MinIO),
STORAGE_EMULATOR_HOST to an emulator of Google's.
"""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.errors import InputError, WorkError
from components.common.files import write_file

SCHEMES = ("gs://", "s3://")
CONNECT_S = 3.0
READ_S = 60.0
BODY_ATTEMPTS = 3  # at an S3 object whose bytes stop coming; the client retries only its head
RETRY_S = 15.0  # of one call; Google's client would try for two minutes
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500  # HTTP status


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
    """True for gs:// and s3:// addresses."""
    return place.startswith(SCHEMES)


def list_folders(prefix: str) -> list[str]:
    """Names of the "folders" directly below a prefix, sorted.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    bucket, key = _split(prefix)
    with _explained(prefix):
        if prefix.startswith("gs://"):
            listing = _gcs().list_blobs(bucket, prefix=key, delimiter="/", **_patience())
            for _ in listing:  # the prefixes are known when all pages were read
                pass
            found = list(listing.prefixes)
        else:
            pages = _s3().get_paginator("list_objects_v2")
            found = [
                entry["Prefix"]
                for page in pages.paginate(Bucket=bucket, Prefix=key, Delimiter="/")
                for entry in page.get("CommonPrefixes", ())
            ]
    return sorted(name[len(key) :].strip("/") for name in found)


def list_objects(prefix: str) -> Iterator[StoredObject]:
    """All objects below a prefix, sorted by name.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    bucket, key = _split(prefix)
    with _explained(prefix):
        if prefix.startswith("gs://"):
            for blob in _gcs().list_blobs(bucket, prefix=key, **_patience()):
                yield StoredObject(f"gs://{bucket}/{blob.name}", blob.size, str(blob.generation))
        else:
            for page in _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
                for entry in page.get("Contents", ()):
                    uri = f"s3://{bucket}/{entry['Key']}"
                    yield StoredObject(uri, entry["Size"], entry["ETag"].strip('"'))


def read(uri: str, *, max_bytes: int) -> bytes:
    """The content of one object.

    Raises:
        InputError: there is no such object, it is larger than `max_bytes`, or no permission.
        WorkError: the store cannot be reached.
    """
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not bucket or not key:
        raise InputError(f"{uri} names no object: expected gs://bucket/folder/file or s3://…")
    with _explained(uri):
        if uri.startswith("gs://"):
            # One byte more than allowed shows that there is more; it is never the whole.
            blob = _gcs().bucket(bucket).blob(key)
            data = _download(blob, max_bytes)
        else:
            data = _s3_object(bucket, key, max_bytes + 1)
    if len(data) > max_bytes:
        raise InputError(f"{uri} is larger than {max_bytes} bytes")
    return data


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
        folder = place.rpartition("/")[0]
        if all(entry.uri != place for entry in list_objects(folder)):
            return None
    elif not Path(place).expanduser().is_file():
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
    bucket, _, key = place.partition("://")[2].partition("/")
    if not bucket or not key:
        raise InputError(f"{place} names no object: expected gs://bucket/folder/file or s3://…")
    with _explained(place, "written"):
        if place.startswith("gs://"):
            _gcs().bucket(bucket).blob(key).upload_from_string(data, **_patience())
        else:
            _s3().put_object(Bucket=bucket, Key=key, Body=data)


def _download(blob: Any, last: int) -> bytes:
    """The bytes of a Google object up to and with the one at `last`."""
    from google.api_core.exceptions import RequestRangeNotSatisfiable
    from google.cloud.storage.exceptions import DataCorruption

    try:
        data: bytes = blob.download_as_bytes(end=last, **_patience())
    except RequestRangeNotSatisfiable:  # an empty object has no first byte
        return b""
    except DataCorruption as error:
        raise WorkError(f"gs://{blob.bucket.name}/{blob.name} came damaged: {error}") from error
    return data


def _s3_object(bucket: str, key: str, most: int) -> bytes:
    """The first `most` bytes of an S3 object."""
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

    for attempt in range(1, BODY_ATTEMPTS + 1):
        try:
            # Not `with` the body itself: that gives the bare stream, which checks nothing.
            with closing(_s3().get_object(Bucket=bucket, Key=key)["Body"]) as body:
                data: bytes = body.read(most)
                if len(data) < most:
                    body.read(1)  # only at the end does the client notice that bytes are missing
                return data
        except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
            if attempt == BODY_ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _patience() -> dict[str, Any]:
    """How long a call to Google's store may take."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": (CONNECT_S, READ_S), "retry": DEFAULT_RETRY.with_timeout(RETRY_S)}


def _split(prefix: str) -> tuple[str, str]:
    """Bucket and key prefix, which ends with a slash unless it is empty."""
    bucket, _, key = prefix.partition("://")[2].partition("/")
    if not bucket:
        raise InputError(f"{prefix} names no bucket: expected gs://bucket/folder or s3://…")
    return bucket, f"{key.rstrip('/')}/" if key.strip("/") else ""


@functools.cache
def _gcs() -> Any:
    """Google's client; without credentials one that reads public buckets."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client(project=None)  # reading needs none, and credentials may name none
    except DefaultCredentialsError:
        if "GOOGLE_APPLICATION_CREDENTIALS" in os.environ:  # named, but of no use: to be told
            raise
        return storage.Client.create_anonymous_client()


@functools.cache
def _s3() -> Any:
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": 5}
    return boto3.client("s3", config=Config(retries=retries, connect_timeout=CONNECT_S))


@contextmanager
def _explained(place: str, done: str = "read") -> Iterator[None]:
    """Turn the clients' errors into ones that name the place and what to do."""
    import requests.exceptions
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
        ProfileNotFound,
    )
    from google.api_core.exceptions import ClientError as GoogleClientError
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == TOO_MANY_REQUESTS or status >= SERVER_ERROR:
            raise WorkError(f"{place} cannot be reached: {error}") from error
        raise InputError(f"{place} cannot be {done}: {error}") from error
    except (GoogleClientError, ParamValidationError, ProfileNotFound) as error:
        raise InputError(f"{place} cannot be {done}: {error}") from error
    except (NoCredentialsError, GoogleAuthError) as error:
        raise InputError(
            f"{place}: no credentials were found in the environment ({error}): set "
            "GOOGLE_APPLICATION_CREDENTIALS, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from error
    except (GoogleAPIError, BotoCoreError, requests.exceptions.RequestException) as error:
        raise WorkError(f"{place} cannot be reached: {_in_short(error)}") from error
    except ValueError as error:  # a bucket or an endpoint that cannot be one
        raise InputError(f"{place} cannot be {done}: {error}") from error


def _in_short(error: Exception) -> str:
    """What the clients' nested texts are about, where it is that a host does not answer."""
    text = str(error)
    unknown = re.search(r"Failed to resolve '([^']+)'", text)
    host = re.search(r"host='([^']+)', port=(\d+)", text)
    if unknown:
        return f"the name {unknown[1]} is not known"
    return f"no connection to {host[1]}:{host[2]}" if host else text
