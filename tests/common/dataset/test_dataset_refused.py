"""The dataset artifact: what was tampered with, is damaged or of another version is refused."""

import dataclasses
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import flip_byte, rewrite_tar, write
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.dataset import DESCRIPTION, MANIFEST, SCHEMA, Dataset, write_manifest


def test_missing_dataset_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"no manifest\.parquet"):
            Dataset(path)


def test_manifest_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    for text in ("", "PAR1", "label,path\n"):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            Dataset(tmp_path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": "wild-mushrooms-dataset", "format_version": "1"},
        {"format": "someone's", "format_version": "1"},
        {"format": "wild-mushrooms-dataset"},
        {},
    ],
)
def test_another_format_version_is_refused(tmp_path: Path, metadata: dict[str, str]) -> None:
    write(tmp_path / "d")
    table = pq.read_table(tmp_path / "d" / MANIFEST).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "d" / MANIFEST)
    with pytest.raises(InputError, match="this program reads wild-mushrooms-dataset 2 and 3"):
        Dataset(tmp_path / "d")


def drop_column(table: pa.Table) -> pa.Table:
    return table.drop_columns(["phash"])


def add_column(table: pa.Table) -> pa.Table:
    return table.append_column("more", pa.array(["x"] * len(table)))


def other_type(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("offset")
    return table.set_column(index, "offset", table["offset"].cast(pa.int32()))


def with_null(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("author")
    return table.set_column(index, "author", pa.array([None] * len(table), pa.string()))


def not_utf8(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("author")
    wrong = pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
    return table.set_column(index, "author", wrong)


@pytest.mark.parametrize("change", [drop_column, add_column, other_type, with_null, not_utf8])
def test_other_columns_are_refused(tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    write(tmp_path / "d")
    changed = change(pq.read_table(tmp_path / "d" / MANIFEST))
    pq.write_table(changed.replace_schema_metadata(SCHEMA.metadata), tmp_path / "d" / MANIFEST)
    reseal(tmp_path / "d" / DESCRIPTION)
    with pytest.raises(InputError, match=r"other columns|cannot be read"):
        Dataset(tmp_path / "d")


@pytest.mark.parametrize("name", [MANIFEST, DESCRIPTION])
def test_flipped_bits_of_what_describes_a_dataset_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "d")
    file = tmp_path / "d" / name
    data = file.read_bytes()
    for place in range(0, len(data), 5):
        if data[place : place + 1].isspace():
            continue  # of the JSON's layout, which says nothing
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match=r"manifest\.parquet|dataset\.json"):
            Dataset(tmp_path / "d")
    file.write_bytes(data)
    Dataset(tmp_path / "d")


def test_manifest_that_says_it_is_older_is_held_to_its_description_too(tmp_path: Path) -> None:
    write(tmp_path / "d")
    metadata = {**(SCHEMA.metadata or {}), b"format_version": b"2"}
    table = pq.read_table(tmp_path / "d" / MANIFEST).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "d" / MANIFEST)
    with pytest.raises(InputError, match=r"manifest\.parquet is damaged"):
        Dataset(tmp_path / "d")


def test_manifest_of_another_dataset_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "d")
    photos = write(tmp_path / "other")
    write_manifest([dataclasses.replace(one, author="me") for one in photos], tmp_path / "m")
    (tmp_path / "m").replace(tmp_path / "d" / MANIFEST)
    with pytest.raises(InputError, match=r"manifest\.parquet is damaged or of another origin"):
        Dataset(tmp_path / "d")


def test_dataset_without_its_description_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "d")
    (tmp_path / "d" / DESCRIPTION).unlink()
    with pytest.raises(InputError, match=r"dataset\.json is missing"):
        Dataset(tmp_path / "d")


def test_dataset_of_version_2_is_read_as_it_is(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    (tmp_path / "d" / DESCRIPTION).unlink()
    metadata = {**(SCHEMA.metadata or {}), b"format_version": b"2"}
    table = pq.read_table(tmp_path / "d" / MANIFEST).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "d" / MANIFEST)
    assert [photo for photo, _ in Dataset(tmp_path / "d").stream()] == photos


def test_pages_of_the_manifest_carry_checksums_for_any_reader(tmp_path: Path) -> None:
    write(tmp_path / "d")
    file = tmp_path / "d" / MANIFEST
    column = pq.read_metadata(file).row_group(0).column(SCHEMA.get_field_index("sha256"))
    data = bytearray(file.read_bytes())
    data[column.data_page_offset - 20] ^= 1  # the end of the dictionary's page
    file.write_bytes(data)
    with pytest.raises(OSError, match="CRC checksum"):
        pq.read_table(file, columns=["sha256"], page_checksum_verification=True)


HEX = "0123456789abcdef.jpg"


@pytest.mark.parametrize(
    "change",
    [
        {"label": "..", "path": f"../{HEX}"},
        {"label": ".", "path": f"./{HEX}"},
        {"label": "", "path": f"/{HEX}"},
        {"label": "/etc", "path": f"/etc/{HEX}"},
        {"label": "daisy", "path": f"daisy/../{HEX}"},
        {"label": "daisy", "path": f"roses/{HEX}"},
        {"label": "daisy", "path": "daisy/passwd"},
        {"label": "a\nb", "path": f"a\nb/{HEX}"},
        {"label": ".ssh", "path": f".ssh/{HEX}"},
        {"shard": "../images-00000.tar"},
        {"shard": "/etc/passwd"},
        {"shard": "images-0.tar"},
        {"shard": "images-00000.tar\n"},
        {"shard": ""},
        {"shard": "images-00001.tar"},
        {"offset": -1},
        {"offset": -512, "size": 1024},
        {"offset": 10**6},
        {"offset": 2**62},
        {"size": -1},
        {"size": 2**62},
    ],
    ids=str,
)
def test_row_that_points_elsewhere_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    photos = write(tmp_path / "d", ("daisy",))
    photos[1] = dataclasses.replace(photos[1], **change)
    write_manifest(photos, tmp_path / "d" / MANIFEST)
    with pytest.raises(InputError):
        Dataset(tmp_path / "d")


def test_photo_listed_twice_is_refused(tmp_path: Path) -> None:
    photos = write(tmp_path / "d", ("daisy",))
    write_manifest([*photos, photos[0]], tmp_path / "d" / MANIFEST)
    with pytest.raises(InputError):  # else two rows stand for one photo and stream() gives one
        list(Dataset(tmp_path / "d").stream())


def test_linked_shard_or_manifest_is_refused(tmp_path: Path) -> None:
    for name in ("images-00000.tar", MANIFEST):
        write(tmp_path / name)
        (tmp_path / name / name).rename(tmp_path / "elsewhere")
        (tmp_path / name / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(InputError):
            Dataset(tmp_path / name)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_tar_member_that_is_a_link_is_refused(tmp_path: Path, kind: bytes) -> None:
    write(tmp_path / "d")

    def to_link(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        members[0][0].type = kind
        members[0][0].linkname = "/etc/passwd"

    rewrite_tar(tmp_path / "d" / "images-00000.tar", to_link)
    with pytest.raises(InputError, match=r"link or a special file"):
        list(Dataset(tmp_path / "d").stream())


def test_tar_with_an_extra_member_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "d")
    extra = tarfile.TarInfo("daisy/0123456789abcdef.jpg")
    extra.size = 4
    shard = tmp_path / "d" / "images-00000.tar"
    rewrite_tar(shard, lambda members: members.append((extra, b"evil")))
    with pytest.raises(InputError, match="not what the manifest lists"):
        list(Dataset(tmp_path / "d").stream())


def test_tar_that_ends_early_is_refused(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    shard = tmp_path / "d" / "images-00000.tar"
    data = bytearray(shard.read_bytes())
    data[photos[-1].offset - 512 : photos[-1].offset] = bytes(512)  # reads as the end of the tar
    shard.write_bytes(data)
    with pytest.raises(InputError):
        list(Dataset(tmp_path / "d").stream())


@pytest.mark.parametrize("left", [0, 1, 511, 512, 2000])
def test_truncated_shard_is_refused(tmp_path: Path, left: int) -> None:
    write(tmp_path / "d")
    shard = tmp_path / "d" / "images-00000.tar"
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(InputError):
        Dataset(tmp_path / "d")


def test_flipped_bit_is_noticed_by_read_and_by_stream(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    flip_byte(tmp_path / "d" / "images-00000.tar", photos[2].offset + photos[2].size - 1)
    dataset = Dataset(tmp_path / "d")
    with pytest.raises(InputError, match="sha256 differs"):
        dataset.read(dataset.photos[2])
    with pytest.raises(InputError, match="sha256 differs"):
        list(dataset.stream())
    assert len(dataset.read(dataset.photos[1])) == photos[1].size


def test_flipped_bit_in_a_tar_header_is_noticed(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    flip_byte(tmp_path / "d" / "images-00000.tar", photos[2].offset - 500)
    with pytest.raises(InputError):
        list(Dataset(tmp_path / "d").stream())
