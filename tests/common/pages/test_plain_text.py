"""Text of templates: nothing is escaped, nothing that is missing stays unnoticed."""

from pathlib import Path

import pytest

from components.common.pages import plain_text


def module(folder: Path, template: str) -> str:
    """A module's file with this template beside it."""
    (folder / "told.jinja").write_text(template, encoding="utf-8")
    return str(folder / "told.py")


def test_values_and_filters_are_filled_in_as_they_are(tmp_path: Path) -> None:
    told = module(tmp_path, "{% if name %}\n# {{ name|loud }} & <more>\n{% endif %}\n\n\n")
    text = plain_text.render(told, {"loud": str.upper}, name="ünder <b>")
    assert text == "# ÜNDER <B> & <more>\n"


def test_value_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'name' is undefined"):
        plain_text.render(module(tmp_path, "{{ name }}"))


def test_paragraphs_are_lines_of_their_own_and_empty_ones_are_none(tmp_path: Path) -> None:
    told = module(tmp_path, "one\n  and two\n\n{% if more %}\nmore\n{% endif %}\n\nthree\n\n")
    assert plain_text.paragraphs(told, more=False) == ["one and two", "three"]
    assert plain_text.paragraphs(told, more=True) == ["one and two", "more", "three"]
