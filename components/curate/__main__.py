"""The step `curate` as a command."""

import argparse
from pathlib import Path

from components.common.base.step import add_options, run_command
from components.curate.curate import Outputs, curate
from components.curate.selection import Division

DEFAULTS = Division()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.curate",
        description="Group copies, drop what stands in two classes, divide whole groups.",
    )
    parser.add_argument(
        "--images", type=Path, nargs="+", required=True, help="datasets of clean photos"
    )
    parser.add_argument("--bottlenecks", type=Path, required=True, help="their bottlenecks")
    parser.add_argument("--training", type=Path, required=True, help="dataset to write")
    parser.add_argument("--demo", type=Path, required=True, help="dataset of demo photos to write")
    parser.add_argument("--rejects", type=Path, required=True, help="dataset of rejects to write")
    parser.add_argument("--ledger", type=Path, required=True, help="folder for split.parquet")
    parser.add_argument(
        "--facts", type=Path, required=True, help="folder for curation.json and photos.parquet"
    )
    parser.add_argument("--page", type=Path, required=True, help="curation.html to write")
    parser.add_argument(
        "--clean_rejects", type=Path, nargs="*", default=[], help="what `clean` rejected, to show"
    )
    add_options(
        parser,
        ("train_per_class", DEFAULTS.train_per_class, "photos per class for retraining"),
        ("demo_per_class", DEFAULTS.demo_per_class, "photos per class set aside for the demo"),
        ("validation_percentage", DEFAULTS.validation_percentage, "of the photos for retraining"),
        ("testing_percentage", DEFAULTS.testing_percentage, "of the photos for retraining"),
        ("earlier_ledger", "", "ledger of an earlier run: what it placed stays placed"),
        ("decisions", "", "decisions by hand, as curation.html exports them"),
    )
    run_command("curate", parser, _command)


def _command(options: argparse.Namespace) -> None:
    curate(
        options.images,
        options.bottlenecks,
        Outputs(
            options.training,
            options.demo,
            options.rejects,
            options.ledger,
            options.facts,
            options.page,
        ),
        clean_rejects=options.clean_rejects,
        division=Division(
            options.train_per_class,
            options.demo_per_class,
            options.validation_percentage,
            options.testing_percentage,
        ),
        earlier_ledger=options.earlier_ledger,
        decisions_file=options.decisions,
    )


if __name__ == "__main__":
    main()
