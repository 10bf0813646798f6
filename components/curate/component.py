"""KFP interface of the step `curate`."""

from typing import List

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def curate(
    images: dsl.Input[List[dsl.Dataset]],
    clean_rejects: dsl.Input[List[dsl.Dataset]],
    bottlenecks: dsl.Input[dsl.Artifact],
    train_per_class: int,
    demo_per_class: int,
    validation_percentage: int,
    testing_percentage: int,
    earlier_ledger: str,
    decisions: str,
    training: dsl.Output[dsl.Dataset],
    demo: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    ledger: dsl.Output[dsl.Artifact],
    facts: dsl.Output[dsl.Artifact],
    curation: dsl.Output[dsl.HTML],
    counts: dsl.Output[dsl.Metrics],
) -> None:
    """Group copies, drop what does not belong, and divide whole groups into parts.

    Args:
        images: Datasets of clean photos.
        clean_rejects: What the cleaning rejected, to be shown.
        bottlenecks: Bottlenecks of the clean photos.
        train_per_class: Photos per class for retraining.
        demo_per_class: Photos per class set aside for the demo.
        validation_percentage: Of the photos for retraining, for validation.
        testing_percentage: Of the photos for retraining, for the test.
        earlier_ledger: Ledger of an earlier run, whose parts stay; empty for none.
        decisions: File of decisions by hand, as curation.html exports them; empty for none.
        training: Training, validation and test parts.
        demo: Held-out demo photos.
        rejects: What was left out, with reasons.
        ledger: Which group went to which part.
        facts: What became of every photo, as JSON and parquet.
        curation: Page to review it on.
        counts: Photos found, left out for each reason, and used.
    """
    from pathlib import Path

    from components.curate.curate import Outputs, curate
    from components.curate.selection import Division

    content = curate(
        [Path(dataset.path) for dataset in images],
        Path(bottlenecks.path),
        Outputs(
            Path(training.path),
            Path(demo.path),
            Path(rejects.path),
            Path(ledger.path),
            Path(facts.path),
            Path(curation.path),
        ),
        clean_rejects=[Path(dataset.path) for dataset in clean_rejects],
        division=Division(
            train_per_class, demo_per_class, validation_percentage, testing_percentage
        ),
        earlier_ledger=earlier_ledger,
        decisions_file=decisions,
    )
    for name, count in content["total"].items():
        counts.log_metric(name, count)
