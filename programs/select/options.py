"""Options of the choice of photos to label next."""

from dataclasses import dataclass

from components.common.base.options import Options, option

MAX_COUNT = 500


@dataclass(frozen=True)
class SelectOptions(Options):
    """How many photos are chosen, by which model, and where they go."""

    count: int = option(50, "photos to choose", minimum=1, maximum=MAX_COUNT)
    output: str = option("", "new folder for the photos, the page and selection.csv")
    model_dir: str = option(
        "",
        "the model, or the folder that it is published in: a folder, gs://… or s3://… (default: "
        "that of the last run)",
    )
    answers: str = option(
        "",
        "file that the page exported: copy the photos of --output into class folders by it, and "
        "choose none",
    )
    into: str = option(
        "",
        "with --answers: folder of class folders that labelled photos are copied into (default: "
        "labelled, in --output)",
    )
    seed: int = option(0, "seed of the clusters; the same one gives the same photos", minimum=0)
