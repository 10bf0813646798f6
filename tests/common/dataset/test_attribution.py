"""ATTRIBUTION.md: credits that are complete, and text of strangers that stays text."""

import html
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from components.common.dataset.attribution import escape, render
from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.licences import IMAGENET_TERMS
from components.common.dataset.photo import Photo

CREDITED = Photo(
    "fly agaric",
    source="commons",
    source_page="https://commons.wikimedia.org/wiki/File:A_(1).jpg",
    title="Fly agaric",
    author="Ada",
    licence="CC-BY-SA-4.0",
)
HOSTILE = "[x](javascript:alert(1)) <script>alert(1)</script> `a` **b** ![i](//e) \n# c \u202e|d|"


def test_dataset_credits_each_photo(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d") as writer:
        photo = writer.add(CREDITED, b"\xff\xd8\xff")
    text = (tmp_path / "d" / "ATTRIBUTION.md").read_text()
    assert "1 × [CC BY-SA 4.0](<https://creativecommons.org/licenses/by-sa/4.0/>)" in text
    assert (
        "- [Fly agaric](<https://commons.wikimedia.org/wiki/File:A_%281%29.jpg>) by Ada, "
        "[CC BY-SA 4.0](<https://creativecommons.org/licenses/by-sa/4.0/>) "
        f"(`{photo.sha256[:16]}`)"
    ) in text
    assert "nothing else was changed" in text  # as the licences ask


def test_photos_without_a_page_are_counted() -> None:
    mine = [Photo("daisy", source="folder") for _ in range(40)]
    drawn = [Photo("daisy", source="sample", author="us", licence="CC0-1.0") for _ in range(3)]
    text = render([*mine, *drawn])
    assert "- 40 from the source folder: no author is known, no licence is known" in text
    assert "- 3 from the source sample: us, [CC0 1.0]" in text
    assert len(text.splitlines()) < 15


def test_photo_without_a_page_is_found_by_the_address_of_its_bytes() -> None:
    photo = Photo("daisy", "daisy/1.jpg", source_url="https://a.org/1.jpg", author="Ada")
    assert "- [1.jpg](<https://a.org/1.jpg>) by Ada, no licence is known" in render([photo])
    assert "](<" not in render([Photo("daisy", source="folder", source_url="daisy/1.jpg")])


def test_non_commercial_photos_are_pointed_out() -> None:
    terms = ["CC-BY-NC-4.0", IMAGENET_TERMS, "CC0-1.0"]
    text = render([Photo("daisy", licence=licence) for licence in terms])
    assert "**2 of them may be used for non-commercial purposes only.**" in text
    assert "non-commercial purposes" not in render([CREDITED])


def test_text_of_strangers_is_only_text() -> None:
    photo = Photo(HOSTILE, title=HOSTILE, author=HOSTILE, licence=HOSTILE, source_page="https://a/")
    lines = [re.sub(r"\\.", "", line) for line in render([photo]).splitlines()]  # without escaped
    headings = [line for line in lines if line.startswith("#")]
    assert len(headings) == 2
    for mark in ("<script", "](javascript", "![i]", "**b**", "`a`", "\u202e"):
        assert all(mark not in line for line in lines), mark


def test_address_of_a_stranger_cannot_leave_its_link() -> None:
    for page in ("https://a/>) [x](<javascript:y", "https://a/ b\n# c", 'https://a/"><script>'):
        (line,) = [
            line
            for line in render([Photo("daisy", title="t", source_page=page)]).splitlines()
            if line.startswith("- [t]")
        ]
        address = line.removeprefix("- [t](<").partition(">)")[0]
        assert not set(address) & set("<>() \n\"'")
    for page in ("javascript:alert(1)", "data:text/html,x", "https://" + "a" * 3000, "http://[bad"):
        assert "](<" not in render([Photo("daisy", title="t", source_page=page)])


def test_underscore_within_a_word_is_written_as_it_is() -> None:
    assert "## bay_bolete\n" in render([Photo("bay_bolete")])
    assert escape("a_1_é") == "a_1_é"
    assert escape("_a_ b_ __c__ d__e f_*g*") == r"\_a\_ b\_ \_\_c\_\_ d\_\_e f\_\*g\*"


@given(st.text("aé1_* -.[](){}<>\\`~&!|#+", max_size=30))
def test_text_is_shown_as_it_is_whatever_stands_beside_an_underscore(text: str) -> None:
    shown = html.unescape(MarkdownIt("commonmark").renderInline(escape(text)))
    assert shown == " ".join(text.split())
