"""KFP interface of the step `evaluate`."""

from kfp import dsl

from components.settings import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model],
    training: dsl.Input[dsl.Dataset],
    demo: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Measure the model on the test part and the demo photos.

    Args:
        model: The model.
        training: Dataset whose test part is used.
        demo: Held-out demo photos.
        metrics: Figures of the model as JSON; those that runs are compared by are logged.
        confusion: Confusion matrix of all held-out photos, and their micro-averaged ROC curve.
        report: Self-contained page.
    """
    from pathlib import Path

    from components.evaluate.evaluate import COMPARED, evaluate, figures, roc_curve

    evaluation = evaluate(
        Path(model.path),
        Path(training.path),
        Path(demo.path),
        Path(metrics.path),
        Path(report.path),
    )
    confusion.log_roc_curve(*roc_curve(evaluation))
    measured = figures(evaluation)
    confusion.log_confusion_matrix(measured["classes"], measured["confusion"])
    for name in COMPARED:
        if name in measured:
            metrics.log_metric(name, measured[name])
    # What KFP's page shows instead of the outputs' names.
    confusion.metadata["display_name"] = "Confusion matrix and ROC curve"
    report.metadata["display_name"] = "Report"
