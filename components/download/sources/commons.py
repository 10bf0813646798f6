"""The source `commons`: files of the species' category on Wikimedia Commons.

API: https://commons.wikimedia.org/w/api.php?action=help&modules=query%2Bimageinfo
"""

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from components.common.base.errors import InputError
from components.common.dataset import licences
from components.download.candidate import (
    Candidate,
    ChangedAnswer,
    Query,
    entries,
    objects,
    text,
    with_list,
)

API = "https://commons.wikimedia.org/w/api.php"
PER_PAGE = 50
WIDTH = 960  # pixels; one of the sizes that Commons keeps ready, others are made on request
MAX_PAGES = 100
MAX_MARKUP = 10_000  # characters that are read of an author or a title
NO_CONTACT = (
    "Wikimedia asks who fetches from it: give --contact, an e-mail address or a page "
    "(make run CONTACT=…)"
)


def candidates(query: Query) -> Iterator[Candidate]:
    """JPEG files directly in the category; its subcategories hold stamps and drawings too."""
    if not query.options.contact:
        raise InputError(NO_CONTACT)
    found = with_list(_files(query), "imageinfo", "Commons")
    yield from filter(None, map(parse_page, found))


def _files(query: Query) -> Iterator[Mapping[str, Any]]:
    """The pages of the files, of all names."""
    for name in query.species.names:
        search: dict[str, str | int] = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "categorymembers",
            "gcmtitle": f"Category:{name}",
            "gcmtype": "file",
            "gcmlimit": PER_PAGE,
            "prop": "imageinfo",
            "iiprop": "url|size|mime|sha1|extmetadata",
            "iiextmetadatafilter": "LicenseShortName|LicenseUrl|Artist|ObjectName",
            "iiurlwidth": WIDTH,
        }
        following: dict[str, str | int] = {}
        for _ in range(MAX_PAGES):
            answer = query.fetcher.json(API, {**search, **following})
            yield from _pages(answer)
            following = _continuation(answer)
            if not following:
                break


def parse_page(page: Mapping[str, Any]) -> Candidate | None:
    """The file of one page, if it is a JPEG under a licence that we can read."""
    for info in objects(page.get("imageinfo")):
        about = info.get("extmetadata")
        licence = licences.parse(text(about, "LicenseUrl", "value")) or licences.parse(
            text(about, "LicenseShortName", "value")
        )
        address = text(info, "descriptionurl")
        if text(info, "mime") != "image/jpeg" or not licence or not address:
            continue
        return Candidate(
            url=text(info, "thumburl") or text(info, "url"),
            title=plain(text(about, "ObjectName", "value")) or text(page, "title"),
            author=plain(text(about, "Artist", "value")),
            licence=licence.spdx,
            observation=address,
            source_page=address,
        )
    return None


def plain(markup: str) -> str:
    """The text of a piece of HTML: Commons gives authors with their links."""
    parser = _Text()
    parser.feed(markup[:MAX_MARKUP])  # the parser's time grows with the square of what is broken
    parser.close()
    return " ".join(" ".join(parser.pieces).split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def _pages(answer: Any) -> list[Mapping[str, Any]]:
    """The pages of an answer; a category without files has none."""
    if not isinstance(answer, Mapping) or "error" in answer:
        raise ChangedAnswer(f"Commons refuses the request: {text(answer, 'error', 'info')}")
    return entries(answer["query"], "pages", "Commons") if "query" in answer else []


def _continuation(answer: Mapping[str, Any]) -> dict[str, str | int]:
    """What to add to the question for the next page; empty after the last."""
    following = answer.get("continue")
    if not isinstance(following, Mapping):
        return {}
    return {str(name): str(value) for name, value in following.items()}
