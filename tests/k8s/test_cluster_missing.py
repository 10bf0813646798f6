"""tests/cluster where it was asked for and there is no cluster: one line, and no success."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from object_stores import free_port

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: gone, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: gone, user: {{}}}}]
contexts: [{{name: gone, context: {{cluster: gone, user: gone}}}}]
current-context: gone
"""


def cluster_tests(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests/cluster"],
        cwd=ROOT,
        env={**inherited, **environment, "MUSHROOM_TEST_CLUSTER": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_kubeconfig_nothing_is_tried() -> None:
    done = cluster_tests()
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "set KUBECONFIG to a cluster that tests may use" in done.stdout
    assert "no tests ran" in done.stdout


def test_a_cluster_that_does_not_answer_ends_the_tests(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG.format(port=free_port()))
    done = cluster_tests(KUBECONFIG=str(file))
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "the cluster of KUBECONFIG cannot be used: " in done.stdout
    assert "no tests ran" in done.stdout
