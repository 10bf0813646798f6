"""A real browser understands every rule of the styles: no misspelt name, no wrong value."""

import re
from pathlib import Path

import pytest
from conftest import ROOT
from playwright.sync_api import Page

STYLES = [path for folder in ("components", "programs") for path in (ROOT / folder).rglob("*.css")]
DECLARATION = re.compile(r"(?<![-\w])([-a-z]+):\s+([^;{}]+?)\s*(?:!important)?;")
UNKNOWN = "(pairs) => pairs.filter(([name, value]) => !CSS.supports(name, value))"


def declarations(style: str) -> list[tuple[str, str]]:
    """Names and values; variables take any."""
    plain = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return [pair for pair in DECLARATION.findall(plain) if not pair[0].startswith("--")]


@pytest.mark.parametrize("path", STYLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_browser_understands_every_declaration(page: Page, path: Path) -> None:
    style = path.read_text()
    found = declarations(style)
    assert found or path.stem == "colours"
    assert len(re.findall(r";$", style, re.MULTILINE)) == len(found) + len(
        re.findall(r"^\s*--", style, re.MULTILINE)
    )
    assert page.evaluate(UNKNOWN, found) == []


@pytest.mark.parametrize("wrong", ["colour: red;", "width: 1pxx;", "display: flexx !important;"])
def test_what_a_browser_does_not_understand_is_found(page: Page, wrong: str) -> None:
    found = declarations(f"a:hover {{\n  color: red;\n  {wrong}\n}}")
    assert len(found) == 2
    assert page.evaluate(UNKNOWN, found) == [list(found[1])]
