"""KFP interfaces of the step `publish`: the decision, and the deed.

Two components, because `dsl.If` under kfp.local works on a single unnamed output only.
"""

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def decide(metrics: dsl.Input[dsl.Metrics], min_accuracy: float) -> str:
    """Say "publish" when the lower bound of the accuracy is high enough, else "hold".

    Args:
        metrics: Figures of the step evaluate.
        min_accuracy: What the lower bound of the 95 % interval must reach.
    """
    from pathlib import Path

    from components.publish.publish import decide

    return decide(Path(metrics.path), min_accuracy)


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def publish(
    model: dsl.Input[dsl.Model],
    metrics: dsl.Input[dsl.Metrics],
    publish_dir: str,
    name: str,
) -> str:
    """Copy the model to where it is served from, and return that place.

    Args:
        model: The model.
        metrics: Its figures.
        publish_dir: Folder of published models.
        name: The model's name.
    """
    from pathlib import Path

    from components.publish.publish import publish

    return str(publish(Path(model.path), Path(metrics.path), Path(publish_dir), name=name))
