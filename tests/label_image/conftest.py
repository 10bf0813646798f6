"""Photos in a folder, with some of no use among them, and a model to label them."""

from pathlib import Path

import pytest
from conftest import Run
from label_job_items import PHOTOS

from components.common.dataset.dataset import Dataset


@pytest.fixture(scope="module")
def contents(sample_run: Run) -> dict[str, bytes]:
    """Photos by name below the prefix, four of them of no use, and what is none."""
    dataset = Dataset(sample_run.directory / "demo")
    pictures = [dataset.read(photo) for photo in dataset.photos]
    found = {}
    for number in range(PHOTOS):
        data = pictures[number % len(pictures)]
        found[f"{number % 3}/photo é #{number:02}.jpg"] = data + bytes([number])
    names = sorted(found)
    found[names[5]] = b""
    found[names[11]] = b"<html>not found</html>"
    found[names[20]] = found[names[20]][:2000]
    found[names[30]] = b"\xff\xd8\xff\xe0" + bytes(3000)
    return found


@pytest.fixture(scope="module")
def model(sample_run: Run) -> str:
    return str(sample_run.directory / "model")


@pytest.fixture(scope="module")
def folder(contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photos in a folder."""
    root = tmp_path_factory.mktemp("folder")
    for name, data in contents.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    return root
