"""The notebook runs from top to bottom, and is kept without outputs."""

import ast
import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from conftest import ROOT, Run

from wild_mushrooms import runs

pytestmark = pytest.mark.long

NOTEBOOK = ROOT / "docs" / "tour.ipynb"
PARAMETERS = 'RUN = ""'
LINK = re.compile(r"\]\(([\w.-]+\.md)(?:#[\w-]+)?\)")


def read() -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


def executed(run: Path, monkeypatch: pytest.MonkeyPatch, own: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, of a run that is finished."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(own / name))
    notebook = read()
    (cell,) = (one for one in notebook.cells if "parameters" in one.metadata.get("tags", ()))
    assert PARAMETERS in cell.source
    cell.source = cell.source.replace(PARAMETERS, f"RUN = {str(run)!r}")
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=where).execute()
    return notebook


def said(notebook: nbformat.NotebookNode) -> str:
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    return "".join(one.text for one in outputs if one.output_type == "stream")


def test_notebook_runs_and_shows_what_it_speaks_of(
    sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = executed(sample_run.directory, monkeypatch, tmp_path)
    text = said(notebook)
    accuracy = sample_run.summary["metrics"]["accuracy"]
    assert f"accuracy       {accuracy:.2f}, 95 % interval" in text
    assert "true class: fly agaric" in text
    assert "('sample', 'wild-mushrooms (rendered)', 'CC0-1.0'): 80" in text
    assert text.endswith("groups in more than one part: 0\n")
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    kinds = [kind for one in outputs for kind in one.get("data", {}) if kind.startswith("image/")]
    assert sorted(kinds) == ["image/jpeg", "image/jpeg", "image/png"]


def test_cell_that_fails_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="no finished run at"):
        executed(tmp_path, monkeypatch, tmp_path)


def test_notebook_is_kept_without_outputs() -> None:
    for cell in read().cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_run_that_the_notebook_starts_has_options_that_there_are() -> None:
    code = "\n".join(cell.source for cell in read().cells if cell.cell_type == "code")
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    (run,) = (call for call in calls if ast.unparse(call.func) == "wild_mushrooms.run")
    options = {word.arg or "": ast.literal_eval(word.value) for word in run.keywords}
    asked = runs._parser().parse_args(runs._words(options))
    assert len(options) > 1
    assert {name: getattr(asked, name) for name in options} == options


def test_links_of_the_notebook_lead_somewhere() -> None:
    text = "\n".join(cell.source for cell in read().cells if cell.cell_type == "markdown")
    links = LINK.findall(text)
    assert len(links) > 2
    assert [link for link in links if not (NOTEBOOK.parent / link).is_file()] == []
