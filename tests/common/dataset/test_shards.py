"""Shards: the same bytes as ever, in bounds and in order, and nothing left open."""

import contextlib
import dataclasses
import errno
import hashlib
import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components.common.base.errors import InputError, WorkError
from components.common.dataset import shards
from components.common.dataset.dataset import Dataset, DatasetWriter, write_manifest
from components.common.dataset.photo import Photo

DESCRIPTORS = Path("/proc/self/fd")
counts_descriptors = pytest.mark.skipif(
    not DESCRIPTORS.is_dir(), reason="NOT TESTED: no /proc here to count open files in"
)
SIZE = 10_000  # bytes of a photo
MANY = 60
RUN_PHOTOS = 3  # written at once, where writing fails


def content(number: int, size: int = SIZE) -> bytes:
    return random.Random(number).randbytes(size)


def write(
    path: Path, count: int = MANY, *, shard_bytes: int = shards.SHARD_BYTES, last_label: str = ""
) -> list[Photo]:
    with DatasetWriter(path, shard_bytes=shard_bytes) as writer:
        photos = [writer.add(Photo("daisy"), content(number)) for number in range(count)]
        if last_label:
            writer.add(Photo(last_label), b"last")
    return photos


def flip_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def open_files() -> list[str]:
    """Of files and folders only: a library may open a pipe or a device whenever it likes."""
    links = []
    for entry in DESCRIPTORS.iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            links.append(str(entry.readlink()))
    return sorted(link for link in links if link.startswith("/") and not link.startswith("/dev/"))


def test_shards_have_the_bytes_they_always_had(tmp_path: Path) -> None:
    # Hashes of what format version 2 was written as at first; what changes them changes the format.
    golden = {
        "images-00000.tar": "94223a4024bff2309298f6aa5538b93cb85d972f1e0e0d6a53ed535929d3b32d",
        "images-00001.tar": "3bbadf9fb844d12f8f93e7ce6e8f2653a80f54362c60bfd885a93cb25bac629c",
    }
    with DatasetWriter(tmp_path / "d", shard_bytes=2_000_000) as writer:
        for label in ("daisy", "Röhrling", "l" * 100):
            for size in (0, 1, 511, 512, 513, 70_000, 1_500_000):
                writer.add(Photo(label), content(size, size))
        writer.add(Photo("daisy"), content(1, 1))
    written = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (tmp_path / "d").glob("*.tar")
    }
    assert written == golden


@pytest.mark.parametrize(
    "name", ["daisy/0123456789abcdef.jpg", "x" * 100, "x" * 101, "ü", "蘑" * 60]
)
@pytest.mark.parametrize("size", [0, 7, 511, 8**8, shards.SHARD_BYTES * 2])
def test_header_is_what_tarfile_writes(name: str, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    assert shards.member_header(name, size) == member.tobuf(tarfile.PAX_FORMAT)


def test_photos_of_every_size_come_back_in_order(tmp_path: Path) -> None:
    sizes = [1, 7 * SIZE, 3, SIZE, 0, 2 * SIZE, 6 * SIZE, 513, 4 * SIZE] * 4
    data = [content(number, size) for number, size in enumerate(sizes)]
    with DatasetWriter(tmp_path / "d", shard_bytes=20 * SIZE) as writer:
        photos = [writer.add(Photo("daisy"), one) for one in data]
    assert len({photo.shard for photo in photos}) > 2
    assert list(Dataset(tmp_path / "d").stream()) == list(zip(photos, data, strict=True))


def test_two_streams_at_once_do_not_mix(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    dataset = Dataset(tmp_path / "d")
    for photo, first, second in zip(photos, dataset.stream(), dataset.stream(), strict=True):
        assert first == second
        assert first[0] == photo


@pytest.mark.parametrize("damaged", [0, 1, 2, 17, MANY - 1])
def test_photos_before_a_damaged_one_are_given(tmp_path: Path, damaged: int) -> None:
    photos = write(tmp_path / "d")
    flip_byte(tmp_path / "d" / "images-00000.tar", photos[damaged].offset + SIZE // 2)
    given: list[Photo] = []

    def take() -> None:
        for photo, _ in Dataset(tmp_path / "d").stream():
            given.append(photo)

    with pytest.raises(InputError, match=f"{photos[damaged].path}.*sha256 differs"):
        take()
    assert given == photos[:damaged]


def test_empty_photo_of_another_hash_is_refused(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d") as writer:
        stored = writer.add(Photo("daisy"), b"")
    forged = dataclasses.replace(stored, sha256="0" * 64)
    write_manifest([forged], tmp_path / "d" / "manifest.parquet")
    with pytest.raises(InputError, match="sha256 differs"):
        list(Dataset(tmp_path / "d").stream())


@pytest.mark.parametrize("missing", [1, 200])
def test_shard_cut_in_its_last_padding_is_refused(tmp_path: Path, missing: int) -> None:
    last = write(tmp_path / "d", 3)[-1]
    padded = last.offset + shards.padded(last.size)
    os.truncate(tmp_path / "d" / last.shard, padded - missing)
    with pytest.raises(InputError, match="damaged"):
        list(Dataset(tmp_path / "d").stream())


def test_shard_of_another_program_is_streamed_from_where_it_differs(tmp_path: Path) -> None:
    photos = write(tmp_path / "d", 12)
    shard = tmp_path / "d" / "images-00000.tar"
    with tarfile.open(shard) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(shard, "w", format=tarfile.PAX_FORMAT) as tar:
        for number, (member, data) in enumerate(members):
            member.mtime = 1_700_000_000 if number == 7 else 0
            tar.addfile(member, io.BytesIO(data))
    streamed = list(Dataset(tmp_path / "d").stream())
    assert streamed == [(photo, content(number)) for number, photo in enumerate(photos)]


def in_pieces(whole: Callable[..., bytes]) -> Callable[..., bytes]:
    return lambda descriptor, size, offset: whole(descriptor, min(size, 1 + size // 3), offset)


def test_file_system_that_reads_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = write(tmp_path / "d", 5)
    monkeypatch.setattr(os, "pread", in_pieces(os.pread))
    dataset = Dataset(tmp_path / "d")
    assert [data for _, data in dataset.stream()] == [content(number) for number in range(5)]
    assert dataset.read(photos[3]) == content(3)


class Failing(io.BufferedWriter):
    """The disk is full at one of the writer's runs, and is not any more at the next."""

    left = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        Failing.left -= 1
        if Failing.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def failing_once(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    monkeypatch.setattr(shards, "RUN_BYTES", RUN_PHOTOS * SIZE)
    monkeypatch.setattr(Failing, "left", call)
    monkeypatch.setattr(
        shards,
        "open",
        lambda path, mode: Failing(io.FileIO(path, mode.rstrip("b"))),
        raising=False,
    )


@counts_descriptors
@pytest.mark.parametrize("call", [1, 5, MANY // RUN_PHOTOS], ids=["first", "middle", "last"])
def test_failed_write_is_raised_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    failing_once(monkeypatch, call)
    before = open_files()
    with pytest.raises(WorkError, match="no space left"):
        write(tmp_path / "d")
    assert Failing.left <= 0
    assert list(tmp_path.iterdir()) == []
    assert open_files() == before


def test_failed_write_is_not_forgotten_by_who_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, 2)
    failures = 0

    def go_on() -> None:
        nonlocal failures
        with DatasetWriter(tmp_path / "d", shard_bytes=20 * SIZE) as writer:
            for number in range(MANY):
                try:
                    writer.add(Photo("daisy"), content(number))
                except OSError:
                    failures += 1

    with pytest.raises(WorkError, match="no space left"):
        go_on()
    # From the next run on, not only at the end.
    assert failures == MANY - 3 * RUN_PHOTOS
    assert list(tmp_path.iterdir()) == []


@counts_descriptors
def test_nothing_stays_open_after_writing(tmp_path: Path) -> None:
    before = open_files()
    write(tmp_path / "d", shard_bytes=5 * SIZE)
    with pytest.raises(InputError, match="bad/label"):
        write(tmp_path / "e", last_label="bad/label")
    assert open_files() == before


def to_the_end(path: Path) -> None:
    assert len(list(Dataset(path).stream())) == MANY


def only_the_first(path: Path) -> None:
    next(Dataset(path).stream())


def closed_early(path: Path) -> None:
    stream = Dataset(path).stream()
    for _ in range(MANY // 2):
        next(stream)
    stream.close()  # type: ignore[attr-defined]


def thrown_at(path: Path) -> None:
    for number, _ in enumerate(Dataset(path).stream()):
        if number == 3:
            raise InputError("the consumer fails")


def damaged_photo(path: Path) -> None:
    flip_byte(path / "images-00001.tar", 5000)
    list(Dataset(path).stream())


def damaged_header(path: Path) -> None:
    flip_byte(path / "images-00001.tar", 1)
    list(Dataset(path).stream())


def missing_shard(path: Path) -> None:
    dataset = Dataset(path)
    (path / "images-00001.tar").unlink()
    list(dataset.stream())


@counts_descriptors
@pytest.mark.parametrize(
    "use",
    [
        *(to_the_end, only_the_first, closed_early, thrown_at),
        *(damaged_photo, damaged_header, missing_shard),
    ],
)
def test_nothing_stays_open_after_streaming(tmp_path: Path, use: Callable[[Path], None]) -> None:
    write(tmp_path / "d", shard_bytes=30 * SIZE)
    before = open_files()
    failed = False
    try:
        use(tmp_path / "d")
    except (InputError, FileNotFoundError):
        failed = True
    assert failed is (use not in (to_the_end, only_the_first, closed_early))
    assert open_files() == before


@counts_descriptors
def test_one_shard_is_open_at_a_time(tmp_path: Path) -> None:
    write(tmp_path / "d", shard_bytes=5 * SIZE)
    for photo, _ in Dataset(tmp_path / "d").stream():
        opened = [name for name in open_files() if name.endswith(".tar")]
        assert set(opened) == {str((tmp_path / "d" / photo.shard).resolve())}
