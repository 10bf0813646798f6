"""Manifests with damaged bytes: read as they are or refused, and no process ends of it."""

import json
import sys
from pathlib import Path

from conftest import ROOT, run_captured
from faults.faults import cases

from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.photo import Photo


def test_damaged_manifest_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d") as writer:
        for number in range(5):
            flags = ("blurred", "dark")[: number % 3]
            photo = Photo("daisy", author=f"Ann {number}", flags=flags, width=number)
            writer.add(photo, bytes([number]) * 700)
    done = run_captured(
        *("env", f"PYTHONPATH={ROOT}:{ROOT / 'tests'}", sys.executable),
        *("-m", "faults.damaged_tables", str(tmp_path / "d"), str(cases(400, 30_000))),
        timeout_s=1800,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) <= {"done", "refused"}, found
    assert found["refused"] > found.get("done", 0)
