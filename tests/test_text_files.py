"""Every text file that people hand over, as Windows saves it: with a byte order mark and CR LF."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.common.dataset import decisions
from components.common.dataset.species import Species, read_species
from components.common.web.fetch import Fetcher
from components.download.candidate import Query
from components.download.options import DownloadOptions
from components.download.sources import imagenet, urls
from components.label_image.graph import read_labels
from programs.submit.target import read_secret

Read = Callable[[Path], object]


def urls_of(path: Path) -> object:
    given = DownloadOptions(source="urls", url_list=str(path), cache_dir=f"{path}.cache")
    with Fetcher(Path(given.cache_dir)) as fetcher:
        query = Query(Species("a b"), given, fetcher)
        return [candidate.url for candidate in urls.candidates(query)]


def synset(path: Path) -> object:
    given = DownloadOptions(source="imagenet", imagenet=str(path), cache_dir=f"{path}.cache")
    with Fetcher(Path(given.cache_dir)) as fetcher:
        query = Query(Species("x", wordnet_id="n00000001"), given, fetcher)
        return [(candidate.title, candidate.url) for candidate in imagenet.candidates(query)]


def decided(path: Path) -> object:
    return decisions.read(str(path)).decided


DECISIONS = {
    "format": decisions.FORMAT,
    "format_version": decisions.FORMAT_VERSION,
    "decisions": [{"label": "a b", "source_sha256": "a" * 64, "decision": "drop"}],
}
FILES: dict[str, tuple[str, Read]] = {
    "labels": ("a b\nrose\n", read_labels),
    "species": ("species:\n  - label: a b\n  - label: rose\n", read_species),
    "decisions": (json.dumps(DECISIONS, indent=1), decided),
    "list, text": ("https://a.org/1.jpg a b\nhttps://a.org/2.jpg rose\n", urls_of),
    "list, csv": ("url,label\nhttps://a.org/1.jpg,a b\nhttps://a.org/2.jpg,rose\n", urls_of),
    "list, csv without a header": ("https://a.org/1.jpg,a b\nhttps://a.org/2.jpg,rose", urls_of),
    "list of a synset": ("n00000001_1 https://a.org/1.jpg\nhttps://a.org/2.jpg\n", synset),
    "token": ("secret\n", lambda path: read_secret(str(path), "--token_file")),
}


@pytest.mark.parametrize("kind", FILES)
def test_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path, kind: str) -> None:
    text, read = FILES[kind]
    path = tmp_path / "file.txt"
    path.write_bytes(text.encode())
    plain = read(path)
    assert plain
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n")
    assert read(path) == plain
