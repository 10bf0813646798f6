"""The link that the KFP run page turns into a button."""

import json
from pathlib import Path

import pytest
from conftest import Run

from components import settings
from components.tensorboard.tensorboard import tensorboard


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("minio://mlpipeline/v2/artifacts/logs", "s3://mlpipeline/v2/artifacts/logs"),
        ("s3://bucket/logs", "s3://bucket/logs"),
        ("gs://bucket/logs", "gs://bucket/logs"),
    ],
)
def test_viewer_names_image_and_a_place_that_tensorboard_can_read(
    tmp_path: Path, uri: str, source: str
) -> None:
    tensorboard(uri, tmp_path / "metadata", image="registry/tensorboard:1")
    content = json.loads((tmp_path / "metadata").read_text())
    assert content == {
        "outputs": [{"type": "tensorboard", "source": source, "image": "registry/tensorboard:1"}]
    }


def test_run_writes_the_link_to_its_logs(sample_run: Run) -> None:
    path = next((sample_run.directory / "artifacts").rglob("mlpipeline_ui_metadata"))
    (output,) = json.loads(path.read_text())["outputs"]
    assert Path(output["source"]) == (sample_run.directory / "logs").resolve()
    assert output["image"] == settings.TENSORBOARD_IMAGE
