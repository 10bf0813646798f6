"""S3 of AWS, SeaweedFS and MinIO, as `kind.Store` describes it."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from components.common.store.kind import Failure

CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500  # HTTP status
CONNECT_S = 3.0
ATTEMPTS = 5  # at one request
BODY_ATTEMPTS = 3  # at an object whose bytes stop coming; the client retries only its head
CONFLICT_ATTEMPTS = 3  # AWS answers 409 where two writes meet and neither has won yet
THREADS = 4
PART_BYTES = 8 * 1024**2  # each thread holds one
MOST_PARTS = 10_000  # of one upload, by S3's rules
READ_BYTES = 1024**2


@functools.cache
def client() -> Any:
    """boto3's client; credentials and endpoint come from its environment variables."""
    from boto3.session import Session
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    config = Config(retries=retries, connect_timeout=CONNECT_S, max_pool_connections=2 * THREADS)
    return Session().client("s3", config=config)


def folders(bucket: str, prefix: str) -> list[str]:
    pages = client().get_paginator("list_objects_v2")
    return [
        entry["Prefix"]
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        for entry in page.get("CommonPrefixes", ())
    ]


def objects(bucket: str, prefix: str) -> Iterator[tuple[str, int, str, datetime]]:
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            yield entry["Key"], entry["Size"], entry["ETag"].strip('"'), entry["LastModified"]


def find(bucket: str, key: str, most: int) -> tuple[bytes, str] | None:
    from botocore.exceptions import ClientError

    try:
        return _read(most, Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise


def read_range(bucket: str, key: str, start: int, size: int) -> bytes:
    wanted = f"bytes={start}-{start + size - 1}"
    return _read(size, Bucket=bucket, Key=key, Range=wanted)[0]


def _read(most: int, **asked: str) -> tuple[bytes, str]:
    """The first `most` bytes that come, and the version of the object."""
    for attempt in range(1, BODY_ATTEMPTS + 1):
        try:
            answer = client().get_object(**asked)
            # Not `with` the body itself: that gives the bare stream, which checks nothing.
            with closing(answer["Body"]) as body:
                data: bytes = body.read(most)
                if len(data) < most:
                    body.read(1)  # only at the end does the client notice that bytes are missing
                return data, answer.get("ETag", "").strip('"')
        except _cut():
            if attempt == BODY_ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def stat(bucket: str, key: str) -> tuple[int, str, str] | None:
    head = _head(bucket, key)
    if head is None:
        return None
    return head["ContentLength"], head["ETag"].strip('"'), head["Metadata"].get("sha256", "")


def modified(bucket: str, key: str) -> datetime | None:
    head = _head(bucket, key)
    return head["LastModified"] if head else None


def _head(bucket: str, key: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        head: dict[str, Any] = client().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return None
        raise
    return head


def write(bucket: str, key: str, data: bytes) -> None:
    client().put_object(Bucket=bucket, Key=key, Body=data)


def write_if(bucket: str, key: str, data: bytes, version: str | None) -> bool:
    condition = {"IfMatch": f'"{version}"'} if version else {"IfNoneMatch": "*"}
    client().head_bucket(Bucket=bucket)  # SeaweedFS would make one that is not there
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        with _unless_refused() as refused:
            client().put_object(Bucket=bucket, Key=key, Body=data, **condition)
            return True
        if refused != ["ConditionalRequestConflict"] or attempt == CONFLICT_ATTEMPTS:
            return False
    raise AssertionError("unreachable: the last attempt returns")


def upload(bucket: str, files: Mapping[str, tuple[Path, str]]) -> None:
    client().head_bucket(Bucket=bucket)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [
            pool.submit(_upload, bucket, key, path, sha256) for key, (path, sha256) in files.items()
        ]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _upload(bucket: str, key: str, path: Path, sha256: str) -> None:
    size = path.stat().st_size
    about = {"Bucket": bucket, "Key": key}
    with path.open("rb") as file, _unless_refused():
        if size <= PART_BYTES:
            client().put_object(
                **about, Body=file.read(), Metadata={"sha256": sha256}, IfNoneMatch="*"
            )
            return
        started = client().create_multipart_upload(
            **about, Metadata={"sha256": sha256}, ChecksumAlgorithm="CRC32"
        )
        about["UploadId"] = started["UploadId"]
        try:
            parts = list(_parts(file, max(PART_BYTES, -(-size // MOST_PARTS)), about))
            client().complete_multipart_upload(
                **about, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong before is what counts
                client().abort_multipart_upload(**about)
            raise


def _parts(file: IO[bytes], part_bytes: int, about: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Send a file part by part; what a finished upload must say about each."""
    number = 1
    while data := file.read(part_bytes):
        sent = client().upload_part(
            **about, PartNumber=number, Body=data, ChecksumAlgorithm="CRC32"
        )
        yield {
            "PartNumber": number,
            **{name: sent[name] for name in ("ETag", "ChecksumCRC32") if name in sent},
        }
        number += 1


def download(bucket: str, key: str, file: IO[bytes]) -> None:
    failures = 0
    rest: dict[str, str] = {}
    while True:
        before = file.tell()
        try:
            answer = client().get_object(Bucket=bucket, Key=key, **rest)
            version = answer.get("ETag", "")
            with closing(answer["Body"]) as body:
                while data := body.read(READ_BYTES):
                    file.write(data)
            return
        except _cut():
            failures = failures + 1 if file.tell() == before else 0
            if failures == BODY_ATTEMPTS:
                raise
            if file.tell():
                rest = {"Range": f"bytes={file.tell()}-", "IfMatch": version}


def copy(bucket: str, key: str, target: str) -> None:
    # In one call up to 5 GB, which no file of a model comes near.
    client().copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": key})


def delete(bucket: str, key: str) -> None:
    client().delete_object(Bucket=bucket, Key=key)


def endpoint() -> str:
    return str(client().meta.endpoint_url)  # the client knows variables and profiles


def problem(error: Exception) -> Failure | None:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
        ProfileNotFound,
    )

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        in_trouble = status == TOO_MANY_REQUESTS or status >= SERVER_ERROR
        return Failure.UNREACHABLE if in_trouble else Failure.REFUSED
    if isinstance(error, ParamValidationError | ProfileNotFound):
        return Failure.REFUSED
    if isinstance(error, NoCredentialsError):
        return Failure.NO_CREDENTIALS
    return Failure.UNREACHABLE if isinstance(error, BotoCoreError) else None


@contextlib.contextmanager
def _unless_refused() -> Iterator[list[str]]:
    """Yields a list that gets the reason where the store refuses because of a condition."""
    from botocore.exceptions import ClientError

    reasons: list[str] = []
    try:
        yield reasons
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        reasons.append(code)


def _cut() -> tuple[type[Exception], ...]:
    """What a connection that ends too early raises."""
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

    return IncompleteReadError, ReadTimeoutError, ResponseStreamingError
