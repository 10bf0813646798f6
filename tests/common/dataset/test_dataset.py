"""The dataset artifact: what is written is read back, whole or by parts."""

import dataclasses
import io
import random
import tarfile
from pathlib import Path

import pytest
from dataset_files import content, flip_byte, rewrite_tar, write

from components.common.base.errors import InputError
from components.common.dataset.dataset import (
    DESCRIPTION,
    MANIFEST,
    SCHEMA,
    Dataset,
    DatasetWriter,
    stream_all,
)
from components.common.dataset.photo import Photo, check_label

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
