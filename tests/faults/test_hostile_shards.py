"""Shards of strangers: any tar may come, and only the photos that the manifest lists come out."""

import contextlib
import io
import random
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.faults import cases

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo

MEGABYTE = 1024**2
SHARD = "images-00000.tar"


def dataset(path: Path, each: int = 3) -> list[Photo]:
    with DatasetWriter(path) as writer:
        return [writer.add(Photo("daisy"), b"photo %d " % n * (60 + n)) for n in range(each)]


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = size, kind, link
    return member.tobuf(tarfile.GNU_FORMAT)


def with_pax(records: bytes, size: int | None = None) -> bytes:
    """A pax header with these records, or one that claims a size of its own."""
    claimed = len(records) if size is None else size
    return header("pax", claimed, tarfile.XHDTYPE) + records + bytes(-len(records) % 512)


def record(key: str, value: str) -> bytes:
    text = f" {key}={value}\n"
    length = next(n for n in range(3, 999_999) if n == len(text) + len(str(n)))
    return f"{length}{text}".encode()


def put_in_front(path: Path, forged: bytes) -> None:
    """The shard with something before its photos, which then lie elsewhere than listed."""
    (path / SHARD).write_bytes(forged + (path / SHARD).read_bytes())


def refusal(path: Path) -> str:
    """What streaming the dataset says; it must end, in little memory, with an `InputError`."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=SHARD) as caught:
            for _ in Dataset(path).stream():
                pass
        assert tracemalloc.get_traced_memory()[1] < 30 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 500 + len(str(path))
    return str(caught.value)


FORGED = {
    "a name that leads up": header("../../etc/passwd", 4) + b"evil" + bytes(508),
    "an absolute name": header("/etc/passwd", 4) + b"evil" + bytes(508),
    "a link": header("daisy/x.jpg", 0, tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": header("daisy/x.jpg", 0, tarfile.LNKTYPE, "/etc/passwd"),
    "a device": header("daisy/x.jpg", 0, tarfile.CHRTYPE),
    "a pipe": header("daisy/x.jpg", 0, tarfile.FIFOTYPE),
    "a folder": header("daisy", 0, tarfile.DIRTYPE),
    "a member of exabytes": header("daisy/x.jpg", 2**60),
    "a pax header of terabytes": with_pax(b"", 2**40),
    "a long name of terabytes": header("x", 2**40, tarfile.GNUTYPE_LONGNAME),
    "a size below zero": with_pax(record("size", "-1024")) + header("daisy/x.jpg", 1) + bytes(512),
    "a size that is none": with_pax(record("size", "x")) + header("daisy/x.jpg", 1) + bytes(512),
    "a sparse file": with_pax(
        record("GNU.sparse.map", "0,1") + record("GNU.sparse.size", str(2**40))
    )
    + header("daisy/x.jpg", 1)
    + bytes(512),
    "a sparse map of nothing": with_pax(
        record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0")
    )
    + header("daisy/x.jpg", 0),
    "a name of a megabyte": with_pax(record("path", "x" * 900_000))
    + header("daisy/x.jpg", 1)
    + bytes(512),
    "a chain of headers": with_pax(b""),
    "a million headers": header("daisy/x.jpg", 0),
    "no tar": b"\xff" * 5120,
    "a page": b"<!DOCTYPE html>".ljust(512, b" "),
}
TIMES = {"a chain of headers": 20_000, "a million headers": 100_000}


@pytest.mark.parametrize("forged", FORGED)
def test_forged_member_is_refused_with_file_and_reason(tmp_path: Path, forged: str) -> None:
    dataset(tmp_path / "d")
    put_in_front(tmp_path / "d", FORGED[forged] * TIMES.get(forged, 1))
    refusal(tmp_path / "d")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["d"]


@pytest.mark.parametrize("forged", FORGED)
def test_forged_member_behind_the_photos_is_refused(tmp_path: Path, forged: str) -> None:
    photos = dataset(tmp_path / "d")
    data = (tmp_path / "d" / SHARD).read_bytes()
    end = photos[-1].offset + -(-photos[-1].size // 512) * 512
    (tmp_path / "d" / SHARD).write_bytes(
        data[:end] + FORGED[forged] * TIMES.get(forged, 1) + bytes(1024)
    )
    refusal(tmp_path / "d")


def test_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    photos = dataset(tmp_path / "d")
    data = (tmp_path / "d" / SHARD).read_bytes()
    end = photos[-1].offset + -(-photos[-1].size // 512) * 512
    again = data[photos[-1].offset - 512 : end]
    (tmp_path / "d" / SHARD).write_bytes(data[:end] + again + bytes(1024))
    assert "is not what the manifest lists" in refusal(tmp_path / "d")


def checked_sums(data: bytearray) -> None:
    """Make the checksums right again, as a forger would."""
    for block in range(0, len(data) - 511, 512):
        if data[block + 257 : block + 262] == b"ustar":
            data[block + 148 : block + 156] = b" " * 8
            data[block + 148 : block + 156] = b"%06o\0 " % sum(data[block : block + 512])


def streamed(path: Path) -> Iterator[tuple[Photo, bytes]]:
    return Dataset(path).stream()


def test_any_damage_is_told_and_no_wrong_photo_comes_out(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    draw, shard = random.Random(2), tmp_path / "d" / SHARD
    # Written as GNU tar does, so that all of it goes through the reading of any tar.
    with tarfile.open(shard) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in members:
            member.mtime, member.uname = 1_700_000_000, "somebody"
            tar.addfile(member, io.BytesIO(data))
    whole, contents = stream.getvalue(), {data for _, data in members}
    shard.write_bytes(whole)
    assert {data for _, data in streamed(tmp_path / "d")} == contents
    for _ in range(cases(400, 30_000)):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(0, len(damaged), 512) + draw.choice([124, 135, 156, 0, 257, 3])
            damaged[place % len(damaged)] = draw.choice(b"\x00\xff 0789-=SLKxg")
        checked_sums(damaged)
        shard.write_bytes(damaged)
        with contextlib.suppress(InputError):  # any other error fails the test
            for _, data in streamed(tmp_path / "d"):
                assert data in contents
