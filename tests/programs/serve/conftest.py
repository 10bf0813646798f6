"""Fixtures of the service's tests: a model, photos, and a client of the service in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run
from serve_items import HERE, wait_until_ready
from starlette.testclient import TestClient

from components.common.dataset.dataset import Dataset
from programs.serve.app import Service, make_app
from programs.serve.options import Limits
from programs.serve.serve import make_service


@pytest.fixture(scope="session")
def model_dir(sample_run: Run) -> Path:
    return sample_run.directory / "model"


@pytest.fixture(scope="session")
def photos(sample_run: Run) -> list[bytes]:
    """Demo photos, one of each class."""
    dataset = Dataset(sample_run.directory / "demo")
    first = {photo.label: photo for photo in reversed(dataset.photos)}
    return [dataset.read(photo) for photo in first.values()]


@pytest.fixture(scope="session")
def photo(photos: list[bytes]) -> bytes:
    return photos[0]


@pytest.fixture(scope="session")
def service(model_dir: Path) -> Service:
    """A service with small limits: 1 MB, and 4 million pixels."""
    limits = Limits(upload_bytes=1024**2, pixels=4_000_000)
    service = make_service(model_dir, workers=2, limits=limits)
    wait_until_ready(service)
    return service


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(make_app(service), base_url=HERE) as client:
        yield client
