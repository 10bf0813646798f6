"""KFP interfaces of the step `publish`: the comparison, the decision, and the deed.

`decide` is a component of its own because `dsl.If` under kfp.local works on a single unnamed output
only, and one that also writes an artifact has none such.
"""

from kfp import dsl

from components.common.base.options import described
from components.publish.options import PublishOptions
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(PublishOptions)
def compare(
    model: dsl.Input[dsl.Model],
    demo: dsl.Input[dsl.Dataset],
    metrics: dsl.Input[dsl.Metrics],
    publish_dir: str,
    name: str,
    min_accuracy: float,
    max_regression: float,
    comparison: dsl.Output[dsl.Metrics],
) -> None:
    """Ask the new and the published model about the same photos, and say which is to serve.

    Args:
        model: The new model.
        demo: Held-out demo photos.
        metrics: Figures of the new model, from the step evaluate.
        comparison: The decision, with all figures and the reason, as JSON.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.publish.compare import compare
    from components.publish.decision import comparison_figures
    from components.publish.options import PublishOptions

    decided = compare(
        Path(model.path),
        Path(demo.path),
        Path(metrics.path),
        PublishOptions.of(inputs),
        Path(comparison.path),
    )
    comparison.log_metric("accuracy_low", decided.accuracy_low)
    if decided.comparison:
        comparison.log_metric("photos", decided.comparison.photos)
        for figure, value in comparison_figures(decided.comparison).items():
            comparison.log_metric(figure, value)


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def decide(comparison: dsl.Input[dsl.Metrics]) -> str:
    """Say "publish" or "hold", as the comparison decided.

    Args:
        comparison: The decision.
    """
    from pathlib import Path

    from components.publish.publish import decide

    return decide(Path(comparison.path))


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(PublishOptions)
def publish(
    model: dsl.Input[dsl.Model],
    metrics: dsl.Input[dsl.Metrics],
    comparison: dsl.Input[dsl.Metrics],
    publish_dir: str,
    name: str,
) -> str:
    """Copy the model to where it is served from, with a model card, and return that place.

    Args:
        model: The model.
        metrics: Its figures.
        comparison: The decision to publish it.
    """
    from pathlib import Path

    from components.publish.decision import Decision
    from components.publish.publish import publish

    decision = Decision.read(Path(comparison.path))
    return publish(Path(model.path), Path(metrics.path), decision, publish_dir, name=name)
