"""Listing and reading object storage: the same for both kinds, on real servers."""

import time
from collections.abc import Iterator

import pytest
from object_stores import S3_VARIABLES, Store, google_emulator, seaweedfs, using

from components.common import storage
from components.common.errors import InputError, WorkError


@pytest.fixture(scope="module", params=["gs", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    run = google_emulator if request.param == "gs" else seaweedfs
    with run(tmp_path_factory.mktemp(request.param)) as made:
        yield made


def test_folders_and_objects_are_listed_in_order(store: Store) -> None:
    for key in ("listed/b/2.jpg", "listed/b/1.jpg", "listed/a/x y é.jpg", "listed/top.jpg"):
        store.put(key, key.encode())
    for prefix in (f"{store.prefix}/listed", f"{store.prefix}/listed/"):
        assert storage.list_folders(prefix) == ["a", "b"]
        found = list(storage.list_objects(prefix))
        names = ["a/x y é.jpg", "b/1.jpg", "b/2.jpg", "top.jpg"]
        assert [entry.uri for entry in found] == [f"{store.prefix}/listed/{n}" for n in names]
        assert [entry.size for entry in found] == [len(f"listed/{n}".encode()) for n in names]
    assert storage.read(found[0].uri, max_bytes=100) == "listed/a/x y é.jpg".encode()


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
    assert storage.read(f"{store.prefix}/limits/1.jpg", max_bytes=10) == b"0123456789"
    with pytest.raises(InputError, match=r"limits/1.jpg is larger than 9 bytes"):
        storage.read(f"{store.prefix}/limits/1.jpg", max_bytes=9)


def test_empty_object_is_empty(store: Store) -> None:
    store.put("empty/1.jpg", b"")
    assert storage.read(f"{store.prefix}/empty/1.jpg", max_bytes=9) == b""


def test_more_objects_than_a_page(store: Store) -> None:
    for number in range(1005):
        store.put(f"many/{number:04}", b"x")
    assert len(list(storage.list_objects(f"{store.prefix}/many"))) == 1005


def test_what_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(InputError, match=r"photos/none/1.jpg cannot be read"):
        storage.read(f"{store.prefix}/none/1.jpg", max_bytes=9)
    missing = store.prefix.replace("photos", "no-such-bucket")
    with pytest.raises(InputError, match="no-such-bucket"):
        list(storage.list_objects(missing))
    with pytest.raises(InputError, match="no-such-bucket"):
        storage.list_folders(missing)
    assert list(storage.list_objects(f"{store.prefix}/none")) == []


@pytest.mark.parametrize("store", ["s3"], indirect=True)  # Google's emulator takes anyone
def test_wrong_secret_is_refused(store: Store) -> None:
    wrong = {**store.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    with using(wrong), pytest.raises(InputError, match=r"s3://photos/x"):
        storage.read("s3://photos/x", max_bytes=9)


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
def test_store_that_cannot_be_reached_is_failed_work(uri: str, environment: dict[str, str]) -> None:
    started = time.monotonic()
    with using(environment), pytest.raises(WorkError, match=f"{uri} cannot be reached"):
        storage.read(uri, max_bytes=9)
    assert time.monotonic() - started < 60  # Google's client alone would try for two minutes
