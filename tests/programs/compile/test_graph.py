"""What the graph is told when it is built."""

from pathlib import Path

import pytest

import components
import pipeline
from components.settings import ClusterOptions
from programs.compile import graph


def test_code_counts_by_the_files_of_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clean" / "__pycache__").mkdir(parents=True)
    module = tmp_path / "clean" / "clean.py"
    module.write_text("a = 1")
    monkeypatch.setattr(components, "__file__", str(tmp_path / "__init__.py"))
    first = graph.code_hash()
    (tmp_path / "clean" / "__pycache__" / "clean.pyc").write_bytes(b"1")
    assert graph.code_hash() == first
    module.write_text("a = 2")
    assert graph.code_hash() != first


@pytest.mark.parametrize("cluster", [None, ClusterOptions()])
def test_run_that_goes_on_is_told_of_the_code_that_it_runs(cluster: ClusterOptions | None) -> None:
    built = pipeline.build(continued=True, cluster=cluster)
    tasks = built.pipeline_spec.root.dag.tasks  # type: ignore[attr-defined]
    inner = built.pipeline_spec.components.values()  # type: ignore[attr-defined]
    every = [tasks, *(part.dag.tasks for part in inner)]
    (task,) = [found["download-if-new"] for found in every if "download-if-new" in found]
    told = task.inputs.parameters["compiled"].runtime_value.constant.struct_value
    assert ("code" in told) == (cluster is None)
    assert "images" in told
    if cluster is None:
        assert told["code"] == graph.code_hash()
