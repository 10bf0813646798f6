"""The dataset artifact: what is written is read back, and what was tampered with is refused."""

import dataclasses
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sealing import reseal

from components.common.dataset import (
    DESCRIPTION,
    MANIFEST,
    SCHEMA,
    Dataset,
    DatasetWriter,
    stream_all,
    write_manifest,
)
from components.common.errors import InputError
from components.common.photo import Photo, check_label


def content(number: int, size: int = 700) -> bytes:
    return random.Random(number).randbytes(size)


def write(path: Path, labels: tuple[str, ...] = ("daisy", "roses"), each: int = 3) -> list[Photo]:
    with DatasetWriter(path) as writer:
        return [
            writer.add(Photo(label=label), f"{label} {number} ".encode() * (50 + number))
            for label in labels
            for number in range(each)
        ]


def rewrite_tar(shard: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    with tarfile.open(shard) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    change(members)
    with tarfile.open(shard, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))


def flip_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


FULL = Photo(
    label="fly agaric",
    source_sha256="a" * 64,
    width=640,
    height=480,
    phash="0123456789abcdef",
    source="folder",
    source_url="https://example.org/ü.jpg",
    author="Łucja “Fungi” 山田",
    licence="CC-BY-4.0",
    observation="inat:123",
    group="b" * 40,
    split="training",
    flags=("rendered", "no_subject"),
    reason="surplus",
)


def test_bytes_and_all_columns_come_back(tmp_path: Path) -> None:
    data = content(1, 12345)
    with DatasetWriter(tmp_path / "d") as writer:
        stored = writer.add(FULL, data)
    dataset = Dataset(tmp_path / "d")
    assert dataset.photos == [stored]
    assert dataset.read(stored) == data
    assert list(dataset.stream()) == [(stored, data)]
    assert stored.size == len(data)
    filled = {name: getattr(FULL, name) for name in ("path", "shard", "offset", "size", "sha256")}
    assert dataclasses.replace(stored, **filled) == FULL


def test_columns_are_the_fields_of_a_photo() -> None:
    # In their order, as rows are read by columns.
    assert [field.name for field in dataclasses.fields(Photo)] == SCHEMA.names


def test_source_hash_is_the_stored_one_where_nothing_else_is_known(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d") as writer:
        stored = writer.add(Photo(label="x"), b"bytes")
    assert stored.source_sha256 == stored.sha256 != ""


def test_shards_untar_to_a_folder_per_class(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    for shard in sorted((tmp_path / "d").glob("*.tar")):
        with tarfile.open(shard) as tar:
            tar.extractall(tmp_path / "out", filter="data")
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.jpg")}
    assert files == {photo.path for photo in photos}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["daisy", "roses"]
    for photo in photos:
        assert (tmp_path / "out" / photo.path).read_bytes() == Dataset(tmp_path / "d").read(photo)


def test_photos_spread_over_shards_are_readable_at_random(tmp_path: Path) -> None:
    data = [content(number, 100 + 333 * number) for number in range(20)]
    with DatasetWriter(tmp_path / "d", shard_bytes=8192) as writer:
        for one in data:
            writer.add(Photo(label="x"), one)
    dataset = Dataset(tmp_path / "d")
    shards = sorted({photo.shard for photo in dataset.photos})
    assert len(shards) > 3
    assert shards == [f"images-{number:05d}.tar" for number in range(len(shards))]
    order = list(zip(dataset.photos, data, strict=True))
    random.Random(7).shuffle(order)
    for photo, expected in order:
        assert dataset.read(photo) == expected
    assert [one for _, one in dataset.stream()] == data


def test_several_datasets_stream_one_after_another(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ("daisy",))
    second = write(tmp_path / "b", ("roses",))
    streamed = stream_all([Dataset(tmp_path / "b"), Dataset(tmp_path / "a")])
    assert [photo for photo, _ in streamed] == second + first


def test_dataset_without_photos_is_read(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d"):
        pass
    assert Dataset(tmp_path / "d").photos == []
    assert list(Dataset(tmp_path / "d").stream()) == []


@pytest.mark.parametrize(
    "label",
    ["Fliegenpilz männlich", "蘑菇", "a" * 100, "é" * 100, "🍄 x"],
    ids=lambda label: ascii(label[:12]),
)
def test_unicode_and_long_labels_are_kept(tmp_path: Path, label: str) -> None:
    photos = write(tmp_path / "d", (label, "other"))
    dataset = Dataset(tmp_path / "d")
    assert dataset.labels == sorted([label, "other"])
    assert [photo for photo, _ in dataset.stream()] == photos


def test_same_bytes_twice_get_names_of_their_own(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d") as writer:
        photos = [writer.add(Photo(label="x"), b"same") for _ in range(3)]
    assert len({photo.path for photo in photos}) == 3
    dataset = Dataset(tmp_path / "d")
    assert [dataset.read(photo) for photo in dataset.photos] == [b"same"] * 3
    assert len(list(dataset.stream())) == 3


def test_same_photos_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name)
    for file in (MANIFEST, "images-00000.tar"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("label", ["daisy", "Röhrling", "l" * 100])
def test_shards_are_byte_for_byte_what_tarfile_writes(tmp_path: Path, label: str) -> None:
    contents = [content(size, size) for size in (0, 1, 511, 512, 513, 70_000)]
    with DatasetWriter(tmp_path / "dataset") as writer:
        photos = [writer.add(Photo(label), data) for data in contents]
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for photo, data in zip(photos, contents, strict=True):
            member = tarfile.TarInfo(photo.path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    assert (tmp_path / "dataset" / photos[0].shard).read_bytes() == expected.getvalue()
    assert [data for _, data in Dataset(tmp_path / "dataset").stream()] == contents


def test_shard_of_another_tar_program_is_streamed(tmp_path: Path) -> None:
    photos = write(tmp_path / "dataset")
    before = [data for _, data in Dataset(tmp_path / "dataset").stream()]

    def as_gnu_tar_does(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        for member, _ in members[2:]:
            member.mode, member.mtime, member.uname = 0o600, 1_700_000_000, "somebody"

    rewrite_tar(tmp_path / "dataset" / photos[0].shard, as_gnu_tar_does)
    assert [data for _, data in Dataset(tmp_path / "dataset").stream()] == before


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail_midway() -> None:
        with DatasetWriter(tmp_path / "d") as writer:
            writer.add(Photo(label="x"), b"data")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_the_earlier_dataset_intact(tmp_path: Path) -> None:
    photos = write(tmp_path / "d")
    with pytest.raises(InputError), DatasetWriter(tmp_path / "d") as writer:
        writer.add(Photo(label="bad/label"), b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
    assert [photo for photo, _ in Dataset(tmp_path / "d").stream()] == photos


def test_earlier_dataset_is_replaced_whole(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", shard_bytes=1) as writer:
        for number in range(4):
            writer.add(Photo(label="old"), content(number))
    write(tmp_path / "d", ("new",))
    names = sorted(path.name for path in (tmp_path / "d").iterdir())
    assert names == ["ATTRIBUTION.md", DESCRIPTION, "images-00000.tar", MANIFEST]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
    assert Dataset(tmp_path / "d").labels == ["new"]


def test_foreign_directory_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not an earlier output"), DatasetWriter(tmp_path / "d"):
        pass
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["thesis.txt"]
    assert (tmp_path / "d" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    "label",
    [
        *("", " x", "x ", ".hidden", "..", "a/b", "a\\b", "a\nb", "a\x00b", "a\tb", "\udcff"),
        "x" * 101,
        "蘑" * 86,  # 258 bytes: a file name may have 255, so no folder can be called so
    ],
    ids=lambda label: ascii(label[:12]),
)
def test_bad_class_name_is_refused(label: str) -> None:
    with pytest.raises(InputError, match="cannot be a class name"):
        check_label(label)


@pytest.mark.parametrize(
    "label", ["x", "fly agaric", "Amanita muscaria (L.)", "x" * 100, "蘑" * 85], ids=len
)
def test_good_class_name_is_returned(label: str) -> None:
    assert check_label(label) == label


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


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_parts_one_after_another_are_the_whole(tmp_path: Path, count: int) -> None:
    with DatasetWriter(tmp_path / "d", shard_bytes=3000) as writer:
        for number in range(11):
            writer.add(Photo(label="daisy"), content(number))
    whole = list(Dataset(tmp_path / "d").stream())
    parts = [Dataset(tmp_path / "d", part=f"{part}/{count}") for part in range(1, count + 1)]
    assert [one for part in parts for one in part.stream()] == whole
    sizes = [len(part.photos) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_part_reads_only_the_shards_that_it_lies_in(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", shard_bytes=1500) as writer:
        for number in range(12):
            writer.add(Photo(label="daisy"), content(number))
    first, *_, last = sorted((tmp_path / "d").glob("*.tar"))
    flip_byte(first, 600)
    assert len(list(Dataset(tmp_path / "d", part="2/2").stream())) == 6
    with pytest.raises(InputError):
        list(Dataset(tmp_path / "d", part="1/2").stream())
    assert first != last


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "-1/2", "1/2/3", "a/b", "1/2\n"])
def test_what_is_no_part_is_refused(tmp_path: Path, part: str) -> None:
    write(tmp_path / "d")
    with pytest.raises(InputError, match="expected such as 2/4"):
        Dataset(tmp_path / "d", part=part)
