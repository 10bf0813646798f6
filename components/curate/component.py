"""KFP interface of the step `curate`."""

from typing import List

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def curate(
    images: dsl.Input[List[dsl.Dataset]],
    bottlenecks: dsl.Input[dsl.Artifact],
    train_per_class: int,
    demo_per_class: int,
    validation_percentage: int,
    testing_percentage: int,
    training: dsl.Output[dsl.Dataset],
    demo: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    ledger: dsl.Output[dsl.Artifact],
) -> None:
    """Group copies, drop what stands in two classes, and divide whole groups into parts.

    Args:
        images: Datasets of clean photos.
        bottlenecks: Their bottlenecks.
        train_per_class: Photos per class for retraining.
        demo_per_class: Photos per class set aside for the demo.
        validation_percentage: Of the photos for retraining, for validation.
        testing_percentage: Of the photos for retraining, for the test.
        training: Training, validation and test parts.
        demo: Held-out demo photos.
        rejects: What was left out, with reasons.
        ledger: Which group went to which part.
    """
    from pathlib import Path

    from components.curate.curate import Division, curate

    curate(
        [Path(dataset.path) for dataset in images],
        Path(bottlenecks.path),
        Path(training.path),
        Path(demo.path),
        Path(rejects.path),
        Path(ledger.path),
        division=Division(
            train_per_class, demo_per_class, validation_percentage, testing_percentage
        ),
    )
