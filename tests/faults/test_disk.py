"""A full disk: exit status 1, a message that names the place, and earlier outputs as they were."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from faults.faults import cases, seed
from faults.small_disk import PAGE_BYTES, fill, mounted
from faults.steps import (
    STEPS,
    Workshop,
    command,
    contents,
    finish,
    made_by,
    rests,
    run,
)

from components.common.base.errors import DiskFull
from components.common.network.convert import quiet_tensorflow
from components.retrain.head import Examples
from components.retrain.options import Recipe

pytestmark = pytest.mark.long

ROUNDS = cases(1, 5)
MB = 1024**2
# Steps with a cache of their own that they write to; the others read at most.
WITH_CACHE = {"download": "fetched", "bottleneck": "bottlenecks"}
LOGS = "retrain_logs"


def assert_told(done: "subprocess.CompletedProcess[str]", place: Path) -> None:
    """It failed as a full disk does: with the place and what to do, and no traceback."""
    said = done.stderr
    assert done.returncode == 1, said
    assert re.search(r"error: no space left on the disk while writing .*free some space", said), (
        said
    )
    assert str(place) in said
    assert "Traceback" not in said


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("step", STEPS)
def test_full_output_disk_leaves_the_earlier_output(
    shop: Workshop, tmp_path: Path, step: str
) -> None:
    draw = random.Random(f"{seed()} {step}")
    calm = made_by(shop, step)
    cache, temporary = shop.new_cache(tmp_path / "cache"), tmp_path / "tmp"
    size = size_of(calm)
    with mounted(tmp_path / "disk", 2 * size + 4 * MB) as disk:
        out = disk / "out"
        shutil.copytree(calm, out, ignore=shutil.ignore_patterns(LOGS))
        before = contents(out)
        words = command(shop, step, cache)
        if step == "publish":  # a published version is never written again
            words += ["--name", "another"]
        for number in range(ROUNDS):
            shutil.rmtree(out / LOGS, ignore_errors=True)
            (disk / ".ballast").unlink(missing_ok=True)
            # The first time there is no room at all, then for a part of an output of many pages:
            # for no more than half of it, since files with two names take room once.
            room = draw.uniform(0, 0.5) * size if number and size > 100 * PAGE_BYTES else 0
            fill(disk, int(room))
            assert_told(run(words, out, temporary), disk)
            assert contents(out) == before
            assert rests(disk) == []
        (disk / ".ballast").unlink()
        shutil.rmtree(out / LOGS, ignore_errors=True)
        if step != "retrain":  # which alone takes as long as all others
            finish(words, out, temporary)
            assert before.items() <= contents(out).items()


@pytest.mark.parametrize("step", WITH_CACHE)
def test_full_cache_disk_is_named(shop: Workshop, tmp_path: Path, step: str) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    size = size_of(made_by(shop, step))
    with mounted(tmp_path / "disk", 2 * size + 4 * MB) as disk:
        cache = shop.new_cache(disk / "cache")
        words = command(shop, step, cache)
        (cache / WITH_CACHE[step]).mkdir()
        fill(disk, size // 2 if step == "download" else 0)  # where some photos fit, all must
        assert_told(run(words, out, temporary), disk)
        assert list(out.iterdir()) == []
        assert rests(disk) == []
        (disk / ".ballast").unlink()
        finish(words, out, temporary)
        assert contents(out) == contents(made_by(shop, step))


@pytest.mark.parametrize("step", WITH_CACHE)
def test_cache_that_can_only_be_read_is_said_and_stops_nothing(
    shop: Workshop, tmp_path: Path, step: str
) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    with mounted(tmp_path / "disk", MB) as disk:
        cache = shop.new_cache(disk / "cache")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = run(command(shop, step, cache), out, temporary)
    assert done.returncode == 0, done.stderr
    assert f"the cache {cache} cannot be written (Read-only file system)" in done.stderr
    assert contents(out) == contents(made_by(shop, step))
    assert not list(temporary.glob("cache-*"))


def test_file_size_limit_is_told_as_a_full_disk_is(shop: Workshop, tmp_path: Path) -> None:
    """What a quota does; needs no rights."""
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    cache = shop.new_cache(tmp_path / "cache")
    words = command(shop, "clean", cache)
    limited = ["bash", "-c", 'ulimit -f 64; exec "$@"', "bash", *words]
    assert_told(run(limited, out, temporary), out)
    assert list(out.iterdir()) == []


def test_full_disk_of_the_logs_is_told_although_tensorflow_says_nothing(tmp_path: Path) -> None:
    quiet_tensorflow()
    from components.retrain.summaries import TensorBoardSummaries

    nothing = Examples(np.zeros((0, 4), np.float32), np.zeros(0, np.intp))
    with mounted(tmp_path / "disk", MB) as disk:

        def write() -> None:
            with TensorBoardSummaries(disk / "logs", ["a", "b"], Recipe(), nothing):
                fill(disk, 0)

        with pytest.raises(DiskFull, match=f"the TensorBoard logs to {disk / 'logs'}"):
            write()
        (disk / ".ballast").unlink()
        shutil.rmtree(disk / "logs")
        with TensorBoardSummaries(disk / "logs", ["a", "b"], Recipe(), nothing):
            pass
