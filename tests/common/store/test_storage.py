"""Listing and reading object storage: the same for both kinds, on real servers."""

import contextlib
import hashlib
import json
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import run_captured
from object_stores import S3_VARIABLES, Store, using
from photo_server import Answer, serve

from components.common.base.errors import InputError, WorkError
from components.common.dataset import decisions, ledger
from components.common.store import google, s3, storage

MB = 1024**2


def test_folders_and_objects_are_listed_in_order(store: Store) -> None:
    for key in ("listed/b/2.jpg", "listed/b/1.jpg", "listed/a/x y é.jpg", "listed/top.jpg"):
        store.put(key, key.encode())
    for prefix in (f"{store.prefix}/listed", f"{store.prefix}/listed/"):
        assert storage.list_folders(prefix) == ["a", "b"]
        found = list(storage.list_objects(prefix))
        names = ["a/x y é.jpg", "b/1.jpg", "b/2.jpg", "top.jpg"]
        assert [entry.uri for entry in found] == [f"{store.prefix}/listed/{n}" for n in names]
        assert [entry.size for entry in found] == [len(f"listed/{n}".encode()) for n in names]
    assert storage.read_place(found[0].uri, max_bytes=100) == "listed/a/x y é.jpg".encode()


def test_prefix_is_a_folder_not_the_beginning_of_a_name(store: Store) -> None:
    store.put("flower/1.jpg", b"1")
    store.put("flowers/2.jpg", b"2")
    assert [entry.size for entry in storage.list_objects(f"{store.prefix}/flower")] == [1]


def test_version_changes_with_the_content(store: Store) -> None:
    store.put("versions/1.jpg", b"old")
    (old,) = storage.list_objects(f"{store.prefix}/versions")
    store.put("versions/1.jpg", b"new")
    (new,) = storage.list_objects(f"{store.prefix}/versions")
    assert old.version != new.version


def test_object_is_read_up_to_a_limit(store: Store) -> None:
    store.put("limits/1.jpg", b"0123456789")
    assert storage.read_place(f"{store.prefix}/limits/1.jpg", max_bytes=10) == b"0123456789"
    with pytest.raises(InputError, match=r"limits/1.jpg is larger than 9 bytes"):
        storage.read_place(f"{store.prefix}/limits/1.jpg", max_bytes=9)


def test_store_copies_an_object_with_its_hash_and_removes_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"one")
    place = f"{store.prefix}/copied"
    storage.upload_files({"a é/one": tmp_path / "one"}, place)
    storage.copy(f"{place}/a é/one", f"{place}/b/two")
    assert storage.read_place(f"{place}/b/two", max_bytes=9) == b"one"
    expected = hashlib.sha256(b"one").hexdigest()
    assert storage.stored_sha256(f"{place}/b/two") == expected
    stored = storage.modified(f"{place}/b/two")
    assert stored
    assert abs(datetime.now(UTC) - stored) < timedelta(minutes=5)
    for _ in range(2):  # what is gone may be removed again
        storage.delete(f"{place}/a é/one")
    # Not by folders: SeaweedFS goes on listing one that is empty.
    assert [one.uri for one in storage.list_objects(place)] == [f"{place}/b/two"]
    assert storage.modified(f"{place}/a é/one") is None
    assert storage.stored_sha256(f"{place}/a é/one") == ""
    with pytest.raises(InputError, match="there is no such object"):
        storage.copy(f"{place}/a é/one", f"{place}/c")


def test_empty_object_is_empty(store: Store) -> None:
    store.put("empty/1.jpg", b"")
    assert storage.read_place(f"{store.prefix}/empty/1.jpg", max_bytes=9) == b""


def test_objects_are_written_and_replaced(store: Store) -> None:
    place = f"{store.prefix}/written/folder/é.npz"
    assert storage.find_place(place, max_bytes=100) is None
    storage.write_place(place, b"first", what="a checkpoint")
    storage.write_place(place, b"the second", what="a checkpoint")
    assert storage.find_place(place, max_bytes=100) == b"the second"
    with pytest.raises(InputError, match="larger than 9 bytes"):
        storage.find_place(place, max_bytes=9)
    assert storage.find_place(f"{store.prefix}/written/folder/é", max_bytes=100) is None


@pytest.mark.parametrize("store", ["gs"], indirect=True)  # SeaweedFS makes the bucket
def test_what_cannot_be_written_is_named(store: Store) -> None:
    missing = store.prefix.replace("photos", "no-such-bucket")
    with pytest.raises(InputError, match=r"no-such-bucket/x cannot be written"):
        storage.write_place(f"{missing}/x", b"1", what="a checkpoint")
    with pytest.raises(InputError, match="names no object"):
        storage.write_place(store.prefix, b"1", what="a checkpoint")


def test_files_are_written_like_objects(tmp_path: Path) -> None:
    place = str(tmp_path / "new" / "checkpoint.npz")
    assert storage.find_place(place, max_bytes=9) is None
    storage.write_place(place, b"1", what="a checkpoint")
    assert storage.find_place(place, max_bytes=9) == b"1"


def test_ledger_and_decisions_are_read_from_the_store(store: Store, tmp_path: Path) -> None:
    ledger.write([("daisy", "a" * 40, "test")], tmp_path / "split.parquet")
    store.put("run/ledger/split.parquet", (tmp_path / "split.parquet").read_bytes())
    for place in ("run/ledger", "run/ledger/", "run/ledger/split.parquet"):
        assert ledger.read(f"{store.prefix}/{place}") == {("daisy", "a" * 40): "test"}
    content = {"format": decisions.FORMAT, "format_version": "1", "decisions": []}
    store.put("run/decisions.json", json.dumps(content).encode())
    assert decisions.read(f"{store.prefix}/run/decisions.json").decided == {}
    with pytest.raises(InputError, match=r"none\.json"):
        decisions.read(f"{store.prefix}/run/none.json")


def test_more_objects_than_a_page(store: Store) -> None:
    for number in range(1005):
        store.put(f"many/{number:04}", b"x")
    assert len(list(storage.list_objects(f"{store.prefix}/many"))) == 1005


def test_what_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(InputError, match=r"photos/none/1.jpg cannot be read"):
        storage.read_place(f"{store.prefix}/none/1.jpg", max_bytes=9)
    missing = store.prefix.replace("photos", "no-such-bucket")
    with pytest.raises(InputError, match="no-such-bucket"):
        list(storage.list_objects(missing))
    with pytest.raises(InputError, match="no-such-bucket"):
        storage.list_folders(missing)
    assert list(storage.list_objects(f"{store.prefix}/none")) == []


@pytest.mark.parametrize("store", ["s3"], indirect=True)  # Google's emulator takes anyone
def test_wrong_secret_is_refused(store: Store) -> None:
    wrong = {**store.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    with using(wrong), pytest.raises(InputError, match=r"s3://photos/x .*SignatureDoesNotMatch"):
        storage.read_place("s3://photos/x", max_bytes=9)


@pytest.mark.parametrize("prefix", ["gs://", "s3://", "gs:///folder"])
def test_prefix_without_a_bucket_is_refused(prefix: str) -> None:
    with pytest.raises(InputError, match="names no bucket"):
        list(storage.list_objects(prefix))


@pytest.mark.parametrize(
    ("uri", "environment"),
    [
        ("gs://photos/x", {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}),
        ("s3://photos/x", {**S3_VARIABLES, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}),
    ],
)
def test_store_that_cannot_be_reached_is_failed_work(
    uri: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google, "RETRY_S", 2.0)
    started = time.monotonic()
    with using(environment), pytest.raises(WorkError) as caught:
        storage.read_place(uri, max_bytes=9)
    assert str(caught.value).startswith(f"{uri} cannot be reached: ")
    assert "HTTPConnectionPool" not in str(caught.value)  # a client's innards tell nobody anything
    assert time.monotonic() - started < 10  # Google's client alone would try for two minutes


def test_any_name_is_listed_and_read_as_it_is(store: Store) -> None:
    names = [
        "a b.jpg",
        "50%2F.jpg",
        "a+b&c=d.jpg",
        "what?.jpg",
        "a#b.jpg",
        "蘑菇.jpg",
        "e\u0301.jpg",
    ]
    for name in names:
        store.put(f"names/{name}", name.encode())
    found = [entry.uri for entry in storage.list_objects(f"{store.prefix}/names")]
    assert sorted(found) == sorted(f"{store.prefix}/names/{name}" for name in names)
    for uri in found:
        assert storage.read_place(uri, max_bytes=99) == uri.rpartition("/")[2].encode()


S3 = {**S3_VARIABLES, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
GOOGLE = {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("uri", "environment", "message"),
    [
        ("gs://photos", GOOGLE, "gs://photos names no object"),
        ("s3://photos/", S3, "s3://photos/ names no object"),
        ("s3:///x", S3, "s3:///x names no object"),
        ("gs://_x/y", GOOGLE, "gs://_x/y cannot be read: Bucket names must"),
        ("s3://a b/y", S3, "s3://a b/y cannot be read: .*Invalid bucket name"),
        ("s3://b/y", {**S3, "AWS_ENDPOINT_URL": "127.0.0.1:8333"}, "s3://b/y .*Invalid endpoint"),
        ("s3://b/y", {**S3, "AWS_PROFILE": "none"}, r"s3://b/y .*profile \(none\)"),
        ("gs://b/y", {"GOOGLE_APPLICATION_CREDENTIALS": "/none.json"}, "/none.json was not found"),
    ],
)
def test_wrong_name_or_setting_is_wrong_usage(
    uri: str, environment: dict[str, str], message: str
) -> None:
    with using(environment), pytest.raises(InputError, match=f"(?s){message}"):
        storage.read_place(uri, max_bytes=9)


def test_google_credentials_count_also_without_a_project(tmp_path: Path) -> None:
    content = {"type": "authorized_user", "client_id": "a", "client_secret": "b"}
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({**content, "refresh_token": "c"}))
    with using({"GOOGLE_APPLICATION_CREDENTIALS": str(path)}):
        assert google.client()._credentials.refresh_token == "c"


@pytest.fixture
def mute_host() -> Iterator[str]:
    """A host that never takes a connection: its queue is full."""
    with socket.socket() as host, contextlib.ExitStack() as stack:
        host.bind(("127.0.0.1", 0))
        host.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(host.getsockname())
        yield f"http://127.0.0.1:{host.getsockname()[1]}"


@pytest.mark.parametrize(
    ("uri", "variable"),
    [("gs://photos/x", "STORAGE_EMULATOR_HOST"), ("s3://photos/x", "AWS_ENDPOINT_URL")],
)
def test_host_that_does_not_answer_is_not_waited_for(
    uri: str, variable: str, mute_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in (google, s3):
        monkeypatch.setattr(client, "CONNECT_S", 0.2)
    monkeypatch.setattr(google, "RETRY_S", 1.0)
    started = time.monotonic()
    environment = {**S3_VARIABLES, variable: mute_host}
    with using(environment), pytest.raises(WorkError) as caught:
        storage.read_place(uri, max_bytes=9)
    assert str(caught.value).startswith(f"{uri} cannot be reached: ")
    assert "HTTPConnectionPool" not in str(caught.value)  # a client's innards tell nobody anything
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("scheme", ["gs", "s3"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=503),
        Answer(reset=True),
        Answer(b"x" * 1000, cut_at=10),  # must not pass for the whole
    ],
)
def test_store_that_fails_is_failed_work(
    scheme: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Google's client waits up to a second before it asks again, if time for that is left.
    monkeypatch.setattr(google, "RETRY_S", 4.0)
    with serve(lambda *_: answer) as server, using(at(server.address)):
        with pytest.raises(WorkError, match=f"{scheme}://photos/x cannot be reached"):
            storage.read_place(f"{scheme}://photos/x", max_bytes=5000)
        assert len(server.requests) > 1


def test_object_whose_bytes_stop_coming_is_asked_for_again() -> None:
    whole = b"x" * 1000
    with (
        serve(lambda _, count: Answer(whole, cut_at=10 if count < 3 else None)) as server,
        using(at(server.address)),
    ):
        assert storage.read_place("s3://photos/x", max_bytes=1000) == whole


def test_google_object_that_came_damaged_is_failed_work() -> None:
    damaged = Answer(b"abc", headers={"X-Goog-Hash": "crc32c=AAAAAA=="})
    with (
        serve(lambda *_: damaged) as server,
        using(at(server.address)),
        pytest.raises(WorkError, match="gs://photos/x came damaged"),
    ):
        storage.read_place("gs://photos/x", max_bytes=9)


def at(address: str) -> dict[str, str]:
    """What leads both clients to one address."""
    return {**S3_VARIABLES, "AWS_ENDPOINT_URL": address, "STORAGE_EMULATOR_HOST": address}


@pytest.mark.parametrize(
    ("store", "size"),
    [
        # The emulator of Google's copies all that it has with each piece: a gigabyte takes minutes.
        ("gs", 96 * MB),
        ("s3", 256 * MB),
        pytest.param("s3", 1024 * MB, marks=pytest.mark.long),
    ],
    indirect=["store"],
)
def test_large_object_goes_through_flat_memory(store: Store, size: int, tmp_path: Path) -> None:
    code = (
        "import json, re, sys; from pathlib import Path\n"
        "from components.common.store import storage\n"
        "folder, place = Path(sys.argv[1]), sys.argv[2]\n"
        # Not getrusage: that one begins at the size of the process that started this one.
        "status = Path('/proc/self/status')\n"
        "def peak(): return int(re.search(r'VmHWM:\\s+(\\d+) kB', status.read_text())[1]) * 1024\n"
        "storage.upload_files({'small': folder / 'small'}, place)\n"
        "peaks = [peak()]; storage.upload_files({'huge': folder / 'huge'}, place)\n"
        "peaks.append(peak()); storage.download(f'{place}/huge', folder / 'back')\n"
        "peaks.append(peak()); print(json.dumps(peaks))\n"
    )
    (tmp_path / "small").write_bytes(b"1")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(size)
    command = (sys.executable, "-c", code, str(tmp_path), f"{store.prefix}/flat")
    done = run_captured(*command, timeout_s=300)
    assert done.returncode == 0, done.stderr
    before, sent, received = json.loads(done.stdout)
    assert (tmp_path / "back").stat().st_size == size
    for name in ("huge", "back"):
        (tmp_path / name).unlink()
    store.delete("flat/huge")
    assert sent - before < 64 * MB
    assert received - before < 64 * MB
