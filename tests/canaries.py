"""Looking for planted secrets in what a run leaves: files, archives, tables, arguments."""

import base64
import io
import secrets
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq

LOOK_EVERY_S = 0.01


def canary() -> str:
    """A secret that nothing else contains; it has characters that URLs and base64 change."""
    return f"canary/{secrets.token_hex(12)}+{secrets.token_hex(4)}="


def found_in_files(folder: Path, canaries: Mapping[str, str]) -> list[str]:
    """The names of canaries, with the file that each is in, also within archives and tables."""
    forms = {name: _forms(value) for name, value in canaries.items()}
    found = []
    for path in sorted(folder.rglob("*")):
        found += [f"{name} in the name {path}" for name in _names(str(path).encode(), forms)]
        if path.is_file():
            for where, data in _opened(path.name, path.read_bytes()):
                found += [f"{name} in {path} {where}" for name in _names(data, forms)]
    return found


def found_in_text(text: str, canaries: Mapping[str, str]) -> list[str]:
    """The names of canaries that a text contains."""
    return _names(text.encode(), {name: _forms(value) for name, value in canaries.items()})


@contextmanager
def watched_arguments() -> Iterator[list[bytes]]:
    """Yields a list that gets the arguments of every process of this machine while it lasts."""
    seen: list[bytes] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # it has ended
                    line = (process / "cmdline").read_bytes()
                    if line not in known:
                        known.add(line)
                        seen.append(line)

    known: set[bytes] = set()
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _forms(value: str) -> list[bytes]:
    """The secret as it is, as URLs and JSON write it, in hexadecimal, and in base64."""
    plain = value.encode()
    forms = {plain, quote(value).encode(), quote(value, safe="").encode(), plain.hex().encode()}
    for shift in range(3):  # where it begins within three bytes decides how base64 writes it
        encoded = base64.b64encode(b"\0" * shift + plain)
        inner = encoded[4 if shift else 0 : len(encoded) - 4]
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return sorted(forms)


def _names(data: bytes, forms: Mapping[str, Iterable[bytes]]) -> list[str]:
    return [name for name, some in forms.items() if any(form in data for form in some)]


def _opened(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, and those of what is packed in it, with where."""
    yield "", data
    if data.startswith(b"PK\x03\x04"):  # npz, keras
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from _inner(member, archive.read(member))
    elif data.startswith(b"PAR1"):
        yield "columns", repr(pq.read_table(io.BytesIO(data)).to_pydict()).encode()
        yield "metadata", repr(pq.read_schema(io.BytesIO(data)).metadata).encode()
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for entry in tar:
                if entry.isreg():
                    yield from _inner(entry.name, tar.extractfile(entry).read())  # type: ignore[union-attr]


def _inner(member: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield member, member.encode()
    for where, content in _opened(member, data):
        yield f"{member} {where}", content
