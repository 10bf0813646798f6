"""KFP interface of the step `clean`."""

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def clean(
    images: dsl.Input[dsl.Dataset],
    min_bytes: int,
    strict: bool,
    decisions: str,
    cleaned: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    part: str = "",
) -> None:
    """Sort files into usable photographs and rejects.

    Args:
        images: Photos as they were found.
        min_bytes: Smallest file that is taken.
        strict: Reject dark, bright, blank, blurred, grey, small and oddly shaped photos too.
        decisions: File of decisions by hand, as curation.html exports them; empty for none.
        cleaned: Usable photos, as upright JPEGs without EXIF.
        rejects: Rejected files with their reasons.
        part: Such as 2/4, to look at the second quarter of the photos alone; empty for all.
    """
    from pathlib import Path

    from components.clean.clean import clean

    clean(
        Path(images.path),
        Path(cleaned.path),
        Path(rejects.path),
        min_bytes=min_bytes,
        strict=strict,
        decisions_file=decisions,
        part=part,
    )
