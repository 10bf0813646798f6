"""KFP interface of the step `publish`."""

from typing import Any, Dict

from kfp import dsl

from components.common.base.options import described
from components.publish.options import PublishOptions
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(PublishOptions)
def publish(
    model: dsl.Input[dsl.Model],
    demo: dsl.Input[dsl.Dataset],
    metrics: dsl.Input[dsl.Metrics],
    name: str,
    min_accuracy: float,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    ledger: dsl.Input[dsl.Artifact],
    decisions: str,
    comparison: dsl.Output[dsl.Metrics],
    change: dsl.Output[dsl.HTML],
    seen: str = "",
) -> str:
    """Ask the new and the published model about the same photos, and publish the better one.

    The model is copied to where it is served from, with a model card; the place is returned, an
    empty text where the model is held back.

    Args:
        model: The new model.
        demo: Held-out demo photos.
        metrics: Figures of the new model, from the step evaluate.
        ledger: Which group went to which part, for the next run.
        decisions: Place of the decisions by hand, for the next run.
        comparison: The decision, with all figures and the reason, as JSON.
        change: What has changed since the published model: photos, accuracy, classes, answers.
        seen: What a run has seen that goes on with an earlier one; else empty.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.common.base.step_options import given
    from components.publish.compare import say_without_changes
    from components.publish.memory import Learned
    from components.publish.options import PublishOptions
    from components.publish.publish import publish_if_good

    decided, place = publish_if_good(
        Path(model.path),
        Path(demo.path),
        Path(metrics.path),
        PublishOptions.of(given("publish", (PublishOptions,), inputs)),
        Path(comparison.path),
        Path(change.path),
        learned=Learned.of(ledger.path, decisions, seen),
    )
    say_without_changes(decided, Path(change.path))
    # What KFP compares runs by; the others are in the report and in this JSON.
    comparison.log_metric("published", int(bool(place)))
    if decided.comparison and decided.comparison.photos:
        comparison.log_metric("accuracy_gain_over_published", decided.comparison.difference)
    comparison.metadata["display_name"] = "Decision"
    change.metadata["display_name"] = "What changed"
    return place
