"""Whole files to and from object storage, on real servers: checked, resumed, never in memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gate import Gate, open_gate
from object_stores import Store, download_folder, google_emulator, seaweedfs_bucket, upload_folder

from components.common.base.errors import InputError, WorkError
from components.common.store import google, s3, storage

MB = 1024**2
BIG_BYTES = 30 * MB  # in several pieces


@dataclass(frozen=True)
class Gated:
    """A store and the gate that leads to it."""

    store: Store
    gate: Gate


@pytest.fixture(scope="module", params=["gs", "s3"])
def _gated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gated]:
    with open_gate() as gate:
        if request.param == "gs":
            run = google_emulator(tmp_path_factory.mktemp("gs"), gate)
        else:
            run = seaweedfs_bucket(request.getfixturevalue("s3_port"), gate)
        with run as store:
            yield Gated(store, gate)


@pytest.fixture
def gated(_gated: Gated) -> Gated:
    """The store of this file, with an open gate."""
    _gated.gate.reset()
    return _gated


@pytest.fixture
def place(gated: Gated, request: pytest.FixtureRequest) -> str:
    """A prefix of the test's own."""
    return f"{gated.store.prefix}/{request.node.name.partition('[')[0]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of all sizes, in folders, one with a name that must be quoted."""
    files = {"empty": 0, "a/small é #1.txt": 100, "a/b/piece": 8 * MB, "big": BIG_BYTES + 1}
    for name, size in files.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return tmp_path / "folder"


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def big_file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "big").write_bytes(os.urandom(BIG_BYTES))
    return folder


def test_folder_comes_back_as_it_went(place: str, folder: Path, tmp_path: Path) -> None:
    upload_folder(folder, place)
    download_folder(place, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(folder)


def test_what_is_there_is_not_sent_again(gated: Gated, place: str, folder: Path) -> None:
    upload_folder(folder, place)
    before = list(storage.list_objects(place))
    gated.gate.reset()
    upload_folder(folder, place)
    assert gated.gate.passed < MB
    assert list(storage.list_objects(place)) == before


def test_object_with_other_content_is_never_replaced(place: str, folder: Path) -> None:
    storage.write_place(f"{place}/big", b"somebody else's", what="a file")
    with pytest.raises(WorkError, match="/big is there already, with other content"):
        upload_folder(folder, place)
    assert storage.read_place(f"{place}/big", max_bytes=99) == b"somebody else's"


def test_object_that_appears_while_we_upload_is_never_replaced(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").write_bytes(b"ours")
    for service in (google, s3):
        monkeypatch.setattr(service, "objects", lambda *_: iter(()))  # looked before it was there
    storage.write_place(f"{place}/one", b"theirs", what="a file")
    with pytest.raises(WorkError, match="/one is there already, with other content"):
        storage.upload_files({"one": tmp_path / "one"}, place)
    assert storage.read_place(f"{place}/one", max_bytes=99) == b"theirs"


@pytest.mark.parametrize("_gated", ["s3"], indirect=True)  # the emulator of Google's does not look
def test_large_object_that_appears_while_we_upload_is_never_replaced(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big_file(tmp_path / "folder")
    monkeypatch.setattr(s3, "objects", lambda *_: iter(()))
    storage.write_place(f"{place}/big", b"theirs", what="a file")
    with pytest.raises(WorkError, match="/big is there already, with other content"):
        upload_folder(tmp_path / "folder", place)
    assert storage.read_place(f"{place}/big", max_bytes=99) == b"theirs"
    assert unfinished() == []


def test_upload_goes_on_after_a_cut_connection(gated: Gated, place: str, tmp_path: Path) -> None:
    folder = big_file(tmp_path / "folder")
    gated.gate.cut_at = 20 * MB
    upload_folder(folder, place)
    assert gated.gate.cut_at is None  # it was cut
    assert gated.gate.passed < BIG_BYTES + 12 * MB  # one piece was sent again, not everything
    gated.gate.reset()
    storage.download(f"{place}/big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (folder / "big").read_bytes()


def test_download_goes_on_after_a_cut_connection(gated: Gated, place: str, tmp_path: Path) -> None:
    folder = big_file(tmp_path / "folder")
    upload_folder(folder, place)
    gated.gate.reset()
    gated.gate.cut_at = 20 * MB
    storage.download(f"{place}/big", tmp_path / "back")
    assert gated.gate.cut_at is None
    assert gated.gate.passed < BIG_BYTES + 12 * MB
    assert (tmp_path / "back").read_bytes() == (folder / "big").read_bytes()


def test_connection_that_is_always_cut_leaves_no_object(
    gated: Gated, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = big_file(tmp_path / "folder")
    monkeypatch.setattr(google, "TRANSFER_RETRY_S", 2.0)
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    s3.client.cache_clear()
    gated.gate.cut_each_at = MB
    with pytest.raises(WorkError, match=f"{place} cannot be reached"):
        upload_folder(folder, place)
    gated.gate.reset()
    s3.client.cache_clear()
    assert list(storage.list_objects(place)) == []
    if place.startswith("s3://"):
        assert unfinished() == []
    upload_folder(folder, place)
    assert storage.find_place(f"{place}/big", max_bytes=BIG_BYTES) == (folder / "big").read_bytes()


def test_download_that_is_always_cut_leaves_no_file(
    gated: Gated, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_folder(big_file(tmp_path / "folder"), place)
    monkeypatch.setattr(google, "TRANSFER_RETRY_S", 2.0)
    gated.gate.cut_each_at = 8000  # the object's head passes, its bytes do not
    with pytest.raises(WorkError, match=f"{place}/big cannot be reached"):
        storage.download(f"{place}/big", tmp_path / "back" / "big")
    assert list((tmp_path / "back").iterdir()) == []


@pytest.mark.parametrize("_gated", ["s3"], indirect=True)
def test_bytes_that_changed_in_the_store_are_noticed(place: str, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"ours")
    storage.upload_files({"one": tmp_path / "one"}, place)
    bucket, key = place.removeprefix("s3://").split("/", 1)
    sent = s3.client().head_object(Bucket=bucket, Key=f"{key}/one")["Metadata"]
    s3.client().put_object(Bucket=bucket, Key=f"{key}/one", Body=b"0urs", Metadata=sent)
    with pytest.raises(WorkError, match="/one came damaged"):
        storage.download(f"{place}/one", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_what_is_not_there_cannot_be_downloaded(place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{place}/x cannot be read: there is no such object"):
        storage.download(f"{place}/x", tmp_path / "back")


def test_missing_bucket_is_named_and_not_made(
    gated: Gated, place: str, folder: Path, tmp_path: Path
) -> None:
    missing = gated.store.prefix.replace("photos", "no-such-bucket")
    for attempt in (
        lambda: upload_folder(folder, f"{missing}/x"),
        lambda: storage.write_if(f"{missing}/x", b"1", None),
        lambda: storage.write_if(f"{missing}/x", b"1", "1"),
        lambda: storage.find(f"{missing}/x", max_bytes=9),
        lambda: storage.download(f"{missing}/x", tmp_path / "back"),
    ):
        with pytest.raises(InputError, match=f"{missing}/x cannot be (read|written)"):
            attempt()


def test_only_the_first_creates_an_object(place: str) -> None:
    assert storage.find(f"{place}/pointer", max_bytes=9) is None
    assert storage.write_if(f"{place}/pointer", b"first", None)
    assert not storage.write_if(f"{place}/pointer", b"second", None)
    assert storage.write_if(f"{place}/pointer", b"first", None)  # its own answer may have been lost
    assert storage.read_place(f"{place}/pointer", max_bytes=9) == b"first"


def test_object_is_replaced_only_from_the_version_that_was_read(place: str) -> None:
    storage.write_if(f"{place}/pointer", b"first", None)
    first = storage.find(f"{place}/pointer", max_bytes=9)
    assert first
    assert storage.write_if(f"{place}/pointer", b"second", first[1])
    assert not storage.write_if(f"{place}/pointer", b"third", first[1])
    second = storage.find(f"{place}/pointer", max_bytes=9)
    assert second
    assert second[0] == b"second"
    assert not storage.write_if(f"{place}/none", b"third", first[1])
    assert storage.find(f"{place}/none", max_bytes=9) is None


def unfinished() -> list[str]:
    """Keys of uploads to S3 that were begun and neither finished nor given up."""
    answer = s3.client().list_multipart_uploads(Bucket="photos")
    return [upload["Key"] for upload in answer.get("Uploads", ())]
