"""The step `clean` as a command."""

import argparse
from pathlib import Path

from components.clean.clean import clean
from components.clean.options import CleanOptions
from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.clean",
        description="Sort a dataset into usable photographs and rejects with reasons.",
        examples=("--images images --output clean/images --rejects clean/rejects",),
    )
    parser.add_argument("--images", type=Path, required=True, help="dataset as downloaded")
    parser.add_argument("--output", type=Path, required=True, help="dataset to write")
    parser.add_argument("--rejects", type=Path, required=True, help="dataset of rejects to write")
    options.add_to(parser, CleanOptions)
    run_command("clean", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    clean(arguments.images, arguments.output, arguments.rejects, CleanOptions.of(arguments))


if __name__ == "__main__":
    main()
