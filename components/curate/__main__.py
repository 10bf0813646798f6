"""The step `curate` as a command."""

import argparse
from dataclasses import fields
from pathlib import Path

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.curate.curate import Outputs, curate
from components.curate.options import CurateOptions


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.curate",
        description="Group copies, leave out photos in two classes, and divide whole groups "
        "into parts.",
        examples=(
            "--images clean/images --bottlenecks bottlenecks --training training "
            "--demo demo --rejects rejects --ledger ledger --facts facts --page curation.html",
        ),
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
    options.add_to(parser, CurateOptions)
    run_command("curate", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    outputs = Outputs(**{field.name: getattr(arguments, field.name) for field in fields(Outputs)})
    curate(
        arguments.images,
        arguments.bottlenecks,
        outputs,
        clean_rejects=arguments.clean_rejects,
        options=CurateOptions.of(arguments),
    )


if __name__ == "__main__":
    main()
