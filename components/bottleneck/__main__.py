"""The step `bottleneck` as a command."""

import argparse
from pathlib import Path

from components.bottleneck.bottleneck import bottleneck
from components.bottleneck.options import BottleneckOptions
from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.bottleneck",
        description="Compute one feature vector and the ImageNet scores per photo.",
        examples=("--images clean/images --output bottlenecks",),
    )
    parser.add_argument(
        "--images", type=Path, nargs="+", required=True, help="datasets of clean photos"
    )
    parser.add_argument("--output", type=Path, required=True, help="bottlenecks to write")
    options.add_to(parser, BottleneckOptions)
    run_command("bottleneck", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    bottleneck(arguments.images, arguments.output, BottleneckOptions.of(arguments))


if __name__ == "__main__":
    main()
