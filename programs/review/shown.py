"""What `review` shows: a page of ours that may save what is decided on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.common.base.errors import InputError
from components.common.pages import served
from programs.review.server import Page
from programs.review.store import Store

MAX_PAGE_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Shown:
    """What is shown and saved.

    Attributes:
        title: of the page, in words.
        what: is saved.
        pages: what is served, by name.
        store: of what is decided.
        told: what is to be said at the end, line by line.
    """

    title: str
    what: str
    pages: dict[str, Page]
    store: Store
    told: Callable[[], Iterator[str]]


def own_page(path: Path, content: bytes, module: str, remedy: str) -> Page:
    """A page of ours as it is served, which may save what is decided.

    Args:
        path: of its file, for messages.
        content: of the file.
        module: whose page it is.
        remedy: what to do where it is of another version.

    Raises:
        InputError: it is of another version, or no page of ours.
    """
    try:
        made = served.with_server(content.decode(), module)
    except ValueError:  # no text, or no page of ours
        made = None
    if made is None:
        raise InputError(
            f"{path} was made by another version of this program: {remedy}, or open that file in a "
            "browser and export what you decide"
        )
    html, policy = made
    return Page(html.encode(), f"{policy}; frame-ancestors 'none'")


def read_page(folder: Path, name: str) -> bytes:
    """A page of the folder; empty where there is none, or only a link to something else."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        return b""
    if path.stat().st_size > MAX_PAGE_BYTES:
        raise InputError(f"{path} is larger than {MAX_PAGE_BYTES} bytes, and no page of ours")
    return path.read_bytes()
