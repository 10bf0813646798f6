"""A page for the tests of this folder, and runs whose classes have long names."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run, run_pipeline
from playwright.sync_api import Browser, Page

from components.download.sources import sample

LONG_NAMES = (
    "Hygrophoropsis_aurantiaca_false_chanterelle",
    "common_stinkhorn_of_the_northern_woods",
    "fly_agaric",
)


@pytest.fixture(scope="session")
def page(chromium: Browser) -> Page:
    """A page that several tests use one after another."""
    return chromium.new_page(accept_downloads=True)


def _run(folder: Path, runs: Path, cache: Path, *options: str) -> Run:
    run = run_pipeline(
        *(runs, cache, "--image_dir", str(folder), "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "50", *options),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run


@pytest.fixture(scope="session")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos whose classes are `LONG_NAMES`."""
    folder = tmp_path_factory.mktemp("photos")
    for label, drawn in zip(LONG_NAMES, sample.LABELS, strict=False):
        (folder / label).mkdir()
        for picture in sample.render_class(drawn, 20, seed=0):
            if picture.fault is None:
                (folder / label / picture.name).write_bytes(picture.data)
    return folder


@pytest.fixture(scope="session")
def long_names_run(
    long_names: Path, tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path
) -> Run:
    """One whole run on these photos."""
    return _run(long_names, tmp_path_factory.mktemp("runs"), backbone_cache)


@pytest.fixture(scope="session")
def comparisons(
    long_names_run: Run,
    long_names: Path,
    tmp_path_factory: pytest.TempPathFactory,
    backbone_cache: Path,
) -> dict[str, Path]:
    """The pages that compare: a second model with the first one, a batch with the demo photos."""
    runs = long_names_run.directory.parent
    second = _run(long_names, runs, backbone_cache, "--seed", "1", "--max_regression", "1")
    watched = tmp_path_factory.mktemp("watched")
    subprocess.run(
        [
            *(sys.executable, "-m", "components.label_image", str(long_names / LONG_NAMES[0])),
            *("--model_dir", str(second.directory / "model"), "--watch", str(watched)),
        ],
        cwd=ROOT,
        check=False,  # 3 on an alarm
        capture_output=True,
        timeout=300,
    )
    return {"change": second.directory / "change.html", "drift": watched / "drift.html"}
