"""Fixtures of the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MadeOnce
from faults.steps import Workshop, workshop


@pytest.fixture(scope="session")
def shop(shared_photos: Path, backbone_cache: Path, made_once: MadeOnce) -> Iterator[Workshop]:
    """What every step makes of a handful of real photos, undisturbed."""
    with workshop(shared_photos / "mushrooms", backbone_cache, made_once) as made:
        yield made
