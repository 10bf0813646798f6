"""Step `tensorboard`: the training's curves as a page, and a link to its logs.

A multi-user KFP makes a button of the link; other installations show nothing of it.
"""

import json
from pathlib import Path
from typing import Any

from components.common.base.files import write_file
from components.common.base.step import step
from components.common.store import storage
from components.tensorboard import curves

# Keys of the secret that KFP keeps its object store's credentials in, and boto3's variables.
SECRET_KEYS = {"accesskey": "AWS_ACCESS_KEY_ID", "secretkey": "AWS_SECRET_ACCESS_KEY"}
LIVE = "kubectl -n kubeflow port-forward service/wild-mushrooms-tensorboard 6006"
# The viewer lives in the namespace of the run, whose quota may ask every pod for limits.
RESOURCES = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
SECURITY = {  # the image names its user by number
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def viewer(logs_uri: str, image: str, *, endpoint: str = "", secret: str = "") -> dict[str, object]:
    """The viewer's description as the KFP frontend reads it from `mlpipeline_ui_metadata`.

    Args:
        logs_uri: gs://, s3:// or local place of the logs. `minio://` becomes `s3://`, which is the
            same store under the only name that TensorBoard understands.
        image: of TensorBoard; the frontend's own default is years old.
        endpoint: of an S3 store that is not Amazon's.
        secret: Kubernetes secret with the store's keys; named, never read.
    """
    logs_uri = storage.canonical(logs_uri)
    described = {
        "type": "tensorboard",
        "source": logs_uri,
        "image": image,
        "pod_template_spec": _pod(logs_uri, endpoint, secret),
    }
    return {"outputs": [described]}


def _pod(logs_uri: str, endpoint: str, secret: str) -> dict[str, Any]:
    """The viewer's pod. Without one the frontend mounts a key of Google's that may not exist."""
    env: list[dict[str, Any]] = []
    if logs_uri.startswith("s3://"):
        if secret:
            env = [
                {
                    "name": variable,
                    "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": True}},
                }
                for key, variable in SECRET_KEYS.items()
            ]
        if endpoint:
            # TensorBoard's own name for it, as a whole URL; and boto3's.
            env += [
                {"name": name, "value": endpoint} for name in ("S3_ENDPOINT", "AWS_ENDPOINT_URL")
            ]
    container = {"env": env, "resources": RESOURCES, "securityContext": SECURITY}
    return {"spec": {"containers": [container]}}


@step("tensorboard")
def tensorboard(
    logs_uri: str,
    output: Path,
    *,
    image: str,
    endpoint: str = "",
    secret: str = "",
    logs: Path | None = None,
    page: Path | None = None,
) -> None:
    """Write the viewer's description as JSON, and the curves as HTML.

    Args:
        logs_uri: as `viewer` takes it.
        output: JSON file to write.
        image: as `viewer` takes it.
        endpoint: as `viewer` takes it.
        secret: as `viewer` takes it.
        logs: the logs' folder, for the curves; None: no page is wanted.
        page: HTML file to write.

    Raises:
        InputError: the logs hold no curves.
    """
    if logs and page:
        live = "" if Path(logs_uri).is_dir() else LIVE
        write_file(page, curves.render(logs, shown_by=live), what="the page of the curves")
    content = viewer(logs_uri, image, endpoint=endpoint, secret=secret)
    write_file(output, json.dumps(content, indent=2) + "\n", what="the TensorBoard link")
