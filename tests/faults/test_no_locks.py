"""Disks that refuse file locks, each in its own way: everything goes on, and says so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

ERRORS = ("ENOLCK", "EBADF", "EOPNOTSUPP", "ENOSYS", "EINVAL")
# Whatever takes a lock: writing an artifact, publishing, counting requests, TensorFlow's HDF5.
PROGRAM = """
import fcntl, os, sys
from pathlib import Path
from components.common.base.files import write_file
from components.common.network.convert import quiet_tensorflow
from components.common.web.politeness import HostLimits, Usage
from components.common.store.alone import alone_in

try:
    fcntl.flock(1, fcntl.LOCK_EX)
    raise SystemExit("the disk knows locks")
except OSError:
    pass
write_file(Path("made"), "whole", what="a file")
with alone_in(Path.cwd()):
    Path("published").touch()
usage = Usage(Path("host.json"))
for _ in range(3):
    usage.begin(HostLimits())
    usage.add(7)
quiet_tensorflow()
import h5py
for mode in ("w", "r"):
    h5py.File("weights.h5", mode).close()
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library to preload for each error, that refuses locks with it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler or sys.platform != "linux":
        pytest.skip("no C compiler to make a disk without locks with: apt install gcc")
    folder = tmp_path_factory.mktemp("libraries")
    for error in ERRORS:
        options = [f"-DNOLOCK={error}", "-shared", "-fPIC", "-o", str(folder / f"{error}.so")]
        subprocess.run([compiler, *options, str(ROOT / "tests/faults/no_locks.c")], check=True)
    return folder


@pytest.mark.parametrize("error", ERRORS)
def test_disk_without_locks_stops_nothing(libraries: Path, tmp_path: Path, error: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LD_PRELOAD": str(libraries / f"{error}.so"),
            "MUSHROOM_EVENTS": str(tmp_path / "events"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made").read_text() == "whole"
    assert '"requests": 3' in (tmp_path / "host.json").read_text()
    assert "is on a disk without file locks: publish" in (tmp_path / "events").read_text()
