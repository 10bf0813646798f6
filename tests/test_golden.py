"""The compiled pipelines against files that a person has read.

UPDATE_GOLDEN=1 writes them anew: read the difference before it is committed.
"""

import copy
import difflib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiled_pipelines import KINDS, Compiled, compile_all_kinds, read_all_kinds
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

GOLDEN = Path(__file__).parent / "golden"


def as_text(one: Compiled) -> str:
    """Both documents, in a fixed order, and without the source text of the components."""
    pipeline = copy.deepcopy(one.pipeline)
    for entry in pipeline["deploymentSpec"]["executors"].values():
        if "container" in entry:
            # A component's source is its own file; here it would be a diff of every docstring.
            entry["container"]["command"] = ["(the component's source)"]
    documents = [pipeline, one.platform]
    return yaml.safe_dump_all(documents, sort_keys=True, width=100, allow_unicode=True)


def check_golden(kind: str, one: Compiled) -> None:
    """Compare one kind with the file that was read; UPDATE_GOLDEN=1 writes it."""
    found = as_text(one)
    golden = GOLDEN / f"pipeline-{kind}.yaml"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(found)
    expected = golden.read_text()
    difference = "\n".join(
        difflib.unified_diff(
            expected.splitlines(), found.splitlines(), str(golden), "compiled now", lineterm=""
        )
    )
    assert found == expected, (
        f"{difference}\n\nIf that is meant: UPDATE_GOLDEN=1 python -m pytest tests/test_golden.py"
    )


def check_readable(one: Compiled) -> None:
    """See that KFP reads back both documents, and knows each of their fields."""
    loaded = components.load_component_from_file(str(one.path))
    # ParseDict refuses a field that the schema does not know.
    pipeline = json_format.ParseDict(one.pipeline, pipeline_spec_pb2.PipelineSpec())
    platform = json_format.ParseDict(one.platform, pipeline_spec_pb2.PlatformSpec())
    assert loaded.pipeline_spec == pipeline
    assert loaded.platform_spec == platform
    assert set(loaded.component_spec.inputs) == set(one.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_both_documents_are_what_was_read(compiled: dict[str, Compiled], kind: str) -> None:
    check_golden(kind, compiled[kind])


def test_pipeline_of_labels_is_what_was_read_and_kfp_reads_it_back(
    compiled_label: Compiled,
) -> None:
    check_golden("label", compiled_label)
    check_readable(compiled_label)


@pytest.mark.parametrize("kind", KINDS)
def test_kfp_reads_back_both_documents(compiled: dict[str, Compiled], kind: str) -> None:
    check_readable(compiled[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_every_pod_s_configuration_fits_the_schema_of_kfp_kubernetes(
    compiled: dict[str, Compiled], kind: str
) -> None:
    one = compiled[kind]
    assert set(one.pods) == set(one.containers)
    for name, pod in one.pods.items():
        read: Any = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        json_format.ParseDict(pod, read)
        assert read.active_deadline_seconds > 0, name


def test_compiling_twice_gives_the_same(compiled: dict[str, Compiled], tmp_path: Path) -> None:
    compile_all_kinds(tmp_path)
    again = read_all_kinds(tmp_path)
    assert {kind: as_text(one) for kind, one in again.items()} == {
        kind: as_text(one) for kind, one in compiled.items()
    }
