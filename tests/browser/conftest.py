"""A page for the tests of this folder."""

import pytest
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def page(chromium: Browser) -> Page:
    """A page that several tests use one after another."""
    return chromium.new_page(accept_downloads=True)
