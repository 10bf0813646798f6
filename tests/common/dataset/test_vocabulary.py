"""One vocabulary of reasons and flags: complete, in words, and nowhere said again."""

import re

import pytest
from conftest import ROOT

from components.clean import quality
from components.common.dataset import vocabulary
from components.common.dataset.vocabulary import WORDS
from components.common.photos import images

SOURCES = sorted([*ROOT.glob("components/**/*.py"), *ROOT.glob("programs/**/*.py")])


def reasons_of_the_decoder() -> set[str]:
    """Every reason that stands as a text in the code that judges files."""
    texts = set()
    for name in ("common/photos/images.py", "common/photos/opening.py", "clean/clean.py"):
        source = (ROOT / "components" / name).read_text()
        texts |= set(re.findall(r'(?:BadPhoto|bad)\("([a-z_]+)"', source))
    return texts | {"html", "unknown_type"}


def test_every_reason_of_the_decoder_has_words() -> None:
    names = {word.name for word in WORDS.values() if word.reason}
    assert reasons_of_the_decoder() <= names


def test_every_name_is_a_constant_or_a_reason_of_the_decoder() -> None:
    """A name that nobody gives a photo should not stand in the vocabulary."""
    constants = {value for value in vars(vocabulary).values() if isinstance(value, str)}
    assert set(WORDS) <= constants | reasons_of_the_decoder()


@pytest.mark.parametrize("name", WORDS)
def test_documentation_lists_every_reason_and_flag(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "artifacts.md").read_text()


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_word_is_a_reason_or_a_flag_and_consistent(word: vocabulary.Word) -> None:
    assert word.reason or word.flag
    assert word.reason or not word.final
    assert word.flag or not (word.quality or word.origin)


def test_no_other_module_spells_a_flag_or_meaning_out() -> None:
    """Nobody else lists flags or words: a change here is seen everywhere."""
    flags = sorted(word.name for word in WORDS.values() if word.flag and not word.origin)
    meanings = [word.meaning for word in WORDS.values()]
    for path in SOURCES:
        if path.name not in (
            "vocabulary.py",
            "render.py",
            "settings.py",
            "architecture.py",
        ):  # other things there
            text = path.read_text()
            assert [flag for flag in flags if f'"{flag}"' in text] == [], path
            assert [meaning for meaning in meanings if f'"{meaning}"' in text] == [], path


def test_no_word_is_listed_by_its_name() -> None:
    counts = {**dict.fromkeys(sorted(WORDS), 2), "no_mushroom": 1}
    text = vocabulary.listed(counts)
    assert text.startswith("2 blank, 2 blurred, 2 bright, 2 damaged, 2 damaged header")
    assert "1 no mushroom, 2 odd aspect ratio, 2 other class" in text
    assert "2 perhaps no mushroom" in text
    assert "_" not in text
    assert vocabulary.listed({}) == ""


def test_limits_in_words_are_those_that_hold() -> None:
    assert f"below {images.MIN_SIDE} pixels" in vocabulary.meaning("too_few_pixels")
    assert f"{images.MAX_PIXELS // 1_000_000} megapixels" in vocabulary.meaning("too_many_pixels")
    assert f"below {quality.MIN_SIDE} pixels" in vocabulary.meaning("small")
    assert quality.MAX_ASPECT_RATIO == 3
    assert "three times" in vocabulary.meaning("odd_aspect_ratio")


def test_unknown_name_is_shown_without_its_underscores() -> None:
    assert (vocabulary.short("a_new_one"), vocabulary.meaning("a_new_one")) == ("a new one",) * 2
