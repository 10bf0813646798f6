"""Lists of one's own: txt, csv and parquet, here, on the web and in object storage."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_stores import google_emulator
from photo_server import Answer, PhotoServer, serve
from services import photo

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.download.download import class_names, download
from components.download.options import DownloadOptions


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    """/7.jpg is photo 7; any other path is not there."""

    def behave(path: str, _: int) -> Answer:
        number = path.strip("/").removesuffix(".jpg")
        return Answer(photo(int(number))) if number.isdecimal() else Answer(status=404)

    with serve(behave) as running:
        yield running


def options(tmp_path: Path, url_list: object, **more: object) -> DownloadOptions:
    settings = {"min_per_class": 1, "allow_private_hosts": "localhost"} | more
    return DownloadOptions(
        source="urls",
        url_list=str(url_list),
        cache_dir=str(tmp_path / "cache"),
        **settings,  # type: ignore[arg-type]
    )


def rows(tmp_path: Path, url_list: object, label: str = "daisy", **more: object) -> list[Photo]:
    download([label], tmp_path / "out", options(tmp_path, url_list, **more))
    return Dataset(tmp_path / "out").photos


def write_csv(path: Path, server: PhotoServer) -> Path:
    lines = [
        "URL,label,license,Author,title,camera",
        f'{server.address}/1.jpg,daisy,CC BY 4.0,"Lovelace, Ada",One,X',
        f"{server.address}/2.jpg,rose,cc0,Bo,Two,Y",
        f"{server.address}/3.jpg,daisy,,,,",
        f"{server.address}/6.jpg,daisy,All rights reserved,,,",
        f"{server.address}/4.jpg,daisy,CC BY-NC 4.0,,,",
        f"{server.address}/5.jpg,daisy,CC BY-ND 4.0,,,",
    ]
    path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    return path


def test_csv_says_what_is_known(tmp_path: Path, server: PhotoServer) -> None:
    path = write_csv(tmp_path / "list.csv", server)
    assert class_names(options(tmp_path, path)) == ["daisy", "rose"]
    first, second = rows(tmp_path, path)
    assert (first.author, first.licence, first.title) == ("Lovelace, Ada", "CC-BY-4.0", "One")
    assert first.source_url == f"{server.address}/1.jpg"
    assert second.licence == ""
    assert "/6.jpg" not in server.paths()  # a licence that cannot be read
    assert "/4.jpg" not in server.paths()  # non-commercial
    assert "/5.jpg" not in server.paths()  # no derivatives
    (rose,) = rows(tmp_path, path, "rose")
    assert rose.licence == "CC0-1.0"


def test_non_commercial_photos_are_taken_when_asked_for(
    tmp_path: Path, server: PhotoServer
) -> None:
    path = write_csv(tmp_path / "list.csv", server)
    found = rows(tmp_path, path, licences="cc-by,cc-by-nc")
    assert [row.licence for row in found] == ["CC-BY-4.0", "", "CC-BY-NC-4.0"]


def test_text_holds_a_url_and_a_label_a_line(tmp_path: Path, server: PhotoServer) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        f"# my list\n{server.address}/1.jpg fly agaric\n\n{server.address}/2.jpg\tfly agaric\n"
        f"{server.address}/3.jpg  daisy\n{server.address}/1.jpg fly agaric\n"
    )
    assert class_names(options(tmp_path, path)) == ["daisy", "fly agaric"]
    assert len(rows(tmp_path, path, "fly agaric")) == 2


def test_lines_without_a_label_are_of_the_class_that_is_asked_for(
    tmp_path: Path, server: PhotoServer
) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{server.address}/{n}.jpg\n" for n in range(3)))
    assert [row.label for row in rows(tmp_path, path, "anything")] == ["anything"] * 3
    with pytest.raises(InputError, match="entry 1 has no label"):
        class_names(options(tmp_path, path))


def test_parquet_is_read_whatever_it_is_called(tmp_path: Path, server: PhotoServer) -> None:
    table = {"url": [f"{server.address}/{n}.jpg" for n in range(3)], "label": [7, 7, 8]}
    pq.write_table(pa.table(table | {"more": [None] * 3}), tmp_path / "list.bin")
    assert class_names(options(tmp_path, tmp_path / "list.bin")) == ["7", "8"]
    assert len(rows(tmp_path, tmp_path / "list.bin", "7")) == 2


def test_list_may_be_on_the_web(tmp_path: Path, server: PhotoServer) -> None:
    content = write_csv(tmp_path / "list.csv", server).read_bytes()
    with serve(lambda *_: Answer(content, headers={"Content-Type": "text/csv"})) as web:
        assert len(rows(tmp_path, f"{web.address}/list.csv")) == 2
        assert len(rows(tmp_path, f"{web.address}/list.csv")) == 2
        assert len(web.requests) == 1  # from the cache


def test_list_may_be_in_object_storage(tmp_path: Path, server: PhotoServer) -> None:
    content = write_csv(tmp_path / "list.csv", server).read_bytes()
    (tmp_path / "gs").mkdir()
    with google_emulator(tmp_path / "gs") as store:
        store.put("lists/list.csv", content)
        assert len(rows(tmp_path, f"{store.prefix}/lists/list.csv")) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00 binary", "not UTF-8 text"),
        ("url,label\nhttps://a.org/1.jpg,daisy\n".encode("utf-16"), "not UTF-8 text"),
        (b'url,title\nhttps://a.org/1.jpg,"no end' + b"\nline" * 50_000, "not a csv file"),
        (b"x" * 20_000, "a line of more than 10000 characters"),
        (b"PAR1 no parquet", "damaged parquet"),
    ],
)
def test_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(InputError, match=message):
        rows(tmp_path, tmp_path / "list")


def test_parquet_without_addresses_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["x"], "label": ["daisy"]}), tmp_path / "list.parquet")
    with pytest.raises(InputError, match="no column `url`"):
        rows(tmp_path, tmp_path / "list.parquet")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_of_other_countries_is_read(
    tmp_path: Path, server: PhotoServer, delimiter: str
) -> None:
    lines = [["label", "url"], ["daisy", f"{server.address}/1.jpg"]]
    (tmp_path / "list.csv").write_text("\n".join(map(delimiter.join, lines)))
    (row,) = rows(tmp_path, tmp_path / "list.csv")
    assert row.source_url == f"{server.address}/1.jpg"


def test_photos_without_a_licence_are_taken_with_a_warning(
    tmp_path: Path, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    rows(tmp_path, write_csv(tmp_path / "list.csv", server))
    told = (tmp_path / "events").read_text()
    assert "daisy: 1 photo of the list has no known licence" in told
    assert "1  unknown licence" in told


def test_csv_without_addresses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("link,label\nhttp://a.org/1.jpg,daisy\n")
    with pytest.raises(InputError, match="no column `url`; its first line is 'link,label'"):
        rows(tmp_path, tmp_path / "list.csv")


@pytest.mark.parametrize("url_list", ["nowhere.csv", ""])
def test_list_that_is_not_there_is_refused(tmp_path: Path, url_list: str) -> None:
    with pytest.raises(InputError, match=r"no URL list at|needs --url_list"):
        rows(tmp_path, tmp_path / url_list if url_list else "")


def test_private_hosts_are_refused_and_the_table_says_so(
    tmp_path: Path, server: PhotoServer
) -> None:
    path = write_csv(tmp_path / "list.csv", server)
    with pytest.raises(WorkError) as caught:
        rows(tmp_path, path, allow_private_hosts="")
    assert "only 0 photos of 'daisy'" in str(caught.value)
    assert "2  refused address" in str(caught.value)
    assert "--allow_private_hosts localhost (make run" in str(caught.value)
    assert server.requests == []


def test_other_addresses_than_of_the_web_are_counted(tmp_path: Path, server: PhotoServer) -> None:
    path = tmp_path / "list.txt"
    bad = ["file:///etc/passwd", "gs://bucket/1.jpg", "not an address", "", "http://[bad/1.jpg"]
    path.write_text("url,label\n" + "".join(f"{url},daisy\n" for url in bad))
    with pytest.raises(WorkError, match=r"5  no web address"):
        rows(tmp_path, path)


def test_text_may_have_windows_marks_and_ends(tmp_path: Path, server: PhotoServer) -> None:
    path = tmp_path / "list.txt"
    text = f"# mine\r\n{server.address}/1.jpg fly agaric\r\n\r\n{server.address}/2.jpg elf cup\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert class_names(options(tmp_path, path)) == ["elf cup", "fly agaric"]
    assert len(rows(tmp_path, path, "fly agaric")) == 1


def test_quoted_text_may_span_lines(tmp_path: Path, server: PhotoServer) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f'url,title,label\n{server.address}/1.jpg,"On ""moss"",\nin rain",daisy\n')
    (photo_row,) = rows(tmp_path, path)
    assert photo_row.title == 'On "moss",\nin rain'


def test_parquet_may_spell_columns_otherwise_and_hold_bytes(
    tmp_path: Path, server: PhotoServer
) -> None:
    path = tmp_path / "list.parquet"
    table = {"URL": [f"{server.address}/1.jpg".encode()], "Label": ["daisy"], "License": ["cc-by"]}
    pq.write_table(pa.table(table), path)
    (photo_row,) = rows(tmp_path, path)
    assert photo_row.licence == "CC-BY"


def test_parquet_with_text_that_is_none_is_refused(tmp_path: Path) -> None:
    buffers = [None, pa.py_buffer(b"\0\0\0\0\3\0\0\0"), pa.py_buffer(b"\xff\xfe\xfd")]
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"url": pa.Array.from_buffers(pa.string(), 1, buffers)}), path)
    with pytest.raises(InputError, match="damaged parquet"):
        rows(tmp_path, path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"# nothing\n"])
def test_empty_list_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match="names 0 classes: a classifier needs at least two"):
        class_names(options(tmp_path, tmp_path / "list.txt"))
    with pytest.raises(WorkError, match="only 0 photos"):
        rows(tmp_path, tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["daisy", "daisy"], "names 1 class:"), (["daisy", "../up"], "cannot be a class name")],
)
def test_labels_that_make_no_classes_are_refused(
    tmp_path: Path, labels: list[str], message: str
) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"https://a.org/{label}.jpg {label}\n" for label in labels))
    with pytest.raises(InputError, match=message):
        class_names(options(tmp_path, path))
