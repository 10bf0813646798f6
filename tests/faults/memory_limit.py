"""A control group with little memory: what a pod's limit is, without a cluster."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@contextmanager
def limited(limit_bytes: int) -> Iterator[list[str]]:
    """Words to put before a command, which then has so much memory; skips where none can be."""
    version = 2 if (V2 / "cgroup.controllers").exists() else 1
    root, name = (V2, "memory.max") if version == 2 else (V1, "memory.limit_in_bytes")
    group = root / f"mushroom-test-{os.getpid()}"
    try:
        if version == 2:
            (root / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
        (group / name).write_text(str(limit_bytes))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no memory limit can be set on this machine: {error}")
    enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    try:
        yield ["bash", "-c", enter, "bash"]
    finally:
        for line in (group / "cgroup.procs").read_text().split():
            subprocess.run(["kill", "-KILL", line], check=False)
        group.rmdir()
