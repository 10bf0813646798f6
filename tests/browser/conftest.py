"""A real browser for the tests of this folder."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine; CI installs one."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium on this machine: apt install chromium")
    with sync_playwright() as playwright:
        # As root, which CI is, Chromium has no sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=found, args=options) as launched:
            yield launched


@pytest.fixture(scope="session")
def page(chromium: Browser) -> Page:
    """A page that several tests use one after another."""
    return chromium.new_page(accept_downloads=True)
