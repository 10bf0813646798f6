"""The link that the KFP run page turns into a button."""

import json
from pathlib import Path

import pytest
from conftest import Run
from kubernetes_validate import validate

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
    (output,) = json.loads((tmp_path / "metadata").read_text())["outputs"]
    # Always a pod: without one the frontend mounts a key of Google's that may not exist.
    pod = output.pop("pod_template_spec")
    assert output == {"type": "tensorboard", "source": source, "image": "registry/tensorboard:1"}
    (container,) = pod["spec"]["containers"]
    assert container["env"] == []
    assert container["resources"]["limits"]
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_viewer_of_an_s3_store_is_led_there_with_keys_that_are_named_only(tmp_path: Path) -> None:
    tensorboard(
        "minio://mlpipeline/logs",
        tmp_path / "metadata",
        image="registry/tensorboard:1",
        endpoint="http://seaweedfs.kubeflow:9000",
        secret="keys",
    )
    (output,) = json.loads((tmp_path / "metadata").read_text())["outputs"]
    (container,) = output["pod_template_spec"]["spec"]["containers"]
    found = {entry.pop("name"): entry for entry in container["env"]}
    assert found["S3_ENDPOINT"] == {"value": "http://seaweedfs.kubeflow:9000"}
    for variable, key in (
        ("AWS_ACCESS_KEY_ID", "accesskey"),
        ("AWS_SECRET_ACCESS_KEY", "secretkey"),
    ):
        assert found[variable] == {
            "valueFrom": {"secretKeyRef": {"name": "keys", "key": key, "optional": True}}
        }


def test_viewer_of_google_s_store_uses_the_pod_s_identity(tmp_path: Path) -> None:
    tensorboard(
        "gs://bucket/logs", tmp_path / "metadata", image="i:1", endpoint="http://x", secret="keys"
    )
    (output,) = json.loads((tmp_path / "metadata").read_text())["outputs"]
    assert output["pod_template_spec"]["spec"]["containers"][0]["env"] == []


def test_pod_of_the_viewer_is_one_that_kubernetes_takes(tmp_path: Path) -> None:
    tensorboard(
        "s3://b/logs", tmp_path / "metadata", image="i:1", endpoint="http://x", secret="keys"
    )
    (output,) = json.loads((tmp_path / "metadata").read_text())["outputs"]
    template = output["pod_template_spec"]
    # What the viewer's controller adds.
    template["spec"]["containers"][0] |= {"name": "viewer", "image": output["image"]}
    template["metadata"] = {"labels": {"app": "viewer"}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "viewer"},
        "spec": {"selector": {"matchLabels": {"app": "viewer"}}, "template": template},
    }
    validate(deployment, "1.29", strict=True)


def test_run_writes_the_link_to_its_logs(sample_run: Run) -> None:
    path = next((sample_run.directory / "artifacts").rglob("mlpipeline_ui_metadata"))
    (output,) = json.loads(path.read_text())["outputs"]
    assert Path(output["source"]) == (sample_run.directory / "logs").resolve()
    assert output["image"] == settings.TENSORBOARD_IMAGE
