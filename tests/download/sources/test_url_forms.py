"""Lists as people's programs write them: each form is read as it is meant, or refused in a line."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common.base.errors import InputError
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher
from components.download.candidate import Candidate, Query
from components.download.download import class_names
from components.download.options import DownloadOptions
from components.download.sources import urls

ONE, TWO = "https://a.org/1.jpg", "https://a.org/2.jpg"
QUERY = "?size=w_303,h_170,c_fill"


def options(tmp_path: Path, path: Path) -> DownloadOptions:
    return DownloadOptions(source="urls", url_list=str(path), cache_dir=str(tmp_path / "cache"))


def found(tmp_path: Path, path: Path, label: str) -> list[Candidate]:
    given = options(tmp_path, path)
    with Fetcher(tmp_path / "cache") as fetcher:
        return list(urls.candidates(Query(Species(label), given, fetcher)))


TEXTS = {
    "csv": f"url,label\n{ONE},fly agaric\n{TWO},elf cup\n",
    "csv of Windows": f"\ufeffURL,Label\r\n{ONE},fly agaric\r\n{TWO},elf cup\r\n",
    "csv with every value in quotes": f'"url","label"\n"{ONE}","fly agaric"\n"{TWO}","elf cup"\n',
    "csv with blanks": f'url, label\n{ONE}, "fly agaric"\n{TWO}, elf cup\n',
    "csv of Excel": f"sep=;\r\nurl;label\r\n{ONE};fly agaric\r\n{TWO};elf cup\r\n",
    "csv behind a remark": f"# mine\n\nurl,label\n{ONE},fly agaric\n{TWO},elf cup",
    "csv with empty columns at its end": f"url,label,,\n{ONE},fly agaric,,,,\n{TWO},elf cup\n\n",
    "no header": f"{ONE},fly agaric\n{TWO},elf cup\n",
    "no header, with blanks": f"{ONE}, fly agaric\r\n{TWO}, elf cup\r\n",
    "no header, in quotes": f'\ufeff"{ONE}","fly agaric"\n"{TWO}","elf cup"\n',
    "no header, semicolons": f"{ONE};fly agaric\n{TWO};elf cup\n",
    "no header, tabs": f"{ONE}\tfly agaric\n{TWO}\telf cup\n",
    "text": f"{ONE} fly agaric\n\n{TWO}   elf cup\n",
    "text in quotes": f'"{ONE}" "fly agaric"\r\n"{TWO}" "elf cup"\r\n',
    "text with labels in quotes": f'{ONE} "fly agaric"\n{TWO} "elf cup"\n',
}


@pytest.mark.parametrize("form", TEXTS)
def test_list_is_read_in_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(TEXTS[form].encode())
    assert class_names(options(tmp_path, path)) == ["elf cup", "fly agaric"]
    assert [one.url for one in found(tmp_path, path, "fly agaric")] == [ONE]
    assert [one.url for one in found(tmp_path, path, "elf cup")] == [TWO]


ADDRESSES = {
    "commas behind a question mark": f"{ONE}{QUERY} daisy\n{TWO}{QUERY} rose\n",
    "commas in the path": f"{ONE}/w_3,h_1/1.jpg daisy\n{TWO}/w_3,h_1/1.jpg rose\n",
    "a comma in a label": f"{ONE} daisy, red\n{TWO} rose, red\n",
    "a comma in a quoted label": f'"{ONE}","daisy, red"\n"{TWO}","rose, red"\n',
    "a semicolon in a label": f"{ONE},daisy;red\n{TWO},rose;red\n",
    "a comma before a tab": f"{ONE}?a=1,2\tdaisy red\n{TWO}?a=1,2\trose red\n",
    "semicolons in the address": f"{ONE}?a=1;b=2,daisy\n{TWO}?a=1;b=2,rose\n",
    "a comma in quotes": f'"{ONE}?a=1,2",daisy\n"{TWO}?a=1,2",rose\n',
    "quotes in a label": f'{ONE} daisy "red"\n{TWO} rose "x" or "y"\n',
    "a doubled quote": f'{ONE} "daisy ""red"""\n{TWO} rose\n',
}


@pytest.mark.parametrize("form", ADDRESSES)
def test_commas_and_quotes_stay_where_they_belong(tmp_path: Path, form: str) -> None:
    path = tmp_path / "list"
    path.write_text(ADDRESSES[form])
    daisy, rose = class_names(options(tmp_path, path)) or []
    assert (daisy[:5], rose[:4]) == ("daisy", "rose")
    (one,) = found(tmp_path, path, daisy)
    line = ADDRESSES[form].splitlines()[0].replace('""', '"')
    assert line.strip('"').startswith(one.url)
    assert line.strip('"').endswith(daisy.strip('"'))
    assert len(line) - len(one.url) - len(daisy) <= 5  # nothing is lost but what parts and quotes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"url,label\n{ONE}{QUERY},daisy\n", "an entry has 4 columns, and the list has 2 .*quotes"),
        (f"{ONE},daisy,CC0\n{TWO},rose,CC0\n", "does not say which columns .*such as url,label"),
        (f"{ONE}?a=1,2 daisy\n{TWO}?a=1,2 rose\n", "does not say which columns"),
        (f"{ONE};daisy;x\n", "does not say which columns .*such as url;label"),
        (f"daisy,{ONE}\nrose,{TWO}\n", "has the label before the address .*: swap them"),
        (f'"fly agaric";"{ONE}"\nrose;{TWO}\n', "has the label before the address"),
        (f"fly agaric {ONE}\nrose {TWO}\n", "has the label before the address"),
        (f"url,label\ndaisy,{ONE}\nrose,{TWO}\n", "is an address, and its url is 'daisy': swap"),
        (f"url,label,Label\n{ONE},daisy,rose\n", "has a column twice"),
        (f"url,licence,license\n{ONE},cc0,cc0\n", "has a column twice"),
        (f"url,label\n{ONE},daisy\n".encode("utf-16"), "not UTF-8 text .*: save it as UTF-8"),
        (f"url;label\n{ONE};Röhrling\n".encode("latin-1"), "not UTF-8 text .*: save it as UTF-8"),
    ],
)
def test_list_that_could_be_misread_is_refused_in_a_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    path = tmp_path / "list"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError, match=message) as caught:
        class_names(options(tmp_path, path))
    assert "\n" not in str(caught.value)


DAY = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
LABELS = {
    "whole numbers": (pa.array([0, 1]), ["0", "1"]),
    "small numbers": (pa.array([0, 7], pa.uint8()), ["0", "7"]),
    "numbers that became fractions": (pa.array([0.0, 1.0]), ["0", "1"]),
    "fractions": (pa.array([0.5, 1.5], pa.float32()), ["0.5", "1.5"]),
    "dates": (pa.array([DAY.date(), DAY.date().replace(day=2)]), ["2024-05-01", "2024-05-02"]),
    "dates that became times": (
        pa.array([DAY, DAY.replace(day=2)], pa.timestamp("ns")),
        ["2024-05-01", "2024-05-02"],
    ),
    "texts": (pa.array(["0", " b "]), ["0", "b"]),
    "bytes": (pa.array([b"0", b"b"]), ["0", "b"]),
    "categories": (pa.array(["0", "b"]).dictionary_encode(), ["0", "b"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_a_parquet_file_may_be_numbers_and_dates(tmp_path: Path, kind: str) -> None:
    column, labels = LABELS[kind]
    path = tmp_path / "list.parquet"
    table = {"url": [ONE, TWO], "label": column, "author": pa.nulls(2), "title": [float("nan")] * 2}
    pq.write_table(pa.table(table), path)
    assert class_names(options(tmp_path, path)) == labels
    (one,) = found(tmp_path, path, labels[0])
    assert (one.url, one.author, one.title) == (ONE, "", "")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"url": [1, 2]}, "the column 'url' is of the type int64, not of text"),
        ({"url": [DAY, DAY]}, "the column 'url' is of the type timestamp"),
        ({"label": [True, False]}, "the column 'label' is of the type bool, not of text"),
        ({"label": [["a"], ["b"]]}, "the column 'label' is of the type list"),
        ({"label": [{"a": 1}, {"a": 2}]}, "the column 'label' is of the type struct"),
        ({"author": [b"x" * 4, b"y" * 4]}, ""),
        ({"author": pa.array([b"xx", b"yy"], pa.binary(2))}, "the type fixed_size_binary"),
    ],
)
def test_column_of_a_wrong_type_is_refused_in_a_line(
    tmp_path: Path, columns: dict[str, list[object]], message: str
) -> None:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"url": [ONE, TWO], "label": ["a", "b"]} | columns), path)
    if not message:
        assert class_names(options(tmp_path, path)) == ["a", "b"]
        return
    with pytest.raises(InputError, match=message) as caught:
        class_names(options(tmp_path, path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("tulip", "has no photo of 'tulip'; its classes are daisy, rose"),
        ("Daisy", "has no photo of 'Daisy', but 'daisy': write the same in both"),
    ],
)
def test_class_that_a_list_has_not_is_named(tmp_path: Path, label: str, message: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"url,label\n{ONE},daisy\n{TWO},rose\n")
    with pytest.raises(InputError, match=message):
        found(tmp_path, path, label)
