"""Fixtures of the tests of what steps share."""

from collections.abc import Iterator

import pytest
from object_stores import Store, google_emulator, seaweedfs


@pytest.fixture(scope="module", params=["gs", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    run = google_emulator if request.param == "gs" else seaweedfs
    with run(tmp_path_factory.mktemp(request.param)) as made:
        yield made
