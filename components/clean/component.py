"""KFP interfaces of the step `clean`: of a whole dataset, and of one part of it, in a loop."""

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


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(CleanOptions)
def clean_part(
    dataset_uri: str,
    part: str,
    decisions: str,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    cleaned: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    cleaned_listing: dsl.Output[dsl.Dataset],
    rejects_listing: dsl.Output[dsl.Dataset],
) -> None:
    """Sort the files of one part of a packed dataset, which alone are fetched.

    Args:
        dataset_uri: Packed photos, as `submit` uploads them.
        cleaned: Usable photos, as upright JPEGs without EXIF.
        rejects: Rejected files with their reasons.
        cleaned_listing: The manifest of the usable photos, without them.
        rejects_listing: The manifest of the rejected files, without them.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.clean.clean import clean
    from components.clean.options import CleanOptions
    from components.common.base.step_options import given
    from components.common.dataset import listing
    from components.common.model.artifact_metadata import of_dataset

    told = CleanOptions.of(given("clean", (CleanOptions,), inputs))
    clean(dataset_uri, Path(cleaned.path), Path(rejects.path), told)
    for written, listed in ((cleaned, cleaned_listing), (rejects, rejects_listing)):
        written.metadata.update(of_dataset(Path(written.path)))
        listing.write(Path(written.path), written.uri, Path(listed.path))
