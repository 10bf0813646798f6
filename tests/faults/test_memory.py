"""Each step works in the memory that docs/operations.md says it needs; too little is told."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from faults.memory_limit import limited
from faults.steps import (
    CLASSES,
    PHOTOS,
    STEPS,
    Workshop,
    command,
    contents,
    made_by,
    run,
)

from components import settings

pytestmark = pytest.mark.long

MB = 1000**2
UNITS = {"M": 1, "G": 1000}
# Beside the steps as commands: the pipeline's tasks that are a part of one.
TASKS = {
    **{"clean-part": "clean", "curate-parts": "curate", "download-if-new": "download"},
    "compare-photos": "download",  # which holds a manifest as well
}


def needs() -> dict[str, tuple[float, float]]:
    """Memory by step as the table of docs/operations.md has it: MB, and MB for 1,000 photos."""
    text = (ROOT / "docs" / "operations.md").read_text()
    row = re.compile(r"^\| `(\w+)` \|.*\| (\d+) \+ (\d+) × n / 1,000 \|", re.MULTILINE)
    return {step: (float(base), float(more)) for step, base, more in row.findall(text)}


def test_every_step_has_a_row() -> None:
    assert set(needs()) == set(STEPS)


@pytest.mark.parametrize("size", settings.SIZES)
@pytest.mark.parametrize("task", settings.RESOURCES)
def test_requests_on_a_cluster_suffice(task: str, size: str) -> None:
    step = TASKS.get(task, task.replace("-", "_"))
    memory = settings.RESOURCES[task].request(size)
    base, more = needs()[step]
    # Half as much again: the system counts files that are being written, too.
    needed = 1.5 * (base + more * settings.SIZES[size] / 1000)
    assert needed <= int(memory[:-1]) * UNITS[memory[-1]]


@pytest.mark.parametrize("step", STEPS)
def test_step_works_in_the_memory_that_it_needs(shop: Workshop, tmp_path: Path, step: str) -> None:
    base, more = needs()[step]
    limit = base + more * len(CLASSES) * PHOTOS / 1000
    cache, out = shop.new_cache(tmp_path / "cache"), tmp_path / "out"
    out.mkdir()
    with limited(int(limit * MB)) as enter:
        done = run([*enter, *command(shop, step, cache)], out, tmp_path / "tmp")
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(made_by(shop, step))


def test_step_that_is_killed_for_its_memory_leaves_nothing(shop: Workshop, tmp_path: Path) -> None:
    cache, out = shop.new_cache(tmp_path / "cache"), tmp_path / "out"
    out.mkdir()
    with limited(48 * MB) as enter:
        done = run([*enter, *command(shop, "clean", cache)], out, tmp_path / "tmp")
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    assert contents(out) == {}


# A good photo of 25 megapixels, looked at with so much address space beside what Python has taken.
DECODE = """
import io, resource, sys
import numpy as np
from PIL import Image
from components.common.photos import images
from components.common.base.step import explain, run_command
import argparse
stored = io.BytesIO()
Image.new("RGB", (5000, 5000), "white").save(stored, "PNG", compress_level=1)
images.to_clean_jpeg(images.encode(np.zeros((64, 64, 3), np.uint8)))  # loads what is loaded late
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv.pop(1)) * 1000**2
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
run_command("look", argparse.ArgumentParser(), lambda _: images.to_clean_jpeg(stored.getvalue()))
"""


def test_lack_of_memory_is_told_and_the_photo_is_not_called_damaged() -> None:
    too_little, enough = (look(megabytes) for megabytes in (40, 4000))
    assert enough.returncode == 0, enough.stderr
    assert too_little.returncode == 1
    assert too_little.stderr.startswith("look: error: out of memory: give the step more")


def look(megabytes: int) -> "subprocess.CompletedProcess[str]":
    return run([sys.executable, "-c", DECODE, str(megabytes)], ROOT, None)
