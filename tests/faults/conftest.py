"""Fixtures of the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.steps import Workshop, workshop


@pytest.fixture(scope="session")
def shop(
    shared_photos: Path, backbone_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """What every step makes of a handful of real photos, undisturbed."""
    place = tmp_path_factory.mktemp("workshop")
    with workshop(shared_photos / "mushrooms", backbone_cache, place) as made:
        yield made
