"""A stranger's archive: read in memory, member by member, within limits."""

import gzip
import io
import struct
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from components.common import archive
from components.common.errors import InputError


def make(path: Path, members: dict[str, bytes], *, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_are_read_in_order(tmp_path: Path, mode: str) -> None:
    members = {"n1/b.JPEG": b"b" * 1000, "n1/a.JPEG": b"", "c": b"c"}
    path = make(tmp_path / "a.tar", members, mode=mode)
    assert archive.is_archive(path)
    assert list(archive.read_members(path)) == list(members.items())


def test_names_are_only_names(tmp_path: Path) -> None:
    names = ["../../escape.jpg", "/etc/passwd", "a/../../b.jpg", "C:\\x.jpg", "..", "\u202egpj.exe"]
    (tmp_path / "in").mkdir()
    path = make(tmp_path / "in" / "a.tar", dict.fromkeys(names, b"x"))
    assert [name for name, _ in archive.read_members(path)] == names
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["a.tar", "in"]


def test_links_devices_and_folders_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        links, others = (tarfile.SYMTYPE, tarfile.LNKTYPE), (tarfile.CHRTYPE, tarfile.FIFOTYPE)
        for kind in (*links, *others, tarfile.DIRTYPE):
            member = tarfile.TarInfo(f"member{kind!r}")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        member = tarfile.TarInfo("good.jpg")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    assert list(archive.read_members(path)) == [("good.jpg", b"x")]


def test_gzip_bomb_is_refused_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    member = tarfile.TarInfo("zeros")
    member.size = 30 * 1024**2
    with gzip.open(path, "wb") as packed:
        for _ in range(20):
            packed.write(member.tobuf() + bytes(member.size))
    tracemalloc.start()
    with pytest.raises(InputError, match="unpacks to more than"):
        for _ in archive.read_members(path):
            pass
    assert tracemalloc.get_traced_memory()[1] < 200 * 1024**2
    tracemalloc.stop()


def test_header_may_claim_any_size(tmp_path: Path) -> None:
    member = tarfile.TarInfo("huge.jpg")
    member.size = 2**60
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(InputError, match=r"huge.jpg' has \d+ bytes"):
        list(archive.read_members(tmp_path / "a.tar"))


def test_pax_header_may_claim_any_size(tmp_path: Path) -> None:
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 2**40
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(InputError, match="header that claims"):
        list(archive.read_members(tmp_path / "a.tar"))


def test_number_of_members_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "a.tar", {f"{n}.jpg": b"x" for n in range(6)})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    with pytest.raises(InputError, match="more than 5 members"):
        list(archive.read_members(path))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_cut_archive_gives_what_is_whole_then_fails(tmp_path: Path, mode: str) -> None:
    noise = [struct.pack("<Q", n * 2654435761 % 2**64) * 6000 for n in range(4)]
    path = make(tmp_path / "a.tar", {f"{n}.jpg": data for n, data in enumerate(noise)}, mode=mode)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    found: list[tuple[str, bytes]] = []
    with pytest.raises(InputError, match="damaged"):
        found.extend(archive.read_members(path))
    assert found == [(f"{n}.jpg", noise[n]) for n in range(len(found))]


@pytest.mark.parametrize("content", [b"", b"<html>login</html>", bytes(2000), b"PK\x03\x04" * 300])
def test_other_files_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    assert not archive.is_archive(tmp_path / "a.tar")
