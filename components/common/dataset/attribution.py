"""ATTRIBUTION.md: who made the photos of a dataset or a model, and what may be done with them."""

import collections
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from components.common.base.wording import counted
from components.common.dataset import licences
from components.common.dataset.photo import Photo

FILE_NAME = "ATTRIBUTION.md"
MAX_TEXT = 200  # characters of a stranger's text
MAX_URL = 2000  # characters
# What Markdown may take for more than text: not "_" within a word, which CommonMark leaves alone.
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>()#+!|~&]|(?<![^\W_])_|_(?![^\W_]))")


def render(photos: Iterable[Photo]) -> str:
    """The credits of photos as Markdown: title, author, licence with link, source page.

    Photos that came without a page of their own are counted by what is known of them.
    """
    listed = sorted(photos, key=lambda photo: (photo.label, photo.path))
    lines = ["# Attribution", "", *_overview(listed)]
    for label in sorted({photo.label for photo in listed}):
        lines += ["", f"## {escape(label)}", ""]
        of_class = [photo for photo in listed if photo.label == label]
        lines += [_line(photo) for photo in of_class if _page(photo)]
        lines += _counted([photo for photo in of_class if not _page(photo)])
    return "\n".join(lines) + "\n"


def escape(text: str, most: int = MAX_TEXT) -> str:
    """A stranger's text as one line of Markdown that shows it and does nothing else."""
    plain = "".join(c if c.isprintable() else " " for c in text[:most])
    return _MARKDOWN.sub(r"\\\1", " ".join(plain.split()))


def _overview(photos: Sequence[Photo]) -> list[str]:
    count = collections.Counter(photo.licence for photo in photos)
    lines = [
        f"{counted(len(photos), 'photo')}. Metadata was removed, and some were turned upright or "
        "converted to JPEG; nothing else was changed.",
        "",
    ]
    lines += [
        f"- {number} × {_licence(licence) if licence else 'no licence is known'}"
        for licence, number in count.most_common()
    ]
    bound = sum(licences.is_non_commercial(photo.licence) for photo in photos)
    if bound:
        lines += ["", f"**{bound} of them may be used for non-commercial purposes only.**"]
    return lines


def _page(photo: Photo) -> str:
    """Where people find the photo: its page, else the address of its bytes; empty without one."""
    return photo.source_page or (photo.source_url if photo.source_url.startswith("http") else "")


def _line(photo: Photo) -> str:
    title = _link(photo.title or photo.path.rpartition("/")[2], _page(photo))
    author = escape(photo.author) or "an unknown author"
    terms = _licence(photo.licence) if photo.licence else "no licence is known"
    return f"- {title} by {author}, {terms} (`{photo.sha256[:16]}`)"


def _counted(photos: Sequence[Photo]) -> list[str]:
    count = collections.Counter((photo.source, photo.author, photo.licence) for photo in photos)
    lines = []
    for (source, author, licence), number in count.most_common():
        made = escape(author) or "no author is known"
        terms = _licence(licence) if licence else "no licence is known"
        lines.append(f"- {number} from the source {escape(source) or 'unknown'}: {made}, {terms}")
    return lines


def _licence(text: str) -> str:
    licence = licences.parse(text)
    return _link(licence.name, licence.url) if licence else escape(text)


def _link(text: str, url: str) -> str:
    """A link where the address is one of the web, else only the text."""
    try:
        safe = urlsplit(url).scheme in ("http", "https") and len(url) <= MAX_URL
    except ValueError:
        safe = False
    # Quoted: no character is left that could end the link or begin a tag.
    return f"[{escape(text)}](<{quote(url, safe=':/?&=%#@,;+~!$')}>)" if safe else escape(text)
