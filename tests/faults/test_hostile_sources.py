"""Sources that harm: answers that never end, numbers of a thousand digits, megabytes of markup."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.species import Species
from components.common.photos import images
from components.common.untrusted import tables
from components.common.web.fetch import Fetcher
from components.download.candidate import Candidate, Query
from components.download.download import _row, download
from components.download.options import DownloadOptions
from components.download.sources import commons, inaturalist, urls

SPECIES = Species("fly agaric", latin="Amanita muscaria", taxa=("Amanita muscaria",))
MOST_QUESTIONS = 100


class Answers:
    """A service in place of the network: each question gets an answer, of any shape."""

    def __init__(self, observations: list[Any]) -> None:
        self.observations = observations
        self.asked = 0

    def json(self, url: str, params: Mapping[str, Any]) -> Any:
        self.asked += 1
        assert self.asked <= MOST_QUESTIONS, "the service is asked for ever"
        if url.endswith("/taxa"):
            return {"results": [{"id": 7, "name": "Amanita muscaria"}]}
        return {"results": self.observations}


def asked(observations: list[Any], **options: Any) -> tuple[list[Candidate], int]:
    answers = Answers(observations)
    query = Query(SPECIES, DownloadOptions(**options), cast(Fetcher, answers))
    found = list(itertools.islice(inaturalist.candidates(query), 100_000))
    return found, answers.asked


def observation(number: Any) -> dict[str, Any]:
    url = f"{inaturalist.BUCKET}{1}/square.jpg"
    return {"id": number, "photos": [{"url": url, "license_code": "cc-by"}]}


@pytest.mark.parametrize("number", [1, "1", 0, "x", "9" * 5000, "٣", None, -5])
def test_service_that_repeats_its_page_for_ever_is_left(number: Any) -> None:
    found, questions = asked([observation(number)] * inaturalist.PER_PAGE)
    assert questions < 20
    assert len(found) <= questions * inaturalist.PER_PAGE


def test_broken_markup_of_a_megabyte_is_read_in_part() -> None:
    # Each of these starts something that never ends, and the parser looks for its end each time.
    for piece in ("<!", "<!--", "<a b='", "</a ", "<![CDATA[", "&#x", "<?x "):
        commons.plain(piece * 300_000)
    assert commons.plain("<b>Ann</b> &amp; Bo") == "Ann & Bo"
    assert len(commons.plain("x" * 1_000_000)) <= commons.MAX_MARKUP


def test_text_of_megabytes_is_cut_so_that_the_dataset_can_be_read(tmp_path: Path) -> None:
    photos, long = tmp_path / "photos" / "daisy", "🍄" * 100_000
    photos.mkdir(parents=True)
    (photos / "1.jpg").write_bytes(images.encode(np.full((64, 64, 3), 9, np.uint8)))
    row = _row("daisy", "urls", Candidate(long, long, long, long, long, long))
    for name in ("source_url", "source_page", "title", "author", "licence", "observation"):
        assert 1000 < len(getattr(row, name).encode()) < tables.MAX_TEXT_BYTES
    options = DownloadOptions(
        source="folder",
        image_dir=str(tmp_path / "photos"),
        min_per_class=1,
        cache_dir=str(tmp_path / "cache"),
    )
    download(["daisy"], tmp_path / "out", options)
    assert [photo.label for photo in Dataset(tmp_path / "out").photos] == ["daisy"]
    assert isinstance(row, Photo)


def listed(path: Path) -> list[str]:
    with Fetcher(path.parent / "cache") as fetcher:
        return urls.labels(str(path), fetcher)


def repeated(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array([text]))


@pytest.mark.parametrize(
    ("url", "label", "rows", "message"),
    [
        ("https://a/1.jpg", "daisy", 1_000_000, "claims 1000000 rows"),
        ("https://a/1.jpg", "x" * 70_000, 3, "'label' has more than 65536 bytes"),
        ("https://a/" + "x" * 60_000, "daisy", 4000, "its texts take"),
    ],
)
def test_list_that_is_huge_in_memory_is_refused(
    tmp_path: Path, url: str, label: str, rows: int, message: str
) -> None:
    table = pa.table({"url": repeated(url, rows), "label": repeated(label, rows)})
    pq.write_table(table, tmp_path / "l.parquet", store_schema=False, compression="zstd")
    assert (tmp_path / "l.parquet").stat().st_size < 200_000
    with pytest.raises(InputError, match=message):
        listed(tmp_path / "l.parquet")


def test_list_of_a_thousand_columns_is_refused_in_a_short_message(tmp_path: Path) -> None:
    table = pa.table({f"<script>{number}": ["x"] for number in range(1000)})
    pq.write_table(table, tmp_path / "l.parquet")
    with pytest.raises(InputError, match="has no column `url`") as caught:
        listed(tmp_path / "l.parquet")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"url,label\nhttps://a/1.jpg,a\nhttps://a/2.jpg," + b"x" * 200, "cannot be a class name"),
        (b"https://a/1.jpg a\nhttps://a/2.jpg ../up\n", "cannot be a class name"),
        (b"url,label\n" + b"https://a/1.jpg,\x1b[2J\n" * 3 + b"https://a,b", "cannot be a class"),
        (b"https://a/1.jpg " + b"x" * 20_000, "a line of more than 10000"),
        (b'url,label\n"' + b"x\n" * 200_000, "is not a csv file"),
        (b"\x00" * 20_000, "a line of more than"),
        (b"\xff\xfe" + "https://a/1.jpg a".encode("utf-16-le"), "not UTF-8"),
    ],
)
def test_list_that_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "l.txt").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        listed(tmp_path / "l.txt")
    assert len(str(caught.value)) < 600
    assert "\x1b" not in str(caught.value)
