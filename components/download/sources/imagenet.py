"""The source `imagenet`: photos of a WordNet synset, from an archive or from a list of URLs.

For non-commercial research and education only: https://image-net.org/download (terms of access).
The service that gave out URL lists ended in 2019; archives and lists that people kept still work.
"""

from collections.abc import Iterator
from pathlib import Path

from components.common.base.errors import InputError
from components.common.dataset.licences import IMAGENET_TERMS
from components.common.dataset.vocabulary import IMAGENET, SEEN_BY_BACKBONE
from components.common.untrusted import archive
from components.common.web.fetch_outcome import FetchError
from components.download.candidate import Candidate, Query
from components.download.sources import urls

# Classes of the 1,000 that MobileNet was pretrained on (ILSVRC 2012) are, or contain, these: the
# backbone has seen such photos with their labels, so accuracy on them is flattered.
PRETRAINING_CLASSES = {
    "n13044778": "earthstar",
    "n13040303": "stinkhorn",
    "n13040629": "common stinkhorn",
}
ARCHIVE_MAX_BYTES = 4 * 1024**3
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".txt")
PAGE = "https://www.image-net.org/"


def candidates(query: Query) -> Iterator[Candidate]:
    """Photos of the synset, in the order of the archive or the list."""
    synset = query.species.wordnet_id
    if not synset:
        raise InputError(
            f"ImageNet is searched by WordNet id, but the species file gives none for "
            f"{query.species.label!r}"
        )
    path = _local(query, synset)
    flags = (IMAGENET, SEEN_BY_BACKBONE) if synset in PRETRAINING_CLASSES else (IMAGENET,)
    entries = _archived(path, synset) if archive.is_archive(path) else _listed(path, synset)
    for name, url, data in entries:
        yield Candidate(
            url=url,
            title=name,
            licence=IMAGENET_TERMS,
            observation=f"imagenet:{name}",
            source_page=PAGE if data is not None else url,
            flags=flags,
            read=None if data is None else data.__bytes__,
        )


def _archived(path: Path, synset: str) -> Iterator[tuple[str, str, bytes | None]]:
    for member, data in archive.read_members(path):
        name = Path(member).name
        yield name, f"imagenet:{synset}/{name}", data


def _listed(path: Path, synset: str) -> Iterator[tuple[str, str, bytes | None]]:
    """Lines of a list: a URL, or an image's id and a URL; ids of other synsets are passed over."""
    for number, line in enumerate(urls.lines(path), start=1):
        first, _, rest = line.partition(" ")
        name, url = (first, rest.strip()) if rest else (f"{synset}_line{number}", first)
        if name.startswith(synset):
            yield name, url, None


def _local(query: Query, synset: str) -> Path:
    """The archive or list as a file here, fetched where it is an address."""
    place = query.options.imagenet.replace("{wordnet_id}", synset)
    if place.startswith(("http://", "https://")):
        try:
            return query.fetcher.file(place, max_bytes=ARCHIVE_MAX_BYTES).path
        except FetchError as error:
            if error.reason in ("http 401", "http 403", "http 404", "html"):
                raise InputError(
                    f"{place} cannot be fetched without a login ({error.reason}): fetch the "
                    "archive by hand, and name it with --imagenet 'folder/{wordnet_id}.tar'"
                ) from error
            raise
    path = Path(place).expanduser()
    if path.is_dir():
        inside = [path / f"{synset}{suffix}" for suffix in SUFFIXES]
        path = next((file for file in inside if file.is_file()), inside[0])
    if not path.is_file():
        raise InputError(
            f"there is no ImageNet archive or URL list at {path}: name one with --imagenet "
            "(a .tar or .txt file, a folder of them named by WordNet id, or an address)"
        )
    return path
