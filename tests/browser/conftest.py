"""A page for the tests of this folder, and a run whose classes have long names."""

from pathlib import Path

import pytest
from conftest import SMALL_ARCHITECTURE, Run, run_pipeline
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


@pytest.fixture(scope="session")
def long_names_run(tmp_path_factory: pytest.TempPathFactory, backbone_cache: Path) -> Run:
    """One whole run on a folder of photos whose classes are `LONG_NAMES`."""
    folder = tmp_path_factory.mktemp("photos")
    for label, drawn in zip(LONG_NAMES, sample.LABELS, strict=False):
        (folder / label).mkdir()
        for picture in sample.render_class(drawn, 20, seed=0):
            if picture.fault is None:
                (folder / label / picture.name).write_bytes(picture.data)
    run = run_pipeline(
        tmp_path_factory.mktemp("runs"),
        backbone_cache,
        *("--image_dir", str(folder), "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "50"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run
