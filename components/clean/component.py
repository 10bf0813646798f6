"""KFP interface of the step `clean`."""

from typing import Any, Dict

from kfp import dsl

from components.clean.options import CleanOptions
from components.common.base.options import described
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(CleanOptions)
def clean(
    images: dsl.Input[dsl.Dataset],
    decisions: str,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    cleaned: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    part: str = "",
) -> None:
    """Sort files into usable photographs and rejects.

    Args:
        images: Photos as they were found.
        cleaned: Usable photos, as upright JPEGs without EXIF.
        rejects: Rejected files with their reasons.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.clean.clean import clean
    from components.clean.options import CleanOptions
    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_dataset

    told = CleanOptions.of(given("clean", (CleanOptions,), inputs))
    clean(Path(images.path), Path(cleaned.path), Path(rejects.path), told)
    for written in (cleaned, rejects):
        written.metadata.update(of_dataset(Path(written.path)))
