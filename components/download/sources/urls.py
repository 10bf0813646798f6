"""The source `urls`: a list of one's own, as txt, csv or parquet, here or at an address."""

import collections
import contextlib
import csv
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset import licences
from components.common.dataset.photo import check_label
from components.common.store import storage
from components.common.untrusted import tables
from components.common.web.fetch import Fetcher
from components.download.candidate import Candidate, Query

MAX_BYTES = 1024**3
BATCH_ROWS = 4096  # of a parquet file in memory
FEW_ROWS = 10_000  # that a list may have, however small it is
MAX_LINE = 10_000  # characters
COLUMNS = ("url", "label", "licence", "author", "title", "observation", "source_page")
DELIMITERS = (",", ";", "\t")
ALIASES = {"license": "licence"}


def candidates(query: Query) -> Iterator[Candidate]:
    """The URLs of the class, in the order of the list. Lines without a label are of any class."""
    for row in _rows(query.options.url_list, query.fetcher):
        if row.get("label", "") in ("", query.species.label):
            known = licences.parse(row.get("licence", ""))
            yield Candidate(
                url=row["url"],
                title=row.get("title", ""),
                author=row.get("author", ""),
                licence=known.spdx if known else row.get("licence", ""),
                observation=row.get("observation", ""),
                source_page=row.get("source_page", ""),
            )


def labels(url_list: str, fetcher: Fetcher) -> Mapping[str, int]:
    """The classes that a list names, sorted, with the number of their entries.

    Raises:
        InputError: a line has none, so that the list cannot say which classes there are, or one
            that cannot name a class, or there are fewer than two.
    """
    names: collections.Counter[str] = collections.Counter()
    for number, row in enumerate(_rows(url_list, fetcher), start=1):
        if not row.get("label"):
            raise InputError(
                f"{url_list}: entry {number} has no label; expected a column `label`, or lines of "
                "the form `URL label`"
            )
        names[row["label"]] += 1
    if len(names) < 2:
        raise InputError(
            f"{url_list} names {counted(len(names), 'class', 'classes')}: a classifier needs at "
            "least two labels"
        )
    return {check_label(label): names[label] for label in sorted(names)}


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file that say something, without spaces at their ends.

    Raises:
        InputError: it is no text, or has lines longer than any URL.
    """
    for line in _raw_lines(path):
        if line.strip() and not line.startswith("#"):
            yield " ".join(line.split())


def _raw_lines(path: Path) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8-sig", errors="strict", newline="") as file:
            while line := file.readline(MAX_LINE):
                if len(line) == MAX_LINE:
                    raise InputError(f"{path} has a line of more than {MAX_LINE} characters")
                yield line
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no list of URLs: it is no UTF-8 text ({error})") from error


def _rows(url_list: str, fetcher: Fetcher) -> Iterator[Mapping[str, str]]:
    """Each entry as text by column; the format is judged by the content."""
    if not url_list:
        raise InputError("the source urls needs --url_list, a txt, csv or parquet file (URLS=file)")
    with _local(url_list, fetcher) as path:
        yield from _rows_of_file(path)


def _rows_of_file(path: Path) -> Iterator[Mapping[str, str]]:
    with open(path, "rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        return _parquet(path)
    first = next(_raw_lines(path), "").strip()
    for delimiter in DELIMITERS:
        columns = [_column(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
        if "url" in columns:
            return _csv(path, delimiter)
    if any(delimiter in first for delimiter in DELIMITERS) and "://" not in first:
        raise InputError(f"{path} has no column `url`; its first line is {first!r:.200}")
    return _text(path)


def _parquet(path: Path) -> Iterator[Mapping[str, str]]:
    try:
        with tables.opened(path) as file:
            names = _names(path, file.schema_arrow)
            about = file.metadata
            # An address of its own in each row takes a byte at least, however they are packed.
            most_bytes = tables.check_footer(about, most_rows=path.stat().st_size + FEW_ROWS)
            texts = tables.texts(about)
        places = [n for n in range(about.num_columns) if about.schema.column(n).path in names]
        tables.check_pages(path, about, places, most_bytes)
        with tables.opened(path, texts) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                tables.check_texts(batch, min(most_bytes, tables.ALLOWANCE_BYTES))
                for row in batch.to_pylist():
                    yield _clean(row)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is a damaged parquet file: {error}") from error


def _names(path: Path, schema: pa.Schema) -> list[str]:
    """The columns that are read, each of text or numbers."""
    names = [name for name in schema.names if _column(name) in COLUMNS]
    if "url" not in map(_column, names):
        raise InputError(f"{path} has no column `url`; it has {tables.shown(schema.names)}")
    if len({_column(name) for name in names}) < len(names):
        raise InputError(f"{path} has a column twice: {tables.shown(names)}")
    for name in names:
        kind = schema.field(name).type
        if not (tables.is_text(kind) or pa.types.is_integer(kind)):
            raise InputError(f"{path}: the column {name!r:.40} is of the type {kind}, not of text")
    return names


def _csv(path: Path, delimiter: str) -> Iterator[Mapping[str, str]]:
    try:
        for row in csv.DictReader(_raw_lines(path), delimiter=delimiter):
            yield _clean(row)
    except csv.Error as error:
        raise InputError(f"{path} is no csv file: {error}") from error


def _text(path: Path) -> Iterator[Mapping[str, str]]:
    for line in lines(path):
        url, _, label = line.partition(" ")
        yield {"url": url, "label": label.strip()}


def _clean(row: Mapping[Any, Any]) -> Mapping[str, str]:
    named = {_column(str(name)): _plain(value) for name, value in row.items() if value}
    return {"url": "", **{name: value for name, value in named.items() if name in COLUMNS}}


def _plain(value: Any) -> str:
    """A cell as text; parquet written by other tools may hold text as bytes."""
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip()


def _column(name: str) -> str:
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


@contextlib.contextmanager
def _local(url_list: str, fetcher: Fetcher) -> Iterator[Path]:
    """The list as a file here, while the block lasts."""
    if url_list.startswith(("http://", "https://")):
        yield fetcher.file(url_list, max_bytes=MAX_BYTES).path
        return
    if storage.is_uri(url_list):
        # Not into the cache, which may be shared: a private list may hold signed addresses.
        with tempfile.NamedTemporaryFile() as file:
            file.write(storage.read_place(url_list, max_bytes=MAX_BYTES))
            file.flush()
            yield Path(file.name)
        return
    path = Path(url_list).expanduser()
    if not path.is_file():
        problem = f"{path} is a folder" if path.is_dir() else f"there is no URL list at {path}"
        raise InputError(f"{problem}: expected a txt, csv or parquet file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES} bytes")
    yield path
