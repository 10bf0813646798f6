"""KFP interface of the step `tensorboard`."""

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def tensorboard(
    logs: dsl.Input[dsl.Artifact],
    image: str,
    endpoint: str,
    secret: str,
    mlpipeline_ui_metadata: dsl.Output[dsl.Artifact],
    curves: dsl.Output[dsl.HTML],
) -> None:
    """Show the training's curves, and link its logs to the run page's "Start TensorBoard" button.

    Args:
        logs: TensorBoard logs.
        image: Image that TensorBoard is started from.
        endpoint: Address of an S3 store that is not Amazon's; empty for none.
        secret: Name of the secret that has the store's keys; empty for none.
        mlpipeline_ui_metadata: The viewer's description; the frontend goes by this name.
        curves: Accuracy and cross entropy by step.
    """
    from pathlib import Path

    from components.tensorboard.tensorboard import tensorboard

    tensorboard(
        logs.uri,
        Path(mlpipeline_ui_metadata.path),
        image=image,
        endpoint=endpoint,
        secret=secret,
        logs=Path(logs.path),
        page=Path(curves.path),
    )
    # What KFP's page shows instead of the outputs' names.
    mlpipeline_ui_metadata.metadata["display_name"] = "TensorBoard"
    curves.metadata["display_name"] = "Training curves"
