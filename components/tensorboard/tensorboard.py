"""Step `tensorboard`: the link to the training's logs that the KFP run page makes a button of."""

import json
from pathlib import Path

from components.common.files import write_file
from components.common.step import step


def viewer(logs_uri: str, image: str) -> dict[str, object]:
    """The viewer's description as the KFP frontend reads it from `mlpipeline_ui_metadata`.

    Args:
        logs_uri: gs://, s3:// or local place of the logs. `minio://` becomes `s3://`, which is the
            same store under the only name that TensorBoard understands.
        image: of TensorBoard; the frontend's own default is years old.
    """
    if logs_uri.startswith("minio://"):
        logs_uri = "s3://" + logs_uri.removeprefix("minio://")
    return {"outputs": [{"type": "tensorboard", "source": logs_uri, "image": image}]}


@step("tensorboard")
def tensorboard(logs_uri: str, output: Path, *, image: str) -> None:
    """Write the viewer's description as JSON."""
    text = json.dumps(viewer(logs_uri, image), indent=2)
    write_file(output, text + "\n", what="the TensorBoard link")
