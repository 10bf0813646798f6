"""Options of the program that shows the review page."""

from dataclasses import dataclass

from components.common.base.options import Options, option


@dataclass(frozen=True)
class ReviewOptions(Options):
    """Where the page is shown: on this machine only, for whoever knows its address."""

    port: int = option(
        0, "port of 127.0.0.1 to listen at; 0 takes any that is free", minimum=0, maximum=65535
    )
    into: str = option(
        "",
        "of a folder that `mushrooms select` wrote: folder of class folders that labelled photos "
        "are copied into at the end (default: labelled, in that folder)",
    )
