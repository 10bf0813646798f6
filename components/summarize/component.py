"""KFP interface of the step `summarize`, the exit task of a run on a cluster."""

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def summarize(
    status: dsl.PipelineTaskFinalStatus,
    name: str,
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Say how the run ended, also where it failed.

    Args:
        status: State of all steps together; KFP fills it in.
        name: What the model is published as.
        summary: The summary, shown in the run's page.
    """
    from pathlib import Path

    from components.summarize.summarize import End, summarize

    summarize(
        End(status.state or "", status.error_message or "", status.pipeline_job_resource_name),
        Path(summary.path),
        name=name,
        place=summary.uri,
    )
    summary.metadata["display_name"] = "Summary"  # what KFP's page shows
