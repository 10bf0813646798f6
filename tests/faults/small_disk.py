"""A disk that is small enough to fill."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE_BYTES = 4096


@contextmanager
def mounted(place: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of this size at `place`; without the rights to mount one the test skips."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk to fill")
    place.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk to fill: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, left_bytes: int) -> None:
    """Write a file until so many bytes are left on the disk, rounded down to pages."""
    with contextlib.suppress(OSError), open(place / ".ballast", "wb", 0) as ballast:
        while True:
            disk = os.statvfs(place)
            room = disk.f_bavail * disk.f_frsize - left_bytes
            if room < PAGE_BYTES:
                return
            ballast.write(bytes(min(room // PAGE_BYTES * PAGE_BYTES, 1024**2)))
