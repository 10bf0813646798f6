"""The table of sources: a module for each, and told of wherever sources are listed."""

import pkgutil
import re
import sys

import pytest
from conftest import ROOT, run_captured

from components.download import sources
from components.download.sources import SOURCES


def test_every_module_is_a_source_and_every_source_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(sources.__path__)}
    assert modules == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_source_finds_photos_and_is_documented(name: str) -> None:
    assert callable(sources.candidates(name))
    table = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "photos.md").read_text(), re.MULTILINE)
    assert name in table
    assert f"`{name}`" in (ROOT / "docs" / "artifacts.md").read_text()


def test_table_of_sources_costs_no_source() -> None:
    """The options' declaration names them, and options are shown without work."""
    code = "import sys, components.download.options; print(*sys.modules)"
    loaded = run_captured(sys.executable, "-c", code).stdout.split()
    assert "components.download.sources" in loaded
    assert not {"requests", "numpy", "components.download.sources.commons"} & set(loaded)
