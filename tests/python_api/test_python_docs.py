"""The examples of docs/python.md run, and give what stands there."""

import doctest
import io
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run
from python_api_items import place_with_run

import wild_mushrooms
from wild_mushrooms import runs

FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
PAGE = ROOT / "docs" / "python.md"


def blocks(text: str) -> str:
    """The Python of a document, one block after the other."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def failures(code: str) -> tuple[int, str]:
    """How many examples were run, and what those that failed said."""
    test = doctest.DocTestParser().get_doctest(code, {}, PAGE.name, str(PAGE), 0)
    said = io.StringIO()
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.write)
    return result.attempted, said.getvalue()


@pytest.fixture
def there(tmp_path: Path, sample_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's folder; a run with options that there are is the sample's, which is finished."""
    monkeypatch.chdir(place_with_run(tmp_path, sample_run))

    def finished(images: Path | str | None = None, **options: Any) -> runs.Run:
        runs._parser().parse_args(runs._words(options))
        print("5 classes: of the sample")
        return runs.Run(sample_run.directory)

    monkeypatch.setattr(wild_mushrooms, "run", finished)


@pytest.mark.usefixtures("there")
def test_examples_give_what_stands_there() -> None:
    attempted, said = failures(blocks(PAGE.read_text()))
    assert attempted > 15
    assert not said, said


@pytest.mark.usefixtures("there")
def test_example_that_gives_something_else_would_be_seen() -> None:
    code = blocks(PAGE.read_text()).replace("'fly agaric'", "'toadstool'", 1)
    assert "Expected:\n    'toadstool'" in failures(code)[1]


def test_page_speaks_of_every_public_name() -> None:
    text = PAGE.read_text()
    public = [name for name in wild_mushrooms.__all__ if name not in ("__version__", "Danger")]
    assert [name for name in public if not re.search(rf"\b{name}\b", text)] == []
    for name in runs.Run.__dict__:
        assert name.startswith("_") or name == "directory" or f"`{name}" in text, name
