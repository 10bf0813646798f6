"""Running code in a process that may take so much memory, as what refuses a bomb must do with."""

import resource
import subprocess
import sys

from conftest import ROOT


def run(
    code: str, *arguments: str, megabytes: int, timeout_s: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run Python code from the project's root; beyond its limit, memory is refused to it."""
    limit = megabytes * 1024**2
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "PATH": "",
        },
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
