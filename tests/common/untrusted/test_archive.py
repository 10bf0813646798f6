"""A stranger's archive: read in memory, member by member, within limits."""

import contextlib
import gzip
import io
import random
import struct
import tarfile
import time
import tracemalloc
from pathlib import Path

import pytest

from components.common.base.errors import InputError
from components.common.untrusted import archive


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


def with_pax(headers: dict[str, str], name: str = "a.jpg", data: bytes = b"x") -> bytes:
    """A member behind a PAX header that claims what an honest writer would not."""
    records = b""
    for key, value in headers.items():
        record = f" {key}={value}\n".encode()
        length = next(n for n in range(3, 999) if n == len(record) + len(str(n)))
        records += str(length).encode() + record
    header, member = tarfile.TarInfo("pax"), tarfile.TarInfo(name)
    header.type, header.size, member.size = tarfile.XHDTYPE, len(records), len(data)
    return b"".join(
        part + bytes(-len(part) % 512)
        for part in (header.tobuf(tarfile.USTAR_FORMAT), records, member.tobuf(), data)
    )


def with_size(field: bytes) -> bytes:
    """A header whose size is written so."""
    header = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize(
    "forged",
    [
        with_pax({"size": "-1024"}),
        with_pax({"size": "-2048"}),  # leads to before the archive
        with_size(b"\xff" * 10 + b"\xfc\x00"),  # below 0 in base 256; would be read for ever
        with_pax({"GNU.sparse.map": "a,b"}),
        with_pax({"GNU.sparse.size": "a"}),
        with_pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    ],
)
def test_forged_header_is_damage(tmp_path: Path, forged: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(forged + bytes(1024))
    with pytest.raises(InputError, match="damaged"):
        list(archive.read_members(tmp_path / "a.tar"))


def test_chain_of_headers_is_damage(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type = tarfile.XHDTYPE
    (tmp_path / "a.tar").write_bytes(header.tobuf() * 5000 + bytes(1024))
    with pytest.raises(InputError, match="damaged"):
        list(archive.read_members(tmp_path / "a.tar"))


def test_sparse_file_does_not_become_what_it_claims(tmp_path: Path) -> None:
    claimed = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(60 * 1024**2)}
    sparse = with_pax(claimed) * 50  # 100 KB that would unpack to 3 GB
    (tmp_path / "a.tar").write_bytes(sparse + with_pax({}, "good.jpg") + bytes(1024))
    assert list(archive.read_members(tmp_path / "a.tar")) == [("good.jpg", b"x")]


def test_any_damage_is_told_and_ends(tmp_path: Path) -> None:
    path, dice = tmp_path / "a.tar", random.Random(0)
    whole = with_pax({"comment": "x"}, data=b"y" * 600) + with_pax({"size": "1", "mtime": "1"})
    whole += make(path, {"x" * 200: b"long name", "b.jpg": b"b"}).read_bytes()
    started = time.monotonic()
    for _ in range(2000):
        damaged = bytearray(whole[:10_240])
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(0, len(damaged), 512) + dice.choice([124, 135, 156, 0, 257, 3])
            damaged[place] = dice.choice(b"\x00\xff 0789-=SLKxg")
        for block in range(0, len(damaged), 512):  # a forger would make the sums right
            if damaged[block + 257 : block + 262] == b"ustar":
                damaged[block + 148 : block + 156] = b" " * 8
                total = sum(damaged[block : block + 512])
                damaged[block + 148 : block + 156] = b"%06o\0 " % total
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            for _ in archive.read_members(path):
                pass
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("size", [700, 1024, 1500])
def test_archive_that_was_cut_between_members_is_damaged(tmp_path: Path, size: int) -> None:
    path = make(tmp_path / "a.tar", {"0.jpg": b"x" * 300, "1.jpg": b"y" * 300})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="damaged"):
        list(archive.read_members(path))
