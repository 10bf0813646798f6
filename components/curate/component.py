"""KFP interfaces of the step `curate`: of one dataset, and of its parts, which a loop collects."""

from typing import Any, Dict, List

from kfp import dsl

from components.common.base.options import described
from components.curate.options import CurateOptions
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(CurateOptions)
def curate(
    images: dsl.Input[dsl.Dataset],
    clean_rejects: dsl.Input[dsl.Dataset],
    bottlenecks: dsl.Input[dsl.Artifact],
    decisions: str,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    training: dsl.Output[dsl.Dataset],
    demo: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    ledger: dsl.Output[dsl.Artifact],
    facts: dsl.Output[dsl.Artifact],
    curation: dsl.Output[dsl.HTML],
    counts: dsl.Output[dsl.Metrics],
    placed_before: str = "",
) -> None:
    """Group copies, drop what does not belong, and divide whole groups into parts.

    Args:
        images: Clean photos.
        clean_rejects: What the cleaning rejected, to be shown.
        bottlenecks: Bottlenecks of the clean photos.
        training: Training, validation and test parts.
        demo: Held-out demo photos.
        rejects: What was left out, with reasons.
        ledger: Which group went to which part.
        facts: What became of every photo, as JSON and parquet.
        curation: Page to review it on.
        counts: Photos found, and photos used.
        placed_before: Ledger that a run goes on with; empty: that of `options`.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_dataset
    from components.curate.curate import Outputs, curate
    from components.curate.facts import COMPARED
    from components.curate.options import CurateOptions

    told = given("curate", (CurateOptions,), inputs)
    told["earlier_ledger"] = placed_before or told["earlier_ledger"]
    content = curate(
        [Path(images.path)],
        Path(bottlenecks.path),
        Outputs(
            Path(training.path),
            Path(demo.path),
            Path(rejects.path),
            Path(ledger.path),
            Path(facts.path),
            Path(curation.path),
        ),
        clean_rejects=[Path(clean_rejects.path)],
        options=CurateOptions.of(told),
        page_place=curation.uri,
    )
    for name in COMPARED:
        counts.log_metric(f"photos_{name}", content["total"][name])
    for written in (training, demo, rejects):
        written.metadata.update(of_dataset(Path(written.path)))
    # What KFP's page shows instead of the outputs' names.
    counts.metadata["display_name"] = "Photos"
    curation.metadata["display_name"] = "Review of the photos"


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(CurateOptions)
def curate_parts(
    cleaned_listings: dsl.Input[List[dsl.Dataset]],
    rejects_listings: dsl.Input[List[dsl.Dataset]],
    vectors: dsl.Input[List[dsl.Artifact]],
    decisions: str,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    training: dsl.Output[dsl.Dataset],
    demo: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    bottlenecks: dsl.Output[dsl.Artifact],
    ledger: dsl.Output[dsl.Artifact],
    facts: dsl.Output[dsl.Artifact],
    curation: dsl.Output[dsl.HTML],
    counts: dsl.Output[dsl.Metrics],
    placed_before: str = "",
) -> None:
    """Curate photos that were cleaned in parts: group copies, drop what does not belong, divide.

    It decides by manifests and vectors, and fetches no photo but those that it writes or shows.

    Args:
        cleaned_listings: Manifests of clean photos.
        rejects_listings: Manifests of what the cleaning rejected, to be shown.
        vectors: Bottlenecks of the clean photos.
        training: Training, validation and test parts.
        demo: Held-out demo photos.
        rejects: What was left out, with reasons.
        bottlenecks: Bottlenecks of the photos that were not left out.
        ledger: Which group went to which part.
        facts: What became of every photo, as JSON and parquet.
        curation: Page to review it on.
        counts: Photos found, and photos used.
        placed_before: Ledger that a run goes on with; empty: that of `options`.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_bottlenecks, of_dataset
    from components.curate.curate import Outputs, curate_listed
    from components.curate.facts import COMPARED
    from components.curate.options import CurateOptions

    told = given("curate", (CurateOptions,), inputs)
    told["earlier_ledger"] = placed_before or told["earlier_ledger"]
    content = curate_listed(
        [Path(listing.path) for listing in cleaned_listings],
        [Path(part.path) for part in vectors],
        Outputs(
            Path(training.path),
            Path(demo.path),
            Path(rejects.path),
            Path(ledger.path),
            Path(facts.path),
            Path(curation.path),
        ),
        Path(bottlenecks.path),
        clean_rejects=[Path(listing.path) for listing in rejects_listings],
        options=CurateOptions.of(told),
        page_place=curation.uri,
    )
    for name in COMPARED:
        counts.log_metric(f"photos_{name}", content["total"][name])
    for written in (training, demo, rejects):
        written.metadata.update(of_dataset(Path(written.path)))
    bottlenecks.metadata.update(of_bottlenecks(Path(bottlenecks.path)))
    # What KFP's page shows instead of the outputs' names.
    counts.metadata["display_name"] = "Photos"
    curation.metadata["display_name"] = "Review of the photos"
