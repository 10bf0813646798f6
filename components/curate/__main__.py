"""The step `curate` as a command."""

import argparse
from pathlib import Path

from components.common.step import add_options, run_command
from components.curate.curate import Division, curate

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
        "--earlier_ledger", type=Path, help="ledger of an earlier run: what it placed stays placed"
    )
    add_options(
        parser,
        ("train_per_class", DEFAULTS.train_per_class, "photos per class for retraining"),
        ("demo_per_class", DEFAULTS.demo_per_class, "photos per class set aside for the demo"),
        ("validation_percentage", DEFAULTS.validation_percentage, "of the photos for retraining"),
        ("testing_percentage", DEFAULTS.testing_percentage, "of the photos for retraining"),
    )
    run_command("curate", parser, _command)


def _command(options: argparse.Namespace) -> None:
    curate(
        options.images,
        options.bottlenecks,
        options.training,
        options.demo,
        options.rejects,
        options.ledger,
        division=Division(
            options.train_per_class,
            options.demo_per_class,
            options.validation_percentage,
            options.testing_percentage,
        ),
        earlier_ledger=options.earlier_ledger,
    )


if __name__ == "__main__":
    main()
