"""Where photos come from: a module for each source, and here what the others go by.

Another source is a module with a function `candidates(query)`, and its entry in `SOURCES`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from components.download.candidate import Candidate, Query


@dataclass(frozen=True)
class Source:
    """What is known of a source without asking it.

    Attributes:
        asks: who has the photos: this machine, an object store, or hosts of the internet.
        reads: the option that names what it reads; none is given to other sources.
        whole: taken as it is: no number is asked of it.
        searched: looked through for the name of a class: few photos an author are taken.
    """

    asks: Literal["nobody", "store", "hosts"]
    reads: str = ""
    whole: bool = False
    searched: bool = False


SOURCES: Mapping[str, Source] = {
    "sample": Source("nobody", whole=True),
    "folder": Source("nobody", reads="image_dir", whole=True),
    "storage": Source("store", reads="image_dir"),
    "urls": Source("hosts", reads="url_list"),
    "inaturalist": Source("hosts", searched=True),
    "gbif": Source("hosts", searched=True),
    "commons": Source("hosts", searched=True),
    "imagenet": Source("hosts"),
}
SEARCHED = tuple(name for name, source in SOURCES.items() if source.searched)
WHOLE = frozenset(name for name, source in SOURCES.items() if source.whole)
OFFLINE = frozenset(name for name, source in SOURCES.items() if source.asks == "nobody")
OWN = frozenset(name for name, source in SOURCES.items() if source.asks != "hosts")


def named(text: str) -> list[str]:
    """The sources that an option names with commas, in order; not all need be known ones."""
    return [name.strip() for name in text.split(",") if name.strip()]


def candidates(name: str) -> "Callable[[Query], Iterator[Candidate]]":
    """The function of a source that finds a class's photos; its module is imported only now."""
    module = import_module(f"{__name__}.{name}")
    return cast("Callable[[Query], Iterator[Candidate]]", module.candidates)
