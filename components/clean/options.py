"""Options of the step `clean`."""

from dataclasses import dataclass

from components.common.base.options import Options, option
from components.common.dataset.decisions import decisions_option

MIN_BYTES = 20_000  # the tutorial's "at least 20 KB": smaller photos show too little
SUSPICIOUS_BYTES = 2_000  # below this a file is no photo at all, whatever its header says


@dataclass(frozen=True)
class CleanOptions(Options):
    """Which files are usable photographs."""

    min_bytes: int = option(MIN_BYTES, "smallest accepted file, in bytes")
    suspicious_bytes: int = option(
        SUSPICIOUS_BYTES, "files below this size, in bytes, cannot be photos", in_pipeline=False
    )
    strict: bool = option(
        False, "reject photos that are dark, bright, blank, blurred, grey, small or oddly shaped"
    )
    decisions: str = decisions_option()
    part: str = option(
        "",
        "such as 2/4, to clean only the second quarter of the photos; empty for all",
        in_pipeline=False,
    )
