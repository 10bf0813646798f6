"""The source `urls`: a list of one's own, as txt, csv or parquet, here or at an address."""

import collections
import contextlib
import csv
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from components.common.base.errors import InputError
from components.common.base.wording import counted, named
from components.common.dataset import licences
from components.common.dataset.photo import check_labels, other_spelling
from components.common.store import storage
from components.common.untrusted import tables
from components.common.web.fetch import Fetcher
from components.download.candidate import Candidate, Query

MAX_BYTES = 1024**3
BATCH_ROWS = 4096  # of a parquet file in memory
FEW_ROWS = 10_000  # that a list may have, however small it is
MAX_LINE = 10_000  # characters
MAX_LABELS = 1000  # that are kept for a message
SHOWN, LONGEST = 20, 100  # labels in a message, and characters of each
COLUMNS = ("url", "label", "licence", "author", "title", "observation", "source_page")
HEADER = ("url", "label")  # of a list that has none
DELIMITERS = (",", ";", "\t")
ALIASES = {"license": "licence"}


def candidates(query: Query) -> Iterator[Candidate]:
    """The URLs of the class, in the order of the list. Lines without a label are of any class.

    Raises:
        InputError: the list cannot be read, or names classes and not this one.
    """
    place, wanted = query.options.url_list, query.species.label
    found, others = False, dict[str, None]()
    for row in _rows(place, query.fetcher):
        label = row.get("label", "")
        if label in ("", wanted):
            found = True
            known = licences.parse(row.get("licence", ""))
            yield Candidate(
                url=row["url"],
                title=row.get("title", ""),
                author=row.get("author", ""),
                licence=known.spdx if known else row.get("licence", ""),
                observation=row.get("observation", ""),
                source_page=row.get("source_page", ""),
            )
        elif len(others) < MAX_LABELS:
            others[label] = None
    if others and not found:
        twin = other_spelling(wanted, others)
        hint = f", but {twin!a}: write the same in both" if twin else ""
        raise InputError(
            f"{place} has no photo of {wanted!r}{hint}; its classes are "
            f"{named(sorted(others), most=SHOWN, longest=LONGEST)}"
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
    return {label: names[label] for label in check_labels(sorted(names), url_list)}


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
        raise InputError(
            f"{path} is not a list of URLs: it is not UTF-8 text ({error}): save it as UTF-8"
        ) from error


def _rows(url_list: str, fetcher: Fetcher) -> Iterator[Mapping[str, str]]:
    """Each entry as text by column; the format is judged by the content."""
    if not url_list:
        raise InputError("the source urls needs --url_list, a txt, csv or parquet file (URLS=file)")
    with _local(url_list, fetcher) as path:
        for row in _rows_of_file(path):
            if "://" in row.get("label", "") and "://" not in row["url"]:
                raise InputError(
                    f"{url_list}: the label of an entry is an address, and its url is "
                    f"{row['url']!r:.100}: swap the names of these two columns"
                )
            yield row


def _rows_of_file(path: Path) -> Iterator[Mapping[str, str]]:
    with open(path, "rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        return _parquet(path)
    first = next(_from_first(path), "").strip()
    for delimiter in DELIMITERS:
        if "url" in map(_column, _cells(first, delimiter)):
            return _csv(path, delimiter)
    for delimiter in ("\t", ",", ";"):  # no address holds a tab
        if _lacks_header(path, first, delimiter):
            return _csv(path, delimiter, HEADER)
    _refuse_swapped(path, first)
    if any(delimiter in first for delimiter in DELIMITERS) and "://" not in first:
        raise InputError(f"{path} has no column `url`; its first line is {first!r:.200}")
    return _text(path)


def _refuse_swapped(path: Path, first: str) -> None:
    """Raise `InputError` for a list without a header whose labels stand before the addresses."""
    for delimiter in (*DELIMITERS, " "):
        label, found, address = (first.rpartition if delimiter == " " else first.partition)(
            delimiter
        )
        address = address.strip().strip('"')
        is_address = address.startswith(("http://", "https://")) and " " not in address
        if found and is_address and "://" not in label:
            raise InputError(
                f"{path} has the label before the address ({first!r:.200}): swap them, or write "
                f"{','.join(reversed(HEADER))} as its first line, if commas part them"
            )


def _lacks_header(path: Path, first: str, delimiter: str) -> bool:
    """Whether a list is csv with two columns, URL and label, from its first line on.

    A line of text, `URL label`, may hold delimiters too: in the label, in the path of the address,
    where a slash follows, or behind its question mark, where there are usually several.

    Raises:
        InputError: it has other columns, or could be read in both ways.
    """
    cells = _cells(first, delimiter)
    address = cells[0] if len(cells) > 1 else ""
    if "://" not in address or " " in address or "/" in cells[-1]:
        return False
    quoted = first.startswith('"') or delimiter == "\t"
    queried = "?" in address and " " in first and not quoted
    if queried and len(cells) > 2:
        return False
    if queried or len(cells) > 2:
        raise InputError(
            f"{path} does not say which columns it has: write them as its first line, such as "
            f"{delimiter.join(HEADER)}; it begins with {first!r:.200}"
        )
    return True


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
                columns = [_as_texts(column) for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    yield _clean(dict(zip(map(_column, names), cells, strict=True)))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is a damaged parquet file: {error}") from error


def _names(path: Path, schema: pa.Schema) -> list[str]:
    """The columns that are read, each of text or numbers."""
    names = [name for name in schema.names if _column(name) in COLUMNS]
    if "url" not in map(_column, names):
        raise InputError(f"{path} has no column `url`; it has {tables.shown(schema.names)}")
    _check_unique(path, names)
    for name in names:
        kind = schema.field(name).type
        fits = tables.is_text(kind) or (_column(name) != "url" and _becomes_text(kind))
        if not fits:
            raise InputError(f"{path}: the column {name!r:.40} is of the type {kind}, not of text")
    return names


def _becomes_text(kind: pa.DataType) -> bool:
    """True for what people number and date with, and for a column without any value."""
    types = pa.types
    checks = (types.is_integer, types.is_floating, types.is_date, types.is_timestamp, types.is_null)
    return any(check(kind) for check in checks)


def _as_texts(column: pa.Array) -> list[str | None]:
    """The values as people write them: 1.0 is "1", as numbers beside gaps become fractions.

    Raises:
        pa.ArrowException: a date is none.
    """
    if tables.is_text(column.type):
        return [None if value is None else _plain(value) for value in column.to_pylist()]
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    if pa.types.is_floating(column.type):
        return [None if text == "nan" else text for text in texts]
    # Midnight is how a date becomes a time.
    return [text and text.partition(" 00:00:00")[0] for text in texts]


def _check_unique(path: Path, names: Sequence[str]) -> None:
    if len({_column(name) for name in names}) < len(names):
        raise InputError(f"{path} has a column twice: {tables.shown(list(names))}")


def _csv(path: Path, delimiter: str, header: Sequence[str] = ()) -> Iterator[Mapping[str, str]]:
    try:
        reader = csv.reader(_from_first(path), delimiter=delimiter, skipinitialspace=True)
        columns = [_column(name) for name in header or next(reader)]
        _check_unique(path, [name for name in columns if name in COLUMNS])
        for cells in reader:
            if any(cell.strip() for cell in cells[len(columns) :]):
                raise InputError(
                    f"{path}: an entry has {len(cells)} columns, and the list has {len(columns)} "
                    f"(put what holds a {delimiter!r} in quotes): {delimiter.join(cells)!r:.200}"
                )
            if cells:
                yield _clean(dict(zip(columns, cells, strict=False)))
    except csv.Error as error:
        raise InputError(f"{path} is not a csv file: {error}") from error


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _from_first(path: Path) -> Iterator[str]:
    """The lines from the first one on that says something: Excel's says how columns are parted."""

    def says_nothing(line: str) -> bool:
        return not line.strip() or line.startswith(("#", "sep="))

    return itertools.dropwhile(says_nothing, _raw_lines(path))


def _text(path: Path) -> Iterator[Mapping[str, str]]:
    for line in lines(path):
        quoted = line.startswith('"')
        url, _, label = line[quoted:].partition('"' if quoted else " ")
        yield {"url": url, "label": _unquoted(label.strip())}


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


def _clean(row: Mapping[str, str | None]) -> Mapping[str, str]:
    """What is known of a row, by column."""
    known = {name: value.strip() for name, value in row.items() if name in COLUMNS and value}
    return {"url": "", **known}


def _plain(value: str | bytes) -> str:
    """A cell as text; parquet written by other tools may hold text as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _column(name: str) -> str:
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


@contextlib.contextmanager
def _local(url_list: str, fetcher: Fetcher) -> Iterator[Path]:
    """The list as a file here, while the block lasts."""
    if url_list.startswith(("http://", "https://")):
        yield fetcher.file(url_list, max_bytes=MAX_BYTES, is_list=True).path
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
