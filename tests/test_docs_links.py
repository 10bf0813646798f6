"""Links, anchors and pictures of the documents."""

import re
import unicodedata
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

DOCUMENTS = [
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    if path.is_file()
]
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]*(?:\([^()]*\))?[^()\s]*)\)")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
MAX_PICTURE_BYTES = 250_000
LEAST_ALT = 20  # characters: "picture" says nothing


def links(path: Path) -> list[tuple[bool, str, str]]:
    """Whether it is a picture, the text, and the target of each link outside of code."""
    text = re.sub(r"`[^`\n]*`", "`", FENCED.sub("", path.read_text()))
    return [(bool(picture), words, target) for picture, words, target in LINK.findall(text)]


def anchors(path: Path) -> set[str]:
    """The anchors that a page of GitHub gives its headings."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", FENCED.sub("", path.read_text()), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        kept = [c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LN"]
        name = "".join(kept).replace(" ", "-")
        again = found.get(name, 0)
        found[name] = again + 1
        names.add(f"{name}-{again}" if again else name)
    return names


def broken(path: Path) -> list[str]:
    """Links of a document that lead nowhere."""
    wrong = []
    for _, _, target in links(path):
        place, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = path.parent / place if place else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_links_and_anchors_lead_somewhere(document: Path) -> None:
    assert not broken(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_pictures_say_in_words_what_they_show(document: Path) -> None:
    for is_picture, words, target in links(document):
        if is_picture:
            assert len(words) >= LEAST_ALT, f"{target}: {words!r}"


def test_pictures_are_small_and_each_is_shown() -> None:
    shown = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for is_picture, _, target in links(document)
        if is_picture
    }
    kept = [
        path for path in (ROOT / "docs" / "figures").iterdir() if path.suffix in (".svg", ".png")
    ]
    assert kept
    for path in kept:
        assert path.stat().st_size < MAX_PICTURE_BYTES, path
        assert path.resolve() in shown, f"{path} is in no document"
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert not picture.info.get("exif"), path


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# Two words, `code`\n## Twice\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#two-words-code) [b](there.md#twice-1) [c](https://example.org/x)\n"
        "`[no](link.md)`\n```sh\n[no](link.md)\n```\n"
        "[gone](gone.md) [d](there.md#three) [e](#here)\n"
    )
    assert broken(page) == ["gone.md", "there.md#three", "#here"]
