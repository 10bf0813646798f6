"""KFP interfaces of the step `label_image`: of the demo photos, and of a bucket in parts."""

from typing import List

from kfp import dsl

from components.common.base.options import described
from components.label_image.options import LabelOptions
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def label_image(
    model: dsl.Input[dsl.Model],
    demo: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Artifact],
    gallery: dsl.Output[dsl.HTML],
) -> None:
    """Label the held-out demo photos.

    Args:
        model: The model.
        demo: Held-out demo photos.
        predictions: Parquet file: path, label, predicted, unknown, probability, familiarity,
            right, probabilities.
        gallery: Self-contained page.
    """
    from pathlib import Path

    from components.label_image.label_image import label_demo

    label_demo(Path(model.path), Path(demo.path), Path(predictions.path), Path(gallery.path))
    gallery.metadata["display_name"] = "Gallery"  # what KFP's page shows


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(LabelOptions)
def list_photos(
    photos: str,
    model: str,
    output: str,
    parts: int,
    format: str,  # noqa: A002 - as the option is called
    top_k: int,
    int8: bool,
    photos_per_part: int,
) -> List[str]:
    """List the photos, beside the answers; its output is the shares, each for a task of its own.

    Args:
    """  # noqa: D414
    from components.label_image.options import AnswerOptions
    from components.label_image.whole import Asked, list_photos

    options = AnswerOptions(format, int(top_k), int8, int(photos_per_part))
    return list_photos(Asked(photos, model, output, options), int(parts))


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(LabelOptions)
def label_part(output: str, share: str) -> None:
    """Label one share of the photos, but for parts that an earlier run has labelled.

    Args:
        share: Such as 2/4, the second of four.
    """
    from components.label_image.whole import label_share

    label_share(output, share)


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(LabelOptions)
def sum_answers(
    output: str, summary: dsl.Output[dsl.Markdown], counts: dsl.Output[dsl.Metrics]
) -> None:
    """Count the answers of all parts.

    Args:
        summary: Answers by class, and the first photos that failed.
        counts: Photos, and how many have an answer.
    """
    from pathlib import Path

    from components.label_image.whole import sum_answers

    found = sum_answers(output, Path(summary.path))
    for name, value in found.figures().items():
        counts.log_metric(name, value)
    # What KFP's page shows instead of the outputs' names.
    summary.metadata["display_name"] = "Answers"
    counts.metadata["display_name"] = "Photos"


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(LabelOptions)
def watch_answers(
    output: str,
    earlier_batch: str,
    drift: dsl.Output[dsl.HTML],
    figures: dsl.Output[dsl.Metrics],
) -> None:
    """Compare the answers with those to the demo photos; an alarm is a metric and no failure.

    Args:
        drift: Self-contained page; it is also beside the answers, as drift.html.
        figures: Whether there is an alarm, and what was compared.
    """
    from pathlib import Path

    from components.label_image.whole import watch_answers

    for name, value in watch_answers(output, earlier_batch, Path(drift.path)).items():
        figures.log_metric(name, value)
    # What KFP's page shows instead of the outputs' names.
    drift.metadata["display_name"] = "Drift"
    figures.metadata["display_name"] = "Drift"
